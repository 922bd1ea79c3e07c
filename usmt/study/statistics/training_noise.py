"""How much a score changes when nothing but the seed of its training does.

Two or three seeds tell that badly. All tasks and arms of a study together tell how large it is in
general and how much it differs between them, and each is judged by both: the moderated variances of
Smyth (Stat. Appl. Genet. Mol. Biol. 3 (2004) 3), with less trust in what is common.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST = 12.0
"""Degrees of freedom that others lend at most: their likeness is itself an estimate."""
FEWEST = 6
"""Networks from which something in common is estimated."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance from seed to seed of one run's score, and the degrees of freedom behind it."""

    variance: float
    freedom: float

    @classmethod
    def of(cls, scores: np.ndarray) -> Noise | None:
        """Of the scores of at least two seeds."""
        if len(scores) < 2 or not np.isfinite(scores).all():
            return None
        return cls(float(scores.var(ddof=1)), len(scores) - 1)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is common to all: a variance in units of each task's scale, and its freedom."""

    variance: float
    freedom: float

    @classmethod
    def of(cls, seen: Sequence[tuple[float, float]]) -> Prior:
        """From the variances of independent networks, in units of their tasks' scales, and their
        degrees of freedom; without freedom where there are too few."""
        from scipy.special import digamma, polygamma

        if len(seen) < FEWEST:
            return cls(0.0, 0.0)
        ratio, freedom = np.array(seen).T
        logs = np.log(ratio) - digamma(freedom / 2) + np.log(freedom / 2)
        spread = float(logs.var(ddof=1) - polygamma(1, freedom / 2).mean())
        shared = min(MOST, 2 * _inverse_trigamma(spread)) if spread > 0 else MOST
        level = float(logs.mean() + digamma(shared / 2) - np.log(shared / 2))
        return cls(math.exp(level), shared)

    def inform(self, noise: Noise | None, scale: float) -> Noise | None:
        """A noise that knows of the others; one that was not seen has only them."""
        if self.freedom == 0 or not (math.isfinite(scale) and scale > 0):
            return noise
        common = self.variance * scale
        if noise is None:
            return Noise(common, self.freedom)
        freedom = self.freedom + noise.freedom
        together = self.freedom * common + noise.freedom * noise.variance
        return Noise(together / freedom, freedom)


def _inverse_trigamma(value: float) -> float:
    """x > 0 with trigamma(x) = value, by bisection over its logarithm."""
    from scipy.special import polygamma

    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if polygamma(1, math.exp(middle)) > value:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
