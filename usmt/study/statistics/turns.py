"""Where training with others turns from harm to gain as the training data grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from usmt.study.findings import Turn
from usmt.study.results import StudyResults
from usmt.study.statistics.comparison import Pair
from usmt.study.statistics.contrast import contrast


def turn(pairs: Sequence[Pair], results: StudyResults) -> Turn | None:
    """Of one task and arm at several fractions; None for less than two with an effect."""
    images = {task.id: task.training_images for task in results.tasks}[pairs[0].task]
    known = [
        (math.log2(images[pair.fraction]), pair)
        for pair in sorted(pairs, key=lambda pair: pair.fraction)
        if images.get(pair.fraction, 0) > 0 and math.isfinite(pair.effect.value)
    ]
    doublings = np.array([x for x, _ in known])
    if len(known) < 2 or np.ptp(doublings) == 0 or all(pair.same_network for _, pair in known):
        return None
    centred = doublings - doublings.mean()
    weights = centred / (centred**2).sum()  # of least squares
    terms = [
        (float(weight) * coefficient, cell)
        for weight, (_, pair) in zip(weights, known, strict=True)
        for coefficient, cell in pair.effect_terms()
    ]
    crossing, direction = _crossing([(x, pair.effect.value) for x, pair in known])
    return Turn(
        task=pairs[0].task,
        arm=pairs[0].arm,
        slope=contrast(terms).interval(results.confidence),
        turns_at=None if crossing is None else 2**crossing,
        direction=direction,
    )


def _crossing(
    points: Sequence[tuple[float, float]],
) -> tuple[float | None, Literal["harm to gain", "gain to harm", "none"]]:
    """The last place where the line through the points changes its sign for good."""
    before = next((effect for _, effect in points if effect), 0.0)
    after = next((effect for _, effect in reversed(points) if effect), 0.0)
    if before * after >= 0:
        return None, "none"
    at = None
    for (x, effect), (further, later) in pairwise(points):
        if effect * after <= 0 < later * after:
            at = x + (further - x) * effect / (effect - later)
    return at, "harm to gain" if after > 0 else "gain to harm"
