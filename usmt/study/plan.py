"""From a study to the runs that it needs, each once, whatever number of arms it serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from usmt.errors import ConfigError, near
from usmt.specs import Catalogue
from usmt.study.results import Arm
from usmt.study.spec import StudySpec
from usmt.train.config import RunSettings

PARADIGMS = ("ts", "cg", "au")


@dataclass(frozen=True, slots=True)
class Unit:
    """One network that a study trains, once a seed.

    Attributes:
        name: e.g. `ts-lung_2cls`, `cg-lung`, `au`.
        arms: names of the arms that it serves. Two arms that train the same tasks in the same way
            share it.
        fraction: share of the training images.
    """

    name: str
    arms: tuple[str, ...]
    tasks: tuple[str, ...]
    moe: bool
    fraction: float

    def settings(
        self,
        study: StudySpec,
        *,
        seed: int,
        factor: float = 1.0,
        splits: Mapping[str, Path] | None = None,
    ) -> RunSettings:
        """Those of one of its runs; `splits` are the files of the frozen splits, by dataset.
        Raises ConfigError."""
        return study.run_settings(
            list(self.tasks),
            seed=seed,
            moe=self.moe,
            fraction=self.fraction,
            factor=factor,
            splits=splits or {},
        )


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One training run.

    Attributes:
        id: names it, and its folder.
        trial: which try of the search for a learning rate it is; None for a run outside of it.
        factor: of the learning rates; None where the search decides it.
    """

    id: str
    unit: Unit
    seed: int
    trial: int | None
    factor: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a study will do.

    Attributes:
        reference: name of the arm that the others are compared with.
        groups: the compared groups with their tasks.
        tasks: the compared tasks, in their order.
    """

    arms: tuple[Arm, ...]
    reference: str
    groups: Mapping[str, Sequence[str]]
    tasks: tuple[str, ...]
    units: tuple[Unit, ...]
    runs: tuple[PlannedRun, ...]

    def runs_of(self, unit: Unit) -> list[PlannedRun]:
        return [run for run in self.runs if run.unit == unit]

    def final_runs(self, unit: Unit, chosen: Mapping[str, str]) -> list[PlannedRun]:
        """The runs that stand for a unit, one a seed: of a search only the one that was chosen,
        `chosen` being the id of a run by the unit's name."""
        return [
            run
            for run in self.runs_of(unit)
            if run.trial is None or chosen.get(unit.name) == run.id
        ]

    def run(self, id: str) -> PlannedRun:
        """Raises ConfigError with the near name."""
        for run in self.runs:
            if run.id == id:
                return run
        raise ConfigError(
            f"'{id}' is not a run of this study{near(id, [run.id for run in self.runs])}",
            hint="Its runs: usmt study plan",
        )


def make_plan(study: StudySpec, catalogue: Catalogue) -> Plan:
    """Raises SpecError for an unknown group or task, ConfigError for arms that make no sense."""
    groups = {name: tuple(catalogue.task_ids(name)) for name in study.groups}
    tasks = _compared(groups, study.tasks)
    for task in tasks:
        catalogue.task(task)
    arms = tuple(_arms(study))
    units: dict[tuple[tuple[str, ...], bool, float], Unit] = {}
    for fraction in sorted(study.fractions, reverse=True):
        for arm in arms:
            for name, members in _members(arm.paradigm, study, catalogue, groups, tasks).items():
                moe = arm.moe and (study.moe == "both" or len(members) > 1)
                key = (members, moe, fraction)
                if key in units:
                    units[key] = replace(units[key], arms=(*units[key].arms, arm.name))
                else:
                    full = f"{name}{_suffix(study, arm.moe, fraction)}"
                    units[key] = Unit(full, (arm.name,), members, moe, fraction)
    runs = tuple(run for unit in units.values() for run in _runs(unit, study))
    _check(study, units.values(), runs)
    return Plan(arms, _reference(arms), groups, tasks, tuple(units.values()), runs)


