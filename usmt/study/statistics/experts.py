"""What a mixture of experts adds over all tasks: to each paradigm, and to the gain of grouping."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from usmt.study.findings import MeanChange
from usmt.study.results import StudyResults
from usmt.study.statistics.comparison import Pair
from usmt.study.statistics.contrast import NO_CHANGE, Contrast, Terms, contrast
from usmt.study.statistics.means import mean_change


@dataclass(frozen=True, eq=False)
class Interaction(Pair):
    """How much more an arm gains on its reference with experts than without.

    Attributes:
        both: the pair with experts, of which the names and cells are, and the one without.
    """

    both: tuple[Pair, Pair]

    @classmethod
    def of(cls, experts: Pair, dense: Pair) -> Interaction:
        names = (experts.task, experts.metric, experts.arm, experts.reference, experts.fraction)
        return cls(*names, experts.cells, (experts, dense))

    def terms(self, own: float, reference: float) -> Terms:
        experts, dense = self.both
        return _together(experts.terms(own, reference), dense.terms(-own, -reference))

    def relative_terms(self) -> Terms:
        experts, dense = self.both
        return _together(
            experts.relative_terms(), [(-c, cell) for c, cell in dense.relative_terms()]
        )

    @cached_property
    def relative(self) -> Contrast:
        """Difference of the two relative changes."""
        if self.same_network:
            return NO_CHANGE
        experts, dense = (pair.relative.value for pair in self.both)
        return replace(contrast(self.relative_terms()), value=experts - dense)


def _together(some: Terms, others: Terms) -> Terms:
    return (*some, *others) if some and others else ()


def expert_means(pairs: Sequence[Pair], results: StudyResults) -> Iterator[MeanChange]:
    """From the pairs of each paradigm with a mixture of experts and without."""
    paradigms = {arm.name: arm.paradigm for arm in results.arms}
    at = {(paradigms[pair.arm], pair.task, pair.fraction): pair for pair in pairs}
    families: dict[tuple[str, float, str], list[Pair]] = {}
    for (paradigm, task, fraction), pair in at.items():
        families.setdefault(("mixture of experts", fraction, paradigm), []).append(pair)
        alone = at.get(("ts", task, fraction))
        if alone is not None and alone is not pair:
            gain = Interaction.of(*(_between(pair, alone, side) for side in (0, 1)))
            families.setdefault(("grouping x experts", fraction, paradigm), []).append(gain)
    for (kind, _, paradigm), family in families.items():
        known = [pair for pair in family if math.isfinite(pair.better)]
        if known:
            yield mean_change(kind, paradigm, known, results)


def _between(pair: Pair, alone: Pair, side: int) -> Pair:
    """Grouping against training alone: side 0 with experts, 1 without."""
    names = [(each.arm, each.reference)[side] for each in (pair, alone)]
    cells = (pair.cells[side], alone.cells[side])
    return Pair(pair.task, pair.metric, names[0], names[1], pair.fraction, cells)
