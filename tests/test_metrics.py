"""The metrics against other libraries, loops and what can be counted by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score
from torchvision.ops import box_iou

from usmt import metrics


def test_the_metrics_are_public_and_load_nothing_slow():
    code = (
        "import sys, usmt; usmt.metrics.dice; "
        "print(sorted({'torch', 'cv2', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- masks


@st.composite
def mask_pairs(draw: st.DrawFn, sides: st.SearchStrategy[int]) -> tuple[np.ndarray, np.ndarray]:
    """Boolean masks of one size, neither empty: scattered pixels, blocks, or all but those."""
    shape = draw(st.tuples(sides, sides))
    return _mask(draw, shape), _mask(draw, shape)


def _mask(draw: st.DrawFn, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for _ in range(draw(st.integers(0, 3))):
        top, left = (draw(st.integers(0, side - 1)) for side in shape)
        height, width = (draw(st.integers(1, side)) for side in shape)
        mask[top : top + height, left : left + width] ^= True
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mask ^= rng.random(shape) < draw(st.sampled_from([0, 0.001, 0.05, 0.5]))
    mask.flat[draw(st.integers(0, mask.size - 1))] = True
    return mask


def itk_hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    distance = SimpleITK.HausdorffDistanceImageFilter()
    distance.Execute(*(SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in (a, b)))
    return float(distance.GetHausdorffDistance())


@given(pair=mask_pairs(st.integers(1, 12)) | mask_pairs(st.integers(1, 150)))
@settings(max_examples=300, deadline=None)
def test_hausdorff_equals_simpleitk(pair):
    assert metrics.hausdorff(*pair) == pytest.approx(itk_hausdorff(*pair), abs=1e-9, rel=0)


@given(pair=mask_pairs(st.sampled_from([1, 2, 3, 500, 1500, 3000])), turned=st.booleans())
@settings(max_examples=60, deadline=None)
def test_hausdorff_is_exact_far_apart(pair, turned):
    """OpenCV's distances are wrong in thin images from 885 pixels on, elsewhere from 2048."""
    thin = [mask[:, :3] for mask in pair] if turned else [mask[:3] for mask in pair]
    for mask in thin:
        mask[0, 0] = True
    assert metrics.hausdorff(*thin) == pytest.approx(itk_hausdorff(*thin), abs=1e-9, rel=0)


@pytest.mark.parametrize("shape", [(1457, 2), (2, 1531), (2100, 2600)])
def test_hausdorff_of_two_corners(shape):
    a, b = np.zeros(shape, bool), np.zeros(shape, bool)
    a[0, 0] = b[0, 0] = b[-1, -1] = True
    assert metrics.hausdorff(a, b) == math.hypot(shape[0] - 1, shape[1] - 1)
    assert metrics.hausdorff(b, a) == metrics.hausdorff(a, b)


@pytest.mark.parametrize("away", [31, 32, 33, 40, 127, 128, 129])
def test_hausdorff_sees_what_lies_just_outside_its_first_look(away):
    """One pixel has a far one in a corner, and a nearer one straight ahead."""
    a, b = np.zeros((400, 400), bool), np.zeros((400, 400), bool)
    a[200, 200] = b[200 + away, 200 + away] = b[200, 200 + away + 1] = True
    assert metrics.hausdorff(a, b) == math.hypot(away, away)  # of the corner, to the pixel
    assert metrics.hausdorff(a, b | a) == math.hypot(away, away)
    corner = np.zeros_like(a)
    corner[200 + away, 200 + away] = True
    assert metrics.hausdorff(a | corner, b) == away + 1


@given(pair=mask_pairs(st.integers(1, 40)))
@settings(max_examples=100, deadline=None)
def test_dice_equals_simpleitk(pair):
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in pair))
    assert metrics.dice(*pair) == pytest.approx(overlap.GetDiceCoefficient(1), abs=1e-12)


def test_empty_masks():
    empty, dot = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    dot[3, 5] = True
    for a, b, dice, hausdorff in ((empty, empty, 1, 0), (empty, dot, 0, 50), (dot, empty, 0, 50)):
        assert (metrics.dice(a, b), metrics.hausdorff(a, b)) == (dice, hausdorff)


# -- classes

