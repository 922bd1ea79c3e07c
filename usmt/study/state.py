"""How far a study is: what became of each of its runs, from its files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from usmt.study.folder import TEST, StudyFolder
from usmt.study.journal import Event
from usmt.study.plan import Plan, PlannedRun
from usmt.train.run_folder import RunFolder, read_json
from usmt.yaml_file import read_yaml

State = Literal["waiting", "running", "stopped", "finished", "scored", "failed", "pruned"]


@dataclass(frozen=True, slots=True)
class RunState:
    """One run.

    Attributes:
        state: `stopped` for one that was begun and that no process works on; `scored` for one
            that is finished and scored on the test side.
        factor: of the learning rates; None while it is not known.
        epochs: all that it will have; 0 while that is not known.
        selection: best selection score on validation so far; None before the first epoch.
        seconds: wall time of its processes, as far as they have ended.
        failure: why it failed.
    """

    run: PlannedRun
    state: State
    factor: float | None
    epoch: int
    epochs: int
    selection: float | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class StudyState:
    """All runs, and which run the search chose for each unit that it has chosen for."""

    runs: tuple[RunState, ...]
    chosen: dict[str, str]

    @property
    def scored(self) -> bool:
        """Whether there is anything to report: a run that was scored on the test side."""
        return any(each.state == "scored" for each in self.runs)


def read_state(folder: StudyFolder, plan: Plan) -> StudyState:
    """Raises CheckpointError for a file that is damaged."""
    events: dict[str, list[Event]] = {}
    chosen: dict[str, str] = {}
    for event in folder.journal.read():
        if event.what == "chosen":
            chosen[event.of] = event.run
        else:
            events.setdefault(event.of, []).append(event)
    at_work = folder.is_at_work()
    states = tuple(
        _state(folder, run, events.get(run.id, []), events.get(run.id + TEST, []), at_work=at_work)
        for run in plan.runs
    )
    return StudyState(states, chosen)


def _state(
    folder: StudyFolder,
    run: PlannedRun,
    training: list[Event],
    scoring: list[Event],
    *,
    at_work: bool,
) -> RunState:
    target = folder.run(run.id)
    entries = target.read_metrics()
    selections = [e["selection"] for e in entries if isinstance(e.get("selection"), int | float)]
    last = (scoring or training)[-1] if training else None
    state: State = "waiting"
    if target.scores("test").exists():
        state = "scored"
    elif last is not None and last.what == "failed":
        state = "failed"
    elif target.finished:
        state = "finished"
    elif last is not None and last.what == "pruned":
        state = "pruned"
    elif last is not None and last.what == "started":
        state = "running" if at_work else "stopped"
    elif target.path.exists():
        state = "stopped"
    factors = [event.factor for event in training if event.factor is not None]
    return RunState(
        run,
        state,
        factor=factors[-1] if factors else run.factor,
        epoch=len(entries),
        epochs=_epochs(folder, run),
        selection=max(selections, default=None),
        seconds=math.fsum(event.seconds or 0.0 for event in [*training, *scoring]),
        failure=last.reason if last is not None and state == "failed" else "",
    )


def _epochs(folder: StudyFolder, run: PlannedRun) -> int:
    path = folder.job(run.id)
    return int(read_yaml(path).data.get("epochs", 0)) if path.is_file() else 0


def validation(target: RunFolder) -> float | None:
    """The selection score that a finished run reached on validation, if it is a number."""
    value: Any = read_json(target.scores()).get("selection")
    return float(value) if isinstance(value, int | float) else None


def new_epochs(target: RunFolder, seen: int) -> Iterator[tuple[int, float]]:
    """(epoch, selection) of the epochs after the first `seen`, of a run that may be at work."""
    for entry in target.read_metrics()[seen:]:
        value = entry.get("selection")
        yield int(entry["epoch"]), float(value) if isinstance(value, int | float) else math.nan