def _check(study: StudySpec, units: Iterable[Unit], runs: Sequence[PlannedRun]) -> None:
    """Raises ConfigError for what would fail only when the run is started."""
    trained = {task for unit in units for task in unit.tasks}
    for task in study.settings.task_weights:
        if task not in trained:
            raise ConfigError(
                f"settings.task_weights.{task}: no task of this study{near(task, trained)}",
                hint=f"Its tasks: {', '.join(sorted(trained))}",
            )
    for unit in units:
        study.length(len(unit.tasks))
    if len({run.id for run in runs}) < len(runs):
        raise ConfigError("fractions: two are too near to each other", hint="Leave one out.")


def _compared(groups: Mapping[str, Sequence[str]], single: Sequence[str]) -> tuple[str, ...]:
    home: dict[str, str] = {}
    for group, members in groups.items():
        for task in members:
            if task in home:
                raise ConfigError(
                    f"the task '{task}' is in two of the study's groups, {home[task]} and {group}",
                    hint="Compare one of them, and give the other as an arm: `paradigms`.",
                )
            home[task] = group
    for task in single:
        if task in home:
            raise ConfigError(
                f"tasks: '{task}' is in the group {home[task]} already", hint="Name it once."
            )
    return (*home, *single)


def _arms(study: StudySpec) -> Iterator[Arm]:
    for paradigm in study.paradigms:
        if study.moe == "both":
            yield Arm(f"{paradigm}-dense", paradigm, moe=False)
            yield Arm(f"{paradigm}-moe", paradigm, moe=True)
        else:
            yield Arm(paradigm, paradigm, moe=paradigm != "ts")


def _reference(arms: Sequence[Arm]) -> str:
    """Task-specific training without experts, wherever it is among the arms."""
    return next((arm.name for arm in arms if arm.paradigm == "ts"), arms[0].name)


def _members(
    paradigm: str,
    study: StudySpec,
    catalogue: Catalogue,
    groups: Mapping[str, tuple[str, ...]],
    tasks: Sequence[str],
) -> dict[str, tuple[str, ...]]:
    """The networks of a paradigm: name -> the tasks that each learns."""
    if paradigm == "ts":
        return {f"ts-{task}": (task,) for task in tasks}
    if paradigm == "cg":
        if not groups:
            raise ConfigError("paradigms: cg trains each group, and no group is given")
        return {f"cg-{name}": members for name, members in groups.items()}
    group = study.all if paradigm == "au" else paradigm
    if group not in catalogue.groups:
        known = [*PARADIGMS, *catalogue.groups]
        key = "all" if paradigm == "au" else "paradigms"
        raise ConfigError(
            f"{key}: there is no group '{group}'{near(group, known)}", hint="See: usmt groups list"
        )
    members = tuple(spec.id for spec in catalogue.group_tasks(group))
    if not set(members) & set(tasks):
        raise ConfigError(
            f"the arm '{paradigm}' trains the group {group}, which has none of the compared tasks",
            hint=f"Compared are: {', '.join(tasks)}",
        )
    return {paradigm: members}


def _suffix(study: StudySpec, moe: bool, fraction: float) -> str:
    kind = ("-moe" if moe else "-dense") if study.moe == "both" else ""
    return kind + (f"-f{fraction:g}" if len(study.fractions) > 1 else "")


def _runs(unit: Unit, study: StudySpec) -> Iterator[PlannedRun]:
    """The first seed searches for the learning rate; the others take what it chose."""
    search = study.learning_rate
    first, *rest = study.seeds
    if not search.needed:
        for seed in study.seeds:
            yield PlannedRun(f"{unit.name}-s{seed}", unit, seed, None, search.factors[0])
        return
    grid = search.sampler == "grid"
    for trial in range(len(search.factors) if grid else search.trials or 0):
        factor = search.factors[trial] if grid else None
        yield PlannedRun(f"{unit.name}-s{first}-t{trial}", unit, first, trial, factor)
    for seed in rest:
        yield PlannedRun(f"{unit.name}-s{seed}", unit, seed, None, None)
