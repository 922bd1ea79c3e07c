"""The built-in task types keep the rules that a third party's must keep."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from usmt.testing import check_task_type
from usmt_classification import Classification, ClassificationTaskType
from usmt_detection import Detection, DetectionTaskType
from usmt_regression import Landmarks, RegressionTaskType
from usmt_segmentation import Segmentation, SegmentationOptions, SegmentationTaskType

SIZE, OTHER = (24, 32), (30, 20)


def test_classification():
    def wrong(label: int, size: tuple[int, int]) -> Classification:
        return Classification(np.eye(3)[(label + 1) % 3])

    check_task_type(
        ClassificationTaskType,
        {"classes": ["normal", "benign", "malignant"]},
        labels=[(0, SIZE), (1, OTHER), (2, SIZE)],
        bad_labels=[(3, SIZE), (-1, SIZE), (1.5, SIZE), ("benign", SIZE), (None, SIZE)],
        ideal=lambda target: 50.0 * F.one_hot(target["class"], 3),
        wrong=wrong,
        # Each class is given to one image of another class, so that it beats one of the two others.
        worst={"auc": 1 / 4, "f1": 0, "f1_weighted": 0, "mcc": -1 / 2, "accuracy": 0},
        placed=False,
    )


def test_regression():
    check_task_type(
        RegressionTaskType,
        {
            "points": ["inner", "outer"],
            "measurements": {"length": {"kind": "distance", "points": ["inner", "outer"]}},
        },
        labels=[
            ([[0, 0], [20, 10]], SIZE),
            ([[31.5, 3], [20, 19]], SIZE),
            ([[5, 29], [19, 2]], OTHER),
        ],
        bad_labels=[([[0, 0], [40, 10]], SIZE), ([[0, 0]], SIZE), ([[np.nan, 0], [1, 1]], SIZE)],
        ideal=lambda target: target["points"],
        wrong=lambda label, size: Landmarks(np.add(label, [0, 1000.0]), size),
        worst={"mre": 1000},
    )


def test_detection():
    def ideal(target: dict[str, Tensor]) -> dict[str, Tensor]:
        score = torch.full((3, 5), -9.0)
        x, y = target["box"][:2]
        score[int((3 * y).clamp(0, 2)), int((5 * x).clamp(0, 4))] = 9
        return {"score": score, "box": target["box"][:, None, None].expand(4, 3, 5)}

    check_task_type(
        DetectionTaskType,
        {"target": "nodule", "measurements": {"width": {"kind": "width"}}},
        labels=[([3, 4, 20, 10], SIZE), ([0, 0, 32, 24], SIZE), ([10, 3, 20, 29], OTHER)],
        bad_labels=[([3, 4, 3, 10], SIZE), ([3, 4, 50, 10], SIZE), ([3, 4, 5], SIZE)],
        ideal=ideal,
        wrong=lambda label, size: Detection(np.zeros(4), 1.0),
        worst={"iou": 0, "hit50": 0},
    )


def test_segmentation():
    masks = np.random.default_rng(0).integers(0, 3, (3, 30, 32), dtype=np.uint8)

    check_task_type(
        SegmentationTaskType,
        {
            "classes": ["background", "head", "symphysis"],
            "measurements": {"area": {"kind": "area", "class": "head"}},
        },
        labels=[(masks[0, :24], SIZE), (masks[1, :24], SIZE), (masks[2, :, :20], OTHER)],
        bad_labels=[
            (np.full(SIZE, 3, np.uint8), SIZE),
            (masks[0], SIZE),
            (masks[0, :24].astype(float) + 0.5, SIZE),
        ],
        ideal=lambda target: torch.stack([9.0 * (target["mask"] == k) for k in range(3)]),
        wrong=lambda label, size: Segmentation(((label + 1) % 3).astype(np.uint8)),
        worst={"dsc": 0},
        options=SegmentationOptions(fusion_channels=16, intermediate_channels=[16] * 4),
    )
