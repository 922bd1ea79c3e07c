"""Runs a study: starts its jobs, watches them, and notes what each came to.

A study may be stopped at any moment and given again: what is finished is not repeated, what was
begun goes on.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from usmt.errors import TrainingError
from usmt.executor import Ended, Executor, Job
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.progress import Bar
from usmt.specs import Catalogue
from usmt.study.begin import begin
from usmt.study.folder import TEST, StudyFolder
from usmt.study.plan import Plan, PlannedRun
from usmt.study.schedule import Schedule
from usmt.study.spec import StudySpec
from usmt.study.state import new_epochs, validation
from usmt.train.run_folder import write_yaml
from usmt.whole_file import cut_torn_line

INTERVAL = 0.2
"""Seconds between two looks at the jobs."""

PRUNE_INTERVAL = 2.0
"""Seconds between two looks at how the trials of a search stand."""


@dataclass
class _Work:
    """A study that is being run.

    Attributes:
        begun: when each running job was started, and how long its log was then.
        seen: epochs of a running trial that its search was told of.
        pruned_at: when the trials were last looked at.
    """

    folder: StudyFolder
    schedule: Schedule
    executor: Executor
    output: Output
    bar: Bar
    begun: dict[str, tuple[float, int]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
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
        schedule = Schedule(folder, fixed, plan)
        total = len(plan.runs) + len(plan.units) * len(study.seeds)
        with output.progress("study", total) as bar:
            schedule.recall()
            bar.advance(len(schedule.over) + len(schedule.scored))
            try:
                _loop(_Work(folder, schedule, executor, output, bar))
            except KeyboardInterrupt:
                output.note(f"stopped; go on with: usmt study run {folder.path}")
                raise
    return schedule.failures


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


def _loop(work: _Work) -> None:
    while True:
        for id in work.schedule.ready(work.begun):
            if len(work.begun) >= work.executor.jobs:
                break
            _start(work, id)
        if not work.begun:
            return
        time.sleep(INTERVAL)
        _prune(work)
        for ended in work.executor.ended():
            _note_end(work, ended)


def _start(work: _Work, id: str) -> None:
    folder, name = work.folder, id.removesuffix(TEST)
    run = work.schedule.plan.run(name)
    if id == name:
        _write_settings(work, run)
    log = folder.log(id)
    size = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "-m", "usmt", "study", "job", str(folder.path.resolve()), id]
    folder.journal.append("started", id, factor=work.schedule.factors.get(name))
    work.begun[id] = (time.monotonic(), size)
    work.executor.start(Job(id, command, log.resolve()))
    _say(work)


def _write_settings(work: _Work, run: PlannedRun) -> None:
    study, factor = work.schedule.study, work.schedule.factor(run)
    files = {name: work.folder.split(name).resolve() for name in study.settings.data}
    splits = {name: file for name, file in files.items() if file.is_file()}
    settings = run.unit.settings(study, seed=run.seed, factor=factor, splits=splits)
    write_yaml(work.folder.job(run.id), settings.model_dump(mode="json"))


def _prune(work: _Work) -> None:
    """Tells each search how its running trials stand, and stops those that are behind."""
    schedule = work.schedule
    if not schedule.study.learning_rate.pruning:
        return
    if time.monotonic() < work.pruned_at + PRUNE_INTERVAL:
        return
    work.pruned_at = time.monotonic()
    for id in list(work.begun):
        run = schedule.plan.run(id.removesuffix(TEST))
        if id != run.id or run.trial is None or schedule.over.get(id) == "pruned":
            continue
        for epoch, selection in new_epochs(work.folder.run(id), work.seen.get(id, 0)):
            work.seen[id] = epoch + 1
            if schedule.search(run.unit).report(run.trial, epoch, selection):
                schedule.over[id] = "pruned"
                work.executor.stop(id)
                break


def _note_end(work: _Work, ended: Ended) -> None:
    schedule, journal = work.schedule, work.folder.journal
    began, size = work.begun.pop(ended.id)
    seconds = round(time.monotonic() - began, 3)
    name = ended.id.removesuffix(TEST)
    run, target = schedule.plan.run(name), work.folder.run(name)
    if ended.id != name:
        if ended.code == 0 and target.scores("test").exists():
            schedule.scored.add(name)
            journal.append("ended", ended.id, seconds=seconds)
        else:
            _note_failure(work, ended, size, seconds)
    elif target.finished:
        schedule.over[name] = "finished"
        journal.append("ended", name, seconds=seconds)
    elif schedule.over.get(name) == "pruned":
        journal.append("pruned", name, seconds=seconds)
    else:
        schedule.over[name] = "failed" if ended.code == 1 else "lost"
        _note_failure(work, ended, size, seconds)
    if run.trial is not None and ended.id == name:
        reached = validation(target) if target.finished else None
        schedule.search(run.unit).tell(run.trial, reached)
    work.bar.advance()
    _say(work)


def _note_failure(work: _Work, ended: Ended, size: int, seconds: float) -> None:
    reason = _reason(work, ended, size)
    work.schedule.failures[ended.id] = reason
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
