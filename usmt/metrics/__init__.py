"""The metrics of ultrasound tasks, one implementation of each: pure functions on numpy arrays.

Everything that scores calls these: the task types in training and `usmt evaluate`, the challenge's
scorer, and plugins (`from usmt import metrics`). This module imports nothing that is slow to load.
"""

from __future__ import annotations

from usmt.metrics.boxes import iou
from usmt.metrics.classes import accuracy, auc, f1, f1_macro, f1_weighted, mcc
from usmt.metrics.masks import dice, hausdorff
from usmt.metrics.points import mean_radial_error

__all__ = [
    "accuracy",
    "auc",
    "dice",
    "f1",
    "f1_macro",
    "f1_weighted",
    "hausdorff",
    "iou",
    "mcc",
    "mean_radial_error",
]
