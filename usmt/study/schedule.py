"""How a study stands, and which of its jobs may be started next.

Order: the search of every network, then its other seeds; once every run has come to its end, and
only then, the chosen runs are scored on the test side.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Literal

from usmt.study.folder import TEST, StudyFolder
from usmt.study.plan import Plan, PlannedRun, Unit
from usmt.study.search import Search
from usmt.study.spec import StudySpec
from usmt.study.state import new_epochs, read_state, validation

Over = Literal["finished", "pruned", "failed", "lost"]
"""`failed` by an error of its own, which counts in a search (a rate that is too high, say); `lost`
by what happened to its process: the search waits for it to be tried again."""


@dataclass
class Schedule:
    """What is done of a study, and what is left. It starts nothing.

    Attributes:
        over: what became of the runs that have come to their end, in this call if they failed.
        scored: the runs that were scored on the test side.
        factors: of the learning rates, by run, as far as they are known.
        chosen: id of the run that the search chose, by unit.
        failures: jobs that failed in this call, and why.
    """

    folder: StudyFolder
    study: StudySpec
    plan: Plan
    over: dict[str, Over] = field(default_factory=dict)
    scored: set[str] = field(default_factory=set)
    factors: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    _searches: dict[str, Search] = field(default_factory=dict)

    def recall(self) -> None:
        """Takes up what earlier calls have done."""
        state = read_state(self.folder, self.study, self.plan)
        self.chosen = dict(state.chosen)
        for each in state.runs:
            run = each.run
            if each.factor is not None:
                self.factors[run.id] = each.factor
            if each.state == "scored":
                self.scored.add(run.id)
            target = self.folder.run(run.id)
            if target.finished:
                self.over[run.id] = "finished"
            elif each.state == "pruned":
                self.over[run.id] = "pruned"
            if run.trial is not None and run.id in self.over:
                search = self.search(run.unit)
                search.ask(run.trial, each.factor)
                for epoch, selection in new_epochs(target, 0):
                    search.report(run.trial, epoch, selection)
                search.tell(run.trial, validation(target) if target.finished else None)

    def ready(self, running: Container[str]) -> Iterator[str]:
        """Jobs that may start now: the longest first, so that none is left to run alone at the
        end."""
        waiting = False
        for unit in sorted(self.plan.units, key=_length, reverse=True):
            for run in self._open(unit):
                waiting = True
                if run.id not in running:
                    yield run.id
        if waiting:
            return
        for unit in self.plan.units:
            for run in self.plan.final_runs(unit, self.chosen):
                job = run.id + TEST
                if self.over.get(run.id) != "finished" or run.id in self.scored:
                    continue
                if job not in running and job not in self.failures:
                    yield job

    def factor(self, run: PlannedRun) -> float:
        """Of the learning rates of a run that starts: it may be what its search tries next."""
        factor = self.factors.get(run.id, run.factor)
        if run.trial is not None:
            factor = self.search(run.unit).ask(run.trial, factor)
        elif factor is None:
            factor = self.factors[self.chosen[run.unit.name]]
        self.factors[run.id] = factor
        return factor

    def search(self, unit: Unit) -> Search:
        if unit.name not in self._searches:
            self._searches[unit.name] = Search(self.study.learning_rate, self.study.seeds[0])
        return self._searches[unit.name]

    def _open(self, unit: Unit) -> Iterator[PlannedRun]:
        """The runs of a unit that are not over, as far as it is known which they are."""
        runs = self.plan.runs_of(unit)
        trials = [run for run in runs if run.trial is not None]
        if trials and unit.name not in self.chosen:
            left = [run for run in trials if run.id not in self.over]
            yield from left
            lost = any(self.over.get(run.id) == "lost" for run in trials)
            if left or lost or not self._choose(unit, trials):
                return
        yield from (run for run in runs if run.trial is None and run.id not in self.over)

    def _choose(self, unit: Unit, trials: list[PlannedRun]) -> bool:
        """Settles which trial was the best, for good: test data must not change it. False if none
        came to its end."""
        best = self.search(unit).best()
        if best is None:
            return False
        chosen = next(run for run in trials if run.trial == best)
        self.chosen[unit.name] = chosen.id
        factor = self.factors[chosen.id]
        self.folder.journal.append("chosen", unit.name, run=chosen.id, factor=factor)
        return True


def _length(unit: Unit) -> float:
    return len(unit.tasks) * unit.fraction
