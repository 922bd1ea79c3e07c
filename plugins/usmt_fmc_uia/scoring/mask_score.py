"""One image's mask beside its label, as the published scorer reads both and as usmt does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usmt import DataError, metrics, read_mask
from usmt_fmc_uia.scoring.challenge_task import filled
from usmt_fmc_uia.scoring.task_score import HEADLINES, SAMPLES, Remark, again_remark
from usmt_fmc_uia.tables import Row

METRICS = HEADLINES["segmentation"]
ALL = (*METRICS, SAMPLES)
LEFT_OUT = "left out by the official scorer; strict: DSC 0, and as HD the image's diagonal"

MISSING = Remark("mask is missing", "masks are missing", LEFT_OUT, ALL)
UNREADABLE = Remark("mask cannot be read", "masks cannot be read", LEFT_OUT, ALL)
DOUBTFUL = Remark(
    "mask is damaged or no grey PNG of 8 bits",
    "masks are damaged or no grey PNGs of 8 bits",
    "the official scorer makes something of it; strict: it is missing",
    METRICS,
)
OTHERWISE = Remark(
    "mask or label has a palette",
    "masks or labels have a palette",
    "the official scorer takes the grey values of the colours; strict: the indexes count",
    METRICS,
)
OTHER_SIZE = Remark(
    "mask has another size than its label",
    "masks have another size than their labels",
    "stretched by the official scorer; strict: missing",
    METRICS,
)
AGAIN = again_remark("segmentation")
LABEL = Remark(
    "label mask cannot be used",
    "label masks cannot be used",
    "an error of the data; left out of strict, and of official where it is unreadable",
    ALL,
)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Of one image, class by class: DSC, HD, and whether label or prediction hold the class."""

    dsc: tuple[float, ...]
    hd: tuple[float, ...]
    present: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class MaskScore:
    """Of one row; None where it is not counted."""

    row: Row
    official: ClassScores | None
    strict: ClassScores | None
    remark: Remark | None = None


def score_mask(csv_files: Path, folder: Path, row: Row, classes: int, again: bool) -> MaskScore:
    """Scores the mask in `folder` that answers a row.

    Args:
        again: whether another row named the image before.
    """
    name = filled(row, "mask_path")
    if name is None:
        return MaskScore(row, None, None, LABEL)
    # As text, not as the file system would follow it: so does the published scorer.
    label_path = Path(os.path.normpath(csv_files / name))
    path = folder / name.replace("../", "")
    grey, grey_label = _grey(path), _grey(label_path)
    official = None
    if grey is not None and grey_label is not None:
        official = _compare(_stretched(grey, grey_label.shape), grey_label, classes)
    label = _class_numbers(label_path, classes)
    if label is None or label.max() >= classes:
        return MaskScore(row, official, None, LABEL)
    if again:
        return MaskScore(row, official, None, AGAIN)
    mask = _class_numbers(path, classes)
    if mask is None or mask.shape != label.shape:
        remark = MISSING if not path.exists() else UNREADABLE if grey is None else DOUBTFUL
        remark = OTHER_SIZE if mask is not None else remark
        return MaskScore(row, official, _worst(label, classes), remark)
    if _same(mask, grey) and _same(label, grey_label):
        return MaskScore(row, official, official)
    return MaskScore(row, official, _compare(mask, label, classes), OTHERWISE)


def _grey(path: Path) -> np.ndarray | None:
    """The grey values that the published scorer reads; None if it cannot."""
    import cv2

    if not path.is_file():
        return None
    pixels: np.ndarray | None = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return pixels


def _stretched(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    import cv2

    if mask.shape == shape:
        return mask
    return np.asarray(cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST))


def _class_numbers(path: Path, classes: int) -> np.ndarray | None:
    """As usmt reads a mask; None if it is not clear what its numbers are."""
    try:
        return read_mask(path, classes)
    except DataError:
        return None


def _same(a: np.ndarray, b: np.ndarray | None) -> bool:
    return b is not None and np.array_equal(a, b)


def _compare(mask: np.ndarray, label: np.ndarray, classes: int) -> ClassScores:
    pairs = [(mask == c, label == c) for c in range(classes)]
    return ClassScores(
        tuple(metrics.dice(*pair) for pair in pairs),
        tuple(metrics.hausdorff(*pair) for pair in pairs),
        tuple(bool(a.any() or b.any()) for a, b in pairs),
    )


def _worst(label: np.ndarray, classes: int) -> ClassScores:
    """As if nothing had been predicted. Classes that the label does not hold are absent."""
    diagonal = float(np.hypot(*label.shape))
    present = tuple(bool((label == c).any()) for c in range(classes))
    return ClassScores((0.0,) * classes, (diagonal,) * classes, present)
