"""What a study is asked to be: its arms, seeds, budget, and the settings of every run.

A study is a YAML file, over which the options of the command are laid: the same keys, each with
the same meaning (docs/study.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from usmt.errors import ConfigError
from usmt.mistakes import shown
from usmt.task_spec import Identifier
from usmt.train.config import (
    PRESETS,
    RunSettings,
    Settings,
    assigned,
    merge,
    preset_values,
)
from usmt.yaml_file import YamlError, YamlFile, explain, read_yaml, validate

Fraction = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=0, le=1000)]

OWN = (("group",), ("tasks",), ("seed",), ("moe", "enabled"), ("split", "fraction"))
"""Settings of a run that the study itself decides."""

ANY_TASK = "any"
"""Stands for the tasks of a run in the settings that all runs share."""


class Budget(Settings):
    """How long each run trains; one of the three."""

    epochs: int | None = Field(
        None, ge=1, description="passes over its images, as in the paper; null: that of `settings`"
    )
    steps: int | None = Field(None, ge=1, description="optimizer steps, the same for every run")
    images: int | None = Field(
        None, ge=1, description="images of each task, the same for every task and run"
    )

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if sum(value is not None for value in (self.epochs, self.steps, self.images)) > 1:
            raise ValueError("give one of epochs, steps and images")
        return self


class LearningRateSearch(Settings):
    """The search for a learning rate, for each network of each arm, on validation alone."""

    factors: list[Factor] = Field(
        [1.0], min_length=1, description="of all learning rates: those to try, or the range"
    )
    sampler: Literal["grid", "tpe"] = Field(
        "grid", description="grid: every factor; tpe: `trials` factors between least and largest"
    )
    trials: int | None = Field(None, ge=2, description="runs of a tpe search")
    pruning: bool = Field(
        False, description="stop runs that are behind the median of the others at the same epoch"
    )

    @property
    def needed(self) -> bool:
        """Whether there is anything to choose."""
        return self.sampler == "tpe" or len(self.factors) > 1

    @model_validator(mode="after")
    def _complete(self) -> LearningRateSearch:
        if len(set(self.factors)) < len(self.factors):
            raise ValueError("factors: one is there twice")
        if (self.sampler == "tpe") != (self.trials is not None):
            raise ValueError("trials: needed for `sampler: tpe`, and only for it")
        if self.sampler == "tpe" and len(self.factors) < 2:
            raise ValueError("factors: a tpe search needs the least and the largest")
        return self


class StatisticsSettings(Settings):
    """How certain is certain."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="of intervals")
    margin: float = Field(0.05, gt=0, lt=1, description="relative change too small to matter")
    resamples: int = Field(2000, ge=200, le=100_000, description="of the bootstrap")


