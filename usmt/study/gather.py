"""From the files of a study to what it measured."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from usmt.data.collection import make_task_type
from usmt.errors import CheckpointError
from usmt.evaluate.rows import ImageRows
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.study.folder import StudyFolder
from usmt.study.plan import Plan, make_plan
from usmt.study.results import MetricScores, RunRecord, StudyResults, StudyTask
from usmt.study.state import RunState, StudyState, read_state
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.train.run_folder import read_json

Key = tuple[str, str, float, str, int]
"""task, metric, fraction, arm, seed"""


def gather(folder: StudyFolder, catalogue: Catalogue, plugins: Plugins) -> StudyResults:
    """All that a study has measured so far.

    Raises:
        CheckpointError: a file is damaged, or there is nothing to report yet.
    """
    study = folder.read_study()
    plan = make_plan(study, catalogue)
    state = read_state(folder, study, plan)
    data = read_json(folder.data)
    rows = dict(_rows(folder, plan, state))
    if not rows:
        raise CheckpointError(
            f"{folder.path}: no run has been scored yet, so there is nothing to report",
            hint=f"Run it: usmt study run {folder.path}",
        )
    specs = {task: catalogue.task(task) for task in plan.tasks}
    options = study.settings.task_types
    names = {spec.type for spec in specs.values()}
    types = {name: make_task_type(plugins, name, options.get(name, {})) for name in names}
    summaries = _summaries(folder, plan, state)
    final = {run.id for unit in plan.units for run in plan.final_runs(unit, state.chosen)}
    groups = {task: group for group, tasks in plan.groups.items() for task in tasks}
    return StudyResults(
        title=study.title or "Together or alone: " + ", ".join([*study.groups, *study.tasks]),
        arms=plan.arms,
        reference=plan.reference,
        tasks=[
            _task(spec, types[spec.type], groups.get(spec.id, ""), summaries, rows)
            for spec in specs.values()
        ],
        groups={name: catalogue.groups[name].title for name in plan.groups},
        published_means={name: catalogue.groups[name].published for name in plan.groups},
        seeds=study.seeds,
        fractions=sorted(study.fractions),
        scores=list(_scores(specs, types, rows, data["datasets"])),
        runs=[_record(folder, each, final) for each in state.runs],
        settings=study.as_values(),
        data=data["datasets"],
        synthetic=bool(data["synthetic"]),
        confidence=study.statistics.confidence,
        margin=study.statistics.margin,
        resamples=study.statistics.resamples,
    )


def _rows(folder: StudyFolder, plan: Plan, state: StudyState) -> Iterator[tuple[Key, ImageRows]]:
    """What every metric needs of each test image, of all runs that stand for an arm."""
    scored = {each.run.id for each in state.runs if each.state == "scored"}
    for unit in plan.units:
        for run in plan.final_runs(unit, state.chosen):
            if run.id not in scored:
                continue
            for (task, metric), rows in folder.run(run.id).read_rows("test").items():
                if task in plan.tasks:
                    for arm in unit.arms:
                        yield (task, metric, unit.fraction, arm, run.seed), rows


def _summaries(
    folder: StudyFolder, plan: Plan, state: StudyState
) -> dict[tuple[str, float], Mapping[str, Any]]:
    """What scores-test.json says of a task, by task and fraction; all arms score the same data."""
    found: dict[tuple[str, float], Mapping[str, Any]] = {}
    for each in state.runs:
        if each.state == "scored":
            summary = read_json(folder.run(each.run.id).scores("test"))
            for task, entry in summary["tasks"].items():
                found.setdefault((task, each.run.unit.fraction), entry)
    return found


def _task(
    spec: TaskSpec,
    kind: TaskType,
    group: str,
    summaries: Mapping[tuple[str, float], Mapping[str, Any]],
    rows: Mapping[Key, ImageRows],
) -> StudyTask:
    mine = {fraction: entry for (task, fraction), entry in summaries.items() if task == spec.id}
    any_rows = next((each for (task, *_), each in rows.items() if task == spec.id), None)
    whole = mine[max(mine)] if mine else {}
    return StudyTask(
        id=spec.id,
        title=spec.title,
        type=spec.type,
        group=group,
        primary=kind.primary,
        training_images={f: int(entry["training_images"]) for f, entry in sorted(mine.items())},
        test_images=len(any_rows.keys) if any_rows is not None else 0,
        test_sources=len(set(any_rows.sources)) if any_rows is not None else 0,
        trivial=dict(whole.get("trivial_scores", {})),
        published=spec.published,
    )


def _scores(
    specs: Mapping[str, TaskSpec],
    types: Mapping[str, TaskType],
    rows: Mapping[Key, ImageRows],
    datasets: Collection[str],
) -> Iterator[MetricScores]:
    """`datasets`: names of those that the study reads; two may have a patient of one name."""
    for task, spec in specs.items():
        origin = f"{spec.dataset}/" if len(datasets) > 1 and spec.dataset in datasets else ""
        for name, metric in types[spec.type].metrics(spec).items():
            fractions = sorted({key[2] for key in rows if key[:2] == (task, name)})
            for fraction in fractions:
                mine = {k[3:]: v for k, v in rows.items() if k[:3] == (task, name, fraction)}
                first = next(iter(mine.values()))
                _check_same_images(task, mine)
                yield MetricScores(
                    task=task,
                    metric=name,
                    higher_is_better=bool(metric.higher_is_better),
                    fraction=fraction,
                    sources=np.array([f"{origin}{source}" for source in first.sources], str),
                    rows={key: each.rows for key, each in mine.items()},
                    pool=metric.pool,
                )


def _check_same_images(task: str, mine: Mapping[tuple[str, int], ImageRows]) -> None:
    listed: Sequence[Sequence[str]] = [each.keys for each in mine.values()]
    if any(list(keys) != list(listed[0]) for keys in listed):
        raise CheckpointError(
            f"the runs of {task} were scored on different test images",
            hint="Run folders of another study must have got in; begin the study anew.",
        )


def _record(folder: StudyFolder, each: RunState, final: Set[str]) -> RunRecord:
    run, target = each.run, folder.run(each.run.id)
    entries = target.read_metrics()
    over = {"failed": "failed", "pruned": "pruned"}
    ended = "finished" if target.finished else "missing"
    return RunRecord(
        id=run.id,
        unit=run.unit.name,
        arms=run.unit.arms,
        tasks=run.unit.tasks,
        moe=run.unit.moe,
        seed=run.seed,
        fraction=run.unit.fraction,
        factor=each.factor,
        chosen=run.id in final,
        state=over.get(each.state, ended),  # type: ignore[arg-type]
        epochs=len(entries) or None,
        steps=int(entries[-1]["step"]) if entries else None,
        parameters=read_json(target.scores()).get("parameters") if target.finished else None,
        seconds=each.seconds or None,
        selection=each.selection,
        failure=each.failure,
    )
