"""Test images resampled by source: the weights of a Bayesian bootstrap, and their corrections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from usmt.study.results import MetricScores

BLOCK = 4_000_000
"""Weights that are held at a time: 32 MB."""


@dataclass(frozen=True, slots=True)
class Population:
    """Tasks that share sources, directly or through others: their samples are drawn together."""

    sources: np.ndarray
    scores: Sequence[MetricScores]

    def samples(self, resamples: int, number: int) -> Iterator[np.ndarray]:
        """Weights of the sources in blocks of (r, n), `resamples` rows in all.

        Standard exponential draws: a metric divides by the sum of its own images' weights, so for
        each task they are a Bayesian bootstrap of its sources, whichever it shares with others.
        Unlike whole counts they never leave a class without images.
        """
        most = max((len(scores.sources) for scores in self.scores), default=1)
        size = max(1, BLOCK // max(most, len(self.sources), 1))
        rng = np.random.default_rng([2026, number])
        for start in range(0, resamples, size):
            yield rng.standard_exponential((min(size, resamples - start), len(self.sources)))


def populations(scores: Sequence[MetricScores]) -> list[Population]:
    """The scores by population, in the order of their first tasks."""
    joined: list[tuple[set[str], list[MetricScores]]] = []
    for one in scores:
        sources, members = set(map(str, one.sources)), [one]
        apart = []
        for other in joined:
            if other[0].isdisjoint(sources):
                apart.append(other)
            else:
                sources |= other[0]
                members = [*other[1], *members]
        joined = [*apart, (sources, members)]
    return [Population(np.array(sorted(names), str), members) for names, members in joined]


@dataclass(frozen=True, slots=True)
class Clusters:
    """What the sizes of a task's sources do to the spread of its samples.

    Attributes:
        number: of sources.
        correction: of the bootstrap's variance, which is too small where sources are few; exact for
            a mean metric whose noise is the source's. NaN for one source.
        freedom: degrees of freedom of the corrected variance; sources of unequal sizes count less.
        tail_freedom: for its far tails, halfway to those of noise that is all the source's.
    """

    number: int
    correction: float
    freedom: float
    tail_freedom: float

    @classmethod
    def of(cls, sources: np.ndarray) -> Clusters:
        sizes = np.unique(sources, return_counts=True)[1]
        if len(sizes) < 2:
            return cls(len(sizes), *[float("nan")] * 3)
        share = sizes / sizes.sum()
        squares, cubes = float((share**2).sum()), float((share**3).sum())
        lost = 1 - 2 * cubes / squares + squares  # of the variance, in squared residuals
        freedom = 1 / squares - 1
        fewest = max(1.0, squares**2 / float((share**4).sum()) - 1)
        return cls(len(sizes), (1 + squares) / lost, freedom, (freedom + fewest) / 2)
