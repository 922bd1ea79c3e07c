"""How far a study is: what became of each of its runs, from its files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from usmt.study.folder import TEST, StudyFolder
from usmt.study.journal import Event
from usmt.study.plan import Plan, PlannedRun
from usmt.study.spec import StudySpec
from usmt.train.run_folder import RunFolder, read_json

State = Literal[
    "waiting", "running", "stopped", "finished", "scoring", "scored", "failed", "pruned"
]


@dataclass(frozen=True, slots=True)
class RunState:
    """One run.

    Attributes:
        state: `stopped` for one that was begun and that no process works on; `scoring` and
            `scored`, on the test side, for one that is finished.
        factor: of the learning rates; None while it is not known.
        epochs: all that it will have.
        selection: best selection score on validation so far; None before the first epoch.
        seconds: of its epochs, and of its scoring as far as that has ended.
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


def read_state(folder: StudyFolder, study: StudySpec, plan: Plan) -> StudyState:
    """Raises CheckpointError for a file that is damaged."""
    events: dict[str, list[Event]] = {}
    chosen: dict[str, str] = {}
    called = 0.0
    for event in folder.journal.read():
        if event.what == "chosen":
            chosen[event.of] = event.run
        elif event.what == "called":
            called = event.time
        else:
            events.setdefault(event.of, []).append(event)
    # What was started before the present call is not at work, though the study is.
    since = called if folder.is_at_work() else math.inf
    states = tuple(_state(folder, study, run, events, since) for run in plan.runs)
    return StudyState(states, chosen)


def _state(
    folder: StudyFolder,
    study: StudySpec,
    run: PlannedRun,
    events: Mapping[str, Sequence[Event]],
    since: float,
) -> RunState:
    training, scoring = events.get(run.id, []), events.get(run.id + TEST, [])
    target = folder.run(run.id)
    entries = target.read_metrics()
    selections = [e["selection"] for e in entries if isinstance(e.get("selection"), int | float)]
    state = _named(target, training, scoring, since)
    factors = [event.factor for event in training if event.factor is not None]
    spent = [float(entry.get("seconds") or 0.0) for entry in entries]
    return RunState(
        run,
        state,
        factor=factors[-1] if factors else run.factor,
        epoch=len(entries),
        epochs=study.length(len(run.unit.tasks))["epochs"],
        selection=max(selections, default=None),
        seconds=math.fsum([*spent, *(event.seconds or 0.0 for event in scoring)]),
        failure=[*training, *scoring][-1].reason if state == "failed" else "",
    )


def _named(
    target: RunFolder, training: Sequence[Event], scoring: Sequence[Event], since: float
) -> State:
    if target.finished:
        last = scoring[-1] if scoring else None
        if last is None:
            return "finished"
        if last.what == "ended":
            return "scored"
        if last.what == "failed":
            return "failed"
        return "scoring" if last.time >= since else "finished"
    last = training[-1] if training else None
    if last is None:
        return "stopped" if target.path.exists() else "waiting"
    if last.what in ("failed", "pruned"):
        return "failed" if last.what == "failed" else "pruned"
    return "running" if last.time >= since else "stopped"


def validation(target: RunFolder) -> float | None:
    """The selection score that a finished run reached on validation, if it is a number."""
    value: Any = read_json(target.scores()).get("selection")
    return float(value) if isinstance(value, int | float) else None


def new_epochs(target: RunFolder, seen: int) -> Iterator[tuple[int, float]]:
    """(epoch, selection) of the epochs after the first `seen`, of a run that may be at work."""
    for entry in target.read_metrics()[seen:]:
        value = entry.get("selection")
        yield int(entry["epoch"]), float(value) if isinstance(value, int | float) else math.nan