classes = arrays(np.int64, st.integers(2, 30).map(lambda n: (2, n)), elements=st.integers(0, 4))


@given(pair=classes)
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore:The number of unique classes", "ignore:A single label")
def test_class_scores_equal_scikit_learn(pair):
    predicted, labels = pair
    occur = np.union1d(predicted, labels)
    each = [
        2 * np.sum((predicted == c) & (labels == c)) / np.sum([predicted == c, labels == c])
        for c in occur
    ]
    assert metrics.f1(predicted, labels) == pytest.approx(each)
    assert metrics.f1_macro(predicted, labels) == pytest.approx(np.mean(each))
    weights = [np.sum(labels == c) for c in occur]
    assert metrics.f1_weighted(predicted, labels) == pytest.approx(
        np.average(each, weights=weights)
    )
    assert metrics.mcc(predicted, labels) == matthews_corrcoef(labels, predicted)
    assert metrics.accuracy(predicted, labels) == np.mean(
        [p == t for p, t in zip(*pair, strict=True)]
    )


def test_f1_over_chosen_classes():
    """4 is no class: its two predictions are wrong, and take no part in the mean."""
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 4, 1, 4])
    assert metrics.f1(predicted, labels, [0, 1]) == pytest.approx([2 / 3, 2 / 3])
    assert metrics.f1_macro(predicted, labels, [0, 1]) == pytest.approx(2 / 3)
    assert metrics.f1_macro(predicted, labels) == pytest.approx(4 / 9)
    expected = f1_score(labels, predicted, labels=[0, 1], average="weighted")
    assert metrics.f1_weighted(predicted, labels, [0, 1]) == pytest.approx(expected)


def pair_order(scores: np.ndarray, positive: np.ndarray) -> float:
    """AUC by its definition: the share of pairs that are in order, ties counting half."""
    pairs = [(p, n) for p in scores[positive] for n in scores[~positive]]
    return float(np.mean([(p > n) + (p == n) / 2 for p, n in pairs]))


@given(count=st.integers(2, 5), seed=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_auc_is_the_share_of_pairs_in_order(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, count, 20)
    probabilities = rng.dirichlet(np.ones(count), 20).round(1)
    present = np.unique(labels)
    found = metrics.auc(probabilities, labels)
    if len(present) < 2:
        assert math.isnan(found)
    elif count == 2:
        assert found == pytest.approx(pair_order(probabilities[:, 1], labels == 1))
    else:
        each = [pair_order(probabilities[:, c], labels == c) for c in present]
        assert found == pytest.approx(np.mean(each))


def test_auc_without_a_class_is_that_of_the_others():
    labels = np.array([0, 1, 0, 1])
    probabilities = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.3, 0.2, 0.5], [0.1, 0.7, 0.2]])
    with pytest.raises(ValueError, match="Number of classes"):
        roc_auc_score(labels, probabilities, multi_class="ovr")
    assert metrics.auc(probabilities, labels) == pytest.approx((3 / 4 + 1) / 2)


# -- boxes and points

corners = st.floats(0, 50).map(lambda x: round(x, 2))
boxes = arrays(np.float64, (3, 4), elements=corners).map(
    lambda b: np.concatenate([np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:])], 1)
)


@given(a=boxes, b=boxes)
@settings(max_examples=100, deadline=None)
def test_iou_equals_torchvision(a, b):
    expected = box_iou(torch.from_numpy(a), torch.from_numpy(b)).nan_to_num(0).numpy()
    assert metrics.iou(a[:, None], b[None]) == pytest.approx(expected)
    assert metrics.iou(a[0], b) == pytest.approx(expected[0])
    assert float(metrics.iou(a[0], b[0])) == pytest.approx(expected[0, 0])


def test_an_inverted_box_overlaps_with_nothing():
    box, inverted = np.array([0, 0, 10, 10]), np.array([8, 2, 3, 9])
    assert metrics.iou(inverted, box) == 0 and metrics.iou(inverted, inverted) == 0


def test_mean_radial_error():
    points, truth = np.array([[3.0, 4.0], [10.0, 0.0]]), np.array([[0, 0], [10, 12]])
    assert metrics.mean_radial_error(points, truth) == (5 + 12) / 2
