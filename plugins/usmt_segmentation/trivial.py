"""The best mask that is the same for every image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from usmt import Size
from usmt_segmentation.task_type import Segmentation

SIDE = 64
"""Masks are compared stretched to SIDE x SIDE."""


def best_constant_mask(masks: Sequence[np.ndarray], classes: int) -> Callable[[Size], Segmentation]:
    """For each class, the pixels that hold it in more than a share of the masks, the share chosen
    for the highest mean Dice; where classes meet, the more frequent one. A class of which too
    little is left to be better than nothing is left out."""
    small = np.stack(
        [cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT) for mask in masks]
    )
    constant = np.zeros((SIDE, SIDE), np.uint8)
    highest = np.zeros((SIDE, SIDE))
    for k in range(1, classes):
        held = small == k
        frequency = held.mean(axis=0)
        chosen = frequency > _best_threshold(held, frequency)
        won = chosen & (frequency > highest)
        constant[won] = k
        highest[won] = frequency[won]
    for k in range(1, classes):
        held, left = small == k, constant == k
        if _mean_dice(held, left) < _mean_dice(held, np.zeros_like(left)):
            constant[left] = 0
    return lambda size: Segmentation(
        cv2.resize(constant, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    )


def _best_threshold(held: np.ndarray, frequency: np.ndarray) -> float:
    """Of masks (n, SIDE, SIDE); 1 (nothing is chosen) if that is the best."""
    thresholds = np.linspace(0, 1, 21)
    return float(max(thresholds, key=lambda threshold: _mean_dice(held, frequency > threshold)))


def _mean_dice(held: np.ndarray, chosen: np.ndarray) -> float:
    """Of masks (n, SIDE, SIDE), each with the same one (SIDE, SIDE)."""
    sizes = held.sum(axis=(1, 2)) + chosen.sum()
    shared = (held & chosen).sum(axis=(1, 2))
    return float(np.where(sizes > 0, 2 * shared / np.maximum(sizes, 1), 1.0).mean())
