"""Sums of scores with their uncertainty: differences, relative changes, means, slopes alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter

import numpy as np

from usmt.study.findings import Interval
from usmt.study.statistics.cells import ROUNDING, Cell, seed_by_image

NAN = float("nan")
TINY = 1e-300
Terms = Sequence[tuple[float, Cell]]
"""Coefficients and the cells that they multiply."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A sum of scores.

    Attributes:
        images: its variance over the sources of the test images, and degrees of freedom: those of
            an interval, and the fewer that its far tails have.
        seeds: its variance over seeds, the part below included; (0, inf) where it is not known.
        both: the part of the variance over seeds that is in the one over images already.
        scale: variance that the unit of the value adds, where that is an estimate itself.
        exact: whether the value holds whatever is measured.
    """

    value: float
    images: tuple[float, float, float]
    seeds: tuple[float, float]
    both: float
    scale: float = 0.0
    exact: bool = False

    @property
    def variance(self) -> float:
        return self.images[0] + max(0.0, self.seeds[0] - self.both) + self.scale

    @property
    def freedom(self) -> float:
        """By Satterthwaite."""
        parts = self.images[0] ** 2 / self.images[1]
        if self.seeds[0] > self.both:
            parts += self.seeds[0] ** 2 / self.seeds[1]
        return self.variance**2 / parts if parts > 0 else NAN

    def widened(self, scale: float) -> Contrast:
        """With the uncertainty of its unit."""
        return replace(self, scale=scale)

    @property
    def known(self) -> bool:
        """Whether there is anything to judge it by."""
        return math.isfinite(self.value) and self.variance > 0 and self.freedom > 0

    def interval(self, confidence: float) -> Interval:
        if self.exact:
            return Interval(self.value, self.value, self.value)
        if not self.known:
            return Interval(self.value, NAN, NAN)
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * math.sqrt(self.variance)
        return Interval(self.value, self.value - half, self.value + half)

    def p(self) -> float:
        """Two-sided, of a true value of 0.

        Corrected for many tasks it is compared with a thousandth, and there the tails of the
        interval's t distribution are too light: a variance of two seeds may be a hundred times
        too small. So the true variances are drawn, given those that were seen.
        """
        if not self.known:
            return NAN
        from scipy.special import ndtr, stdtr

        if self.seeds[0] == 0:
            distance = abs(self.value) / math.sqrt(self.variance)
            return float(2 * stdtr(self.images[2], -distance))
        over_images = self.images[0] * _inflations(self.images[2], 0)
        over_seeds = self.seeds[0] * _inflations(self.seeds[1], 1)
        variance = np.maximum(over_images + np.maximum(0, over_seeds - self.both), TINY)
        return float(np.mean(2 * ndtr(-abs(self.value) / np.sqrt(variance))))


UNKNOWN = Contrast(NAN, (NAN, NAN, NAN), (0.0, math.inf), 0.0)
NO_CHANGE = Contrast(0.0, (0.0, math.inf, math.inf), (0.0, math.inf), 0.0, exact=True)


@cache
def _even(count: int = 2048) -> np.ndarray:
    """(2, count) points spread evenly over the unit square."""
    at = np.arange(count)
    return np.stack([(at + 0.5) / count, (at * (math.sqrt(5) - 1) / 2 + 0.25) % 1])


def _inflations(freedom: float, axis: int) -> np.ndarray:
    """True over seen variance, drawn given `freedom`."""
    from scipy.special import chdtri

    return freedom / chdtri(freedom, _even()[axis])


def contrast(terms: Terms) -> Contrast:
    """The sum of the terms; those of one network, or with images of one source, go together."""
    if not terms:
        return UNKNOWN
    value = sum(coefficient * cell.score for coefficient, cell in terms)
    return Contrast(value, _over_images(terms), *_over_seeds(terms))


def _over_images(terms: Terms) -> tuple[float, float, float]:
    """Variance and freedom, populations being independent of each other."""
    parts: dict[int, list[tuple[float, Cell]]] = {}
    for coefficient, cell in terms:
        parts.setdefault(cell.population, []).append((coefficient, cell))
    variances = [_spread(part) for part in parts.values()]
    freedom, tail = (
        _together(
            variances, [min(of(cell.clusters) for _, cell in part) for part in parts.values()]
        )
        for of in (attrgetter("freedom"), attrgetter("tail_freedom"))
    )
    return sum(variances), freedom, tail


def _together(variances: Sequence[float], freedoms: Sequence[float]) -> float:
    """Degrees of freedom of a sum of independent variances, by Satterthwaite."""
    loss = sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return sum(variances) ** 2 / loss if loss > 0 else min(freedoms, default=math.inf)


def _over_seeds(terms: Terms) -> tuple[tuple[float, float], float]:
    """Variance and freedom over the seeds of all networks, and what is over images already."""
    networks: dict[str, list[tuple[float, Cell]]] = {}
    for coefficient, cell in terms:
        networks.setdefault(cell.network, []).append((coefficient, cell))
    total = loss = both = 0.0
    for part in networks.values():
        variance, freedom, shared = _of_network(part)
        total, both = total + variance, both + shared
        loss += variance**2 / freedom
    return (total, total**2 / loss if loss > 0 else math.inf), both


def _of_network(part: Terms) -> tuple[float, float, float]:
    coefficient, cell = part[0]
    if len(part) == 1:
        if cell.noise is None:
            return 0.0, math.inf, 0.0
        each = coefficient**2 / len(cell.seeds)
        shared = seed_by_image(cell.moves)
        shared = each * shared if math.isfinite(shared) else 0.0
        return each * cell.noise.variance, cell.noise.freedom, shared
    seeds = set.intersection(*(set(cell.seeds) for _, cell in part))
    if len(seeds) < 2:
        return 0.0, math.inf, 0.0
    at = [[cell.seeds.index(seed) for seed in sorted(seeds)] for _, cell in part]
    scores = sum(c * cell.scores[i] for (c, cell), i in zip(part, at, strict=True))
    moves = sum(c * cell.moves[:, i] for (c, cell), i in zip(part, at, strict=True))
    count = len(seeds)
    return (
        float(np.var(scores, ddof=1)) / count,
        count - 1,
        seed_by_image(np.asarray(moves)) / count,
    )


def _spread(part: Terms) -> float:
    """The variance; samples in which a metric is not defined are left out while they are few. What
    is left where moves cancel is of the arithmetic, and none."""
    moves = np.sum([c * cell.moves.mean(axis=1) for c, cell in part], axis=0)
    defined = moves[np.isfinite(moves)]
    if len(defined) <= len(moves) / 2:
        return NAN
    variance = float(defined.var())
    size = sum(abs(c * cell.score) for c, cell in part)
    return 0.0 if variance < (ROUNDING * size) ** 2 else variance