class StudySpec(Settings):
    """A study.

    Attributes:
        settings: those of every run, but for what the study decides itself.
    """

    title: str = ""
    groups: list[Identifier] = Field([], description="groups that are compared, each a run of `cg`")
    tasks: list[Identifier] = Field([], description="tasks that are compared besides")
    paradigms: list[Identifier] = Field(
        ["ts", "cg", "au"],
        min_length=1,
        description="arms: ts, each task alone; cg, each group; au, all tasks; or any group's id",
    )
    all: Identifier = Field("all", description="the group that `au` trains")
    moe: Literal["paper", "both"] = Field(
        "paper", description="paper: off for ts, on for the others; both: each arm with and without"
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0, 1, 2], min_length=1)
    learning_rate: LearningRateSearch = LearningRateSearch()
    fractions: list[Fraction] = Field(
        [1.0], min_length=1, description="shares of the training images; smaller within larger"
    )
    budget: Budget = Budget()
    statistics: StatisticsSettings = StatisticsSettings()
    preset: Literal["small", "paper"] = Field("small", description="where `settings` start")
    settings: RunSettings

    @model_validator(mode="after")
    def _each_once(self) -> StudySpec:
        for key in ("groups", "tasks", "paradigms", "seeds", "fractions"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ValueError(f"{key}: one is there twice")
        if not self.groups and not self.tasks:
            raise ValueError("nothing to compare: give groups, or tasks")
        return self

    def run_settings(
        self,
        tasks: list[str],
        *,
        seed: int,
        moe: bool,
        fraction: float,
        factor: float,
        splits: Mapping[str, Path],
    ) -> RunSettings:
        """The settings of one run. Raises ConfigError where a learning rate leaves its range."""
        values = self.settings.model_dump(mode="json")
        rates = values["optimizer"]["learning_rate"]
        own: dict[str, Any] = {
            "tasks": tasks,
            "seed": seed,
            "moe": {"enabled": "on" if moe else "off"},
            "split": {"fraction": fraction, "files": {k: str(v) for k, v in splits.items()}},
            "optimizer": {"learning_rate": {key: rate * factor for key, rate in rates.items()}},
            **self._length(len(tasks)),
        }
        try:
            return RunSettings.model_validate(merge(values, own))
        except ValidationError as error:
            lines = [": ".join(filter(None, each)) for each in explain(error, RunSettings)]
            raise ConfigError(
                f"learning-rate factor {factor:g}: " + "\n".join(lines), hint="See docs/study.md"
            ) from None

    def _length(self, tasks: int) -> dict[str, Any]:
        """How long a run trains. A budget in steps or images is cut into the settings' epochs,
        which then are only the times at which the network is validated."""
        chosen = self.budget
        epochs = chosen.epochs or self.settings.epochs
        if chosen.steps is not None:
            epochs = min(epochs, chosen.steps)
            images = round(chosen.steps / epochs) * self.settings.batch_size
            return {"epochs": epochs, "sampler": {"images_per_epoch": images}}
        if chosen.images is not None:
            epochs = min(epochs, chosen.images)
            images = round(chosen.images / epochs) * tasks
            return {"epochs": epochs, "sampler": {"kind": "uniform", "images_per_epoch": images}}
        return {"epochs": epochs}

    def as_values(self) -> dict[str, Any]:
        """Plain values, as `load_study` reads them back."""
        values = self.model_dump(mode="json")
        for path in OWN:
            _drop(values["settings"], path)
        if self.budget.steps is None and self.budget.images is None:
            values["budget"] = {"epochs": self.budget.epochs or self.settings.epochs}
            del values["settings"]["epochs"]
        elif self.budget.images is not None:
            del values["settings"]["sampler"]
        else:
            del values["settings"]["sampler"]["images_per_epoch"]
        return values


def load_study(file: Path | None, options: Mapping[str, Any], assignments: list[str]) -> StudySpec:
    """Lays the file, options of the command and `--set key=value` (settings) over each other.

    Raises:
        ConfigError, YamlError: for everything that is unknown, of the wrong type or out of range.
    """
    read = read_yaml(file) if file is not None else None
    given = merge(read.data if read else {}, dict(options))
    for text in assignments:
        given = merge(given, {"settings": assigned(text)})
    if read is not None:
        if not isinstance(read.data.get("settings", {}), dict):
            found = f"found {shown(read.data['settings'])}, expected a mapping of settings"
            raise YamlError([read.problem(("settings",), found)])
        _check_own(read.data, read)
        validate(StudySpec, read, values=_complete(given))
    _check_own(given, None)
    try:
        study = StudySpec.model_validate(_complete(given))
    except ValidationError as error:
        lines = [": ".join(filter(None, each)) for each in explain(error, StudySpec)]
        raise ConfigError("\n".join(lines), hint="How to write a study: docs/study.md") from None
    for factor in study.learning_rate.factors:
        study.run_settings(
            [ANY_TASK], seed=study.seeds[0], moe=False, fraction=1.0, factor=factor, splits={}
        )
    return study


def _complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """With the preset below the settings."""
    preset, settings = given.get("preset", "small"), given.get("settings", {})
    if preset not in PRESETS or not isinstance(settings, dict):
        return {**given, "settings": settings}
    settings = merge(merge(preset_values(preset), settings), {"tasks": [ANY_TASK]})
    return {**given, "settings": settings}


def _check_own(given: Mapping[str, Any], file: YamlFile | None) -> None:
    """Raises YamlError or ConfigError for settings that the study decides."""
    settings, budget = given.get("settings"), given.get("budget")
    budget = budget if isinstance(budget, dict) else {}
    taken = {path: f"a study decides this for each run: `{_KEYS[path]}`" for path in OWN}
    if "epochs" in budget:
        taken["epochs",] = "`budget: {epochs: ...}` says it"
    if "steps" in budget or "images" in budget:
        taken["sampler", "images_per_epoch"] = "the budget decides it"
    if "images" in budget:
        taken["sampler", "kind"] = "a budget of images draws all tasks alike: `uniform`"
    for path, reason in taken.items():
        if not _has(settings, path):
            continue
        if file is not None:
            raise YamlError([file.problem(("settings", *path), reason, at_key=True)])
        raise ConfigError(f"settings.{'.'.join(path)}: {reason}", hint="Leave it out.")


_KEYS = {
    ("group",): "groups",
    ("tasks",): "tasks",
    ("seed",): "seeds",
    ("moe", "enabled"): "moe",
    ("split", "fraction"): "fractions",
}


def _has(values: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    *parents, last = path
    for key in parents:
        values = values.get(key, {})
    values.pop(last, None)
