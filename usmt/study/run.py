"""Runs a study: which job next, what each came to, and when test data may be looked at.

Order: the search of every network, then its other seeds; once every run has come to its end, and
only then, the chosen runs are scored on the test side. A study may be stopped at any moment and
given again: what is finished is not repeated, what was begun goes on.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from usmt.errors import TrainingError
from usmt.executor import Ended, Executor, Job
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.progress import Bar
from usmt.specs import Catalogue
from usmt.study.begin import begin
from usmt.study.folder import TEST, StudyFolder
from usmt.study.plan import Plan, PlannedRun, Unit
from usmt.study.search import Search
from usmt.study.spec import StudySpec
from usmt.study.state import new_epochs, read_state, validation
from usmt.train.run_folder import write_yaml
from usmt.whole_file import cut_torn_line

INTERVAL = 0.2
"""Seconds between two looks at the jobs."""

PRUNE_INTERVAL = 2.0
"""Seconds between two looks at how the trials of a search stand."""

Over = Literal["finished", "pruned", "failed", "lost"]
"""`failed` by an error of its own, which counts in a search (a rate that is too high, say); `lost`
by what happened to its process: the search waits for it to be tried again."""


@dataclass
class _Work:
    """A study that is being run.

    Attributes:
        begun: when each running job was started, and how long its log was then.
        over: what became of the runs that have come to their end, in this call if they failed.
        chosen: id of the run that the search chose, by unit.
        seen: epochs of a running trial that its search was told of.
        pruned_at: when the trials were last looked at.
    """

    folder: StudyFolder
    study: StudySpec
    plan: Plan
    executor: Executor
    output: Output
    bar: Bar
    begun: dict[str, tuple[float, int]] = field(default_factory=dict)
    over: dict[str, Over] = field(default_factory=dict)
    scored: set[str] = field(default_factory=set)
    factors: dict[str, float] = field(default_factory=dict)
    searches: dict[str, Search] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    pruned_at: float = 0.0


def run_study(
    folder: StudyFolder,
    study: StudySpec,
    plan: Plan,
    executor: Executor,
    catalogue: Catalogue,
    plugins: Plugins,
    output: Output,
) -> dict[str, str]:
    """Begins a study, or does all that is left of it; returns the jobs that failed, and why.

    Raises:
        ConfigError: another process is at it, or it was begun with other settings.
        CheckpointError: something of it was changed since.
    """
    with folder.at_work():
        fixed = begin(folder, study, plan, catalogue, plugins, output)
        cut_torn_line(folder.journal.path)
        folder.journal.append("called", platform.node())
        total = len(plan.runs) + len(plan.units) * len(study.seeds)
        with output.progress("study", total) as bar:
            work = _Work(folder, fixed, plan, executor, output, bar)
            _recall(work)
            try:
                _loop(work)
            except KeyboardInterrupt:
                output.note(f"stopped; go on with: usmt study run {folder.path}")
                raise
    return work.failures


def check_complete(folder: StudyFolder, failures: Mapping[str, str]) -> None:
    """Raises TrainingError for jobs that failed."""
    if not failures:
        return
    lines = [f"  {id}: {reason}" for id, reason in failures.items()]
    raise TrainingError(
        "\n".join([f"{len(lines)} of the study's jobs failed:", *lines]),
        hint=f"All others are done. What they printed is in {folder.path / 'logs'}; to try them "
        f"again: usmt study run {folder.path}",
    )


def _recall(work: _Work) -> None:
    """Takes up what an earlier call has done."""
    state = read_state(work.folder, work.study, work.plan)
    work.chosen = dict(state.chosen)
    for each in state.runs:
        run = each.run
        if each.factor is not None:
            work.factors[run.id] = each.factor
        if each.state == "scored":
            work.scored.add(run.id)
            work.bar.advance()
        target = work.folder.run(run.id)
        if target.finished:
            work.over[run.id] = "finished"
        elif each.state == "pruned":
            work.over[run.id] = "pruned"
        if run.id in work.over:
            work.bar.advance()
        if run.trial is not None and run.id in work.over:
            search = _search(work, run.unit)
            search.ask(run.trial, each.factor)
            for epoch, selection in new_epochs(target, 0):
                search.report(run.trial, epoch, selection)
            search.tell(run.trial, validation(target) if target.finished else None)


def _loop(work: _Work) -> None:
    while True:
        for id in _ready(work):
            if len(work.begun) >= work.executor.jobs:
                break
            _start(work, id)
        if not work.begun:
            return
        time.sleep(INTERVAL)
        _prune(work)
        for ended in work.executor.ended():
            _note_end(work, ended)


def _ready(work: _Work) -> Iterator[str]:
    """Jobs that may start now: the longest first, so that none is left to run alone at the end."""
    waiting = False
    for unit in sorted(work.plan.units, key=_length, reverse=True):
        for run in _open(work, unit):
            waiting = True
            if run.id not in work.begun:
                yield run.id
    if not waiting:
        for unit in work.plan.units:
            for run in work.plan.final_runs(unit, work.chosen):
                if work.over.get(run.id) == "finished" and _unscored(work, run.id):
                    yield run.id + TEST


def _length(unit: Unit) -> float:
    return len(unit.tasks) * unit.fraction


def _unscored(work: _Work, id: str) -> bool:
    job = id + TEST
    return id not in work.scored and job not in work.begun and job not in work.failures


def _open(work: _Work, unit: Unit) -> Iterator[PlannedRun]:
    """The runs of a unit that are not over, as far as it is known which they are."""
    runs = work.plan.runs_of(unit)
    trials = [run for run in runs if run.trial is not None]
    if trials and unit.name not in work.chosen:
        left = [run for run in trials if run.id not in work.over]
        yield from left
        lost = any(work.over.get(run.id) == "lost" for run in trials)
        if left or lost or not _choose(work, unit, trials):
            return
    yield from (run for run in runs if run.trial is None and run.id not in work.over)


def _choose(work: _Work, unit: Unit, trials: list[PlannedRun]) -> bool:
    """Settles which trial was the best, for good: test data must not change it. False if none
    came to its end."""
    best = _search(work, unit).best()
    if best is None:
        return False
    chosen = next(run for run in trials if run.trial == best)
    work.chosen[unit.name] = chosen.id
    factor = work.factors[chosen.id]
    work.folder.journal.append("chosen", unit.name, run=chosen.id, factor=factor)
    return True


def _start(work: _Work, id: str) -> None:
    folder, name = work.folder, id.removesuffix(TEST)
    run = work.plan.run(name)
    if id == name:
        _write_settings(work, run)
    log = folder.log(id)
    size = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "-m", "usmt", "study", "job", str(folder.path.resolve()), id]
    folder.journal.append("started", id, factor=work.factors.get(name))
    work.begun[id] = (time.monotonic(), size)
    work.executor.start(Job(id, command, log.resolve()))
    _say(work)


def _write_settings(work: _Work, run: PlannedRun) -> None:
    factor = work.factors.get(run.id, run.factor)
    if run.trial is not None:
        factor = _search(work, run.unit).ask(run.trial, factor)
    elif factor is None:
        factor = work.factors[work.chosen[run.unit.name]]
    work.factors[run.id] = factor
    files = {name: work.folder.split(name).resolve() for name in work.study.settings.data}
    splits = {name: file for name, file in files.items() if file.is_file()}
    settings = run.unit.settings(work.study, seed=run.seed, factor=factor, splits=splits)
    write_yaml(work.folder.job(run.id), settings.model_dump(mode="json"))


def _search(work: _Work, unit: Unit) -> Search:
    if unit.name not in work.searches:
        work.searches[unit.name] = Search(work.study.learning_rate, work.study.seeds[0])
    return work.searches[unit.name]


def _prune(work: _Work) -> None:
    """Tells each search how its running trials stand, and stops those that are behind."""
    if not work.study.learning_rate.pruning or time.monotonic() < work.pruned_at + PRUNE_INTERVAL:
        return
    work.pruned_at = time.monotonic()
    for id in list(work.begun):
        run = work.plan.run(id.removesuffix(TEST))
        if id != run.id or run.trial is None or work.over.get(id) == "pruned":
            continue
        for epoch, selection in new_epochs(work.folder.run(id), work.seen.get(id, 0)):
            work.seen[id] = epoch + 1
            if _search(work, run.unit).report(run.trial, epoch, selection):
                work.over[id] = "pruned"
                work.executor.stop(id)
                break


def _note_end(work: _Work, ended: Ended) -> None:
    began, size = work.begun.pop(ended.id)
    seconds = round(time.monotonic() - began, 3)
    name = ended.id.removesuffix(TEST)
    run, target, journal = work.plan.run(name), work.folder.run(name), work.folder.journal
    if ended.id != name:
        if ended.code == 0 and target.scores("test").exists():
            work.scored.add(name)
            journal.append("ended", ended.id, seconds=seconds)
        else:
            _note_failure(work, ended, size, seconds)
    elif target.finished:
        work.over[name] = "finished"
        journal.append("ended", name, seconds=seconds)
    elif work.over.get(name) == "pruned":
        journal.append("pruned", name, seconds=seconds)
    else:
        work.over[name] = "failed" if ended.code == 1 else "lost"
        _note_failure(work, ended, size, seconds)
    if run.trial is not None and ended.id == name:
        _search(work, run.unit).tell(run.trial, validation(target) if target.finished else None)
    work.bar.advance()
    _say(work)


def _note_failure(work: _Work, ended: Ended, size: int, seconds: float) -> None:
    reason = _reason(work, ended, size)
    work.failures[ended.id] = reason
    work.folder.journal.append("failed", ended.id, seconds=seconds, reason=reason)
    work.output.warning(f"{ended.id} failed: {reason}")


def _reason(work: _Work, ended: Ended, size: int) -> str:
    """Why a job failed: the error that it printed, else what the executor knows of its end."""
    log = work.folder.log(ended.id)
    lines = log.read_bytes()[size:].decode(errors="replace").splitlines() if log.exists() else []
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if said:
        return said[-1]
    if ended.reason:
        return ended.reason
    return f"its process ended with {ended.code} and without scores; see {log}"


def _say(work: _Work) -> None:
    names = ", ".join(sorted(work.begun)[:3])
    more = f" and {len(work.begun) - 3} more" if len(work.begun) > 3 else ""
    work.bar.update(description=f"study: {names}{more}" if names else "study")
