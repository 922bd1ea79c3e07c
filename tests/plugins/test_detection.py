"""Detection: focal loss on all cells, Smooth L1 at the centre's, overlap, boxes that find back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contract import (
    FLIPS,
    MOVES,
    NETWORKS,
    SIZES,
    Parts,
    check_selection,
    make_spec,
    mirrored_views,
    random_frame,
    random_maps,
    scores_of,
    targets_of,
    to_network,
    tree_row,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torch.utils._pytree import tree_map
from torchvision.ops import box_iou

from usmt import Frame, TaskTypeOptions
from usmt_detection import Detection, DetectionTaskType

TYPE = DetectionTaskType(TaskTypeOptions())
SPEC = make_spec(DetectionTaskType, target="nodule")
SIZE = (60, 80)


def ordered(a: float, b: float) -> tuple[float, float]:
    return (min(a, b), max(a, b)) if abs(a - b) > 0.02 else (max(a - 0.1, 0), min(a + 0.1, 1))


EDGES = st.builds(ordered, st.floats(0, 1), st.floats(0, 1))
SHARES = st.builds(lambda x, y: np.array([x[0], y[0], x[1], y[1]]), EDGES, EDGES)


def box_at(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return shares * (size[1], size[0], size[1], size[0])


# -- loss


def test_a_target_is_centre_and_size_as_shares_of_the_canvas():
    targets = targets_of(TYPE, SPEC, [[20, 0, 60, 30]], SIZE)
    assert targets["box"].tolist() == [[0.5, 0.25, 0.5, 0.5]]


def test_loss_by_hand():
    """Two rows and three columns; the centre (.9, .3) is in the first row's last cell."""
    target = torch.tensor([[0.9, 0.3, 0.2, 0.4]])
    score = torch.zeros(1, 2, 3)  # probability 1/2
    score[0, 0, 2] = score[0, 1, 1] = math.log(3)  # 3/4, at the centre and at an empty cell
    box = torch.full((1, 4, 2, 3), 7.0)
    box[0, :, 0, 2] = torch.tensor([0.95, 0.3, 0.5, 0.4])
    focal = (
        0.25 * (1 / 4) ** 2 * -math.log(3 / 4)  # the centre
        + 0.75 * (3 / 4) ** 2 * -math.log(1 / 4)  # empty, and thought full
        + 4 * 0.75 * (1 / 2) ** 2 * -math.log(1 / 2)
    )
    smooth_l1 = 0.5 * 0.05**2 / 0.1 + (0.3 - 0.5 * 0.1)  # quadratic below 0.1, then linear
    loss = TYPE.loss(SPEC, {"score": score, "box": box}, {"box": target})
    assert loss.tolist() == pytest.approx([focal + smooth_l1])


def test_every_cell_is_scored_and_only_the_centres_box_counts():
    target = {"box": torch.tensor([[0.3, 0.8, 0.2, 0.2]])}
    score, box = torch.randn(1, 4, 5).requires_grad_(), torch.rand(1, 4, 4, 5).requires_grad_()
    TYPE.loss(SPEC, {"score": score, "box": box}, target).sum().backward()
    centre = torch.zeros(4, 5, dtype=torch.bool)
    centre[3, 1] = True  # .8 of four rows, .3 of five columns
    assert (score.grad[0, centre] < 0).all() and (score.grad[0, ~centre] > 0).all()
    assert box.grad[0, :, centre].all() and not box.grad[0, :, ~centre].any()


@pytest.mark.parametrize(("x", "y", "row", "column"), [(1.0, 1.0, 3, 4), (-0.1, 1.2, 3, 0)])
def test_a_centre_on_or_beyond_the_edge_belongs_to_the_last_cell(x, y, row, column):
    score = torch.zeros(1, 4, 5, requires_grad=True)
    prediction = {"score": score, "box": torch.rand(1, 4, 4, 5)}
    TYPE.loss(SPEC, prediction, {"box": torch.tensor([[x, y, 0.2, 0.2]])}).sum().backward()
    assert (score.grad[0] < 0).nonzero().tolist() == [[row, column]]


def test_at_the_start_boxes_are_centred_on_their_cells_and_few_cells_are_full():
    prediction = Parts(TYPE, SPEC)(random_maps(3))
    assert (prediction["score"].sigmoid() - 0.05).abs().max() < 0.03
    places = (torch.arange(4) + 0.5) / 4
    x, y, width, height = prediction["box"].unbind(dim=1)
    assert (x - places).abs().max() < 0.2 and (y - places[:, None]).abs().max() < 0.2
    assert (width - 0.3).abs().max() < 0.2 and (height - 0.3).abs().max() < 0.2


# -- metrics


@given(result=SHARES, label=SHARES)
@settings(max_examples=150, deadline=None)
def test_overlap_equals_torchvisions(result, label):
    result, label = box_at(result, SIZE), box_at(label, SIZE)
    scores = scores_of(TYPE, SPEC, [(Detection(result, 0.5), label)])
    (expected,) = box_iou(torch.from_numpy(result)[None], torch.from_numpy(label)[None])[0].tolist()
    assert scores["iou"] == pytest.approx(expected)
    assert scores["hit50"] == (expected >= 0.5)


def test_overlaps_by_hand():
    label = [10, 10, 30, 20]
    for box, iou, hit in (
        ([10, 10, 30, 20], 1, 1),
        ([20, 10, 40, 20], 1 / 3, 0),
        ([10, 10, 20, 20], 1 / 2, 1),
        ([30, 10, 50, 20], 0, 0),  # they touch
        ([15, 15, 15, 15], 0, 0),  # empty
    ):
        scores = scores_of(TYPE, SPEC, [(Detection(np.array(box, np.float64), 1.0), label)])
        assert scores == pytest.approx({"iou": iou, "hit50": hit})


def test_selection_score():
    label = np.array([10.0, 10.0, 30.0, 30.0])
    check_selection(
        TYPE, SPEC, *([(Detection(label + by, 0.5), label)] for by in (0, 0.01, 2, 9, 40))
    )


# -- decode


def prediction_of(target: Tensor, cells: tuple[int, int]) -> dict[str, Tensor]:
    """Certain of the target in its centre's cell; boxes anywhere in the others."""
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(cells, generator=generator)
    box = torch.rand(4, *cells, generator=generator)
    row, column = (
        min(int(share * n), n - 1) for share, n in zip((target[1], target[0]), cells, strict=True)
    )
    score[row, column] = 9.0
    box[:, row, column] = target
    return {"score": score, "box": box}


@given(size=SIZES, network=NETWORKS, shares=SHARES, flips=FLIPS)
@settings(max_examples=150, deadline=None)
def test_a_perfect_prediction_decodes_to_the_label(size, network, shares, flips):
    label = box_at(shares, size)
    target, frame = to_network(TYPE, SPEC, label, size, network, **flips)
    result = TYPE.decode(SPEC, prediction_of(target["box"], (4, 6)), frame)
    assert np.abs(result.box - label).max() < 1e-3
    assert result.score == pytest.approx(1 / (1 + math.exp(-9)))


@given(size=SIZES, seed=st.integers(0, 9999))
@settings(max_examples=50, deadline=None)
def test_a_box_is_in_order_and_on_the_image_whatever_is_predicted(size, seed):
    generator = torch.Generator().manual_seed(seed)
    raw = 2 * torch.randn(5, 3, 4, generator=generator)
    frame = Frame.fit(size, (64, 96))
    result = TYPE.decode(SPEC, {"score": raw[0], "box": raw[1:]}, frame)
    x_min, y_min, x_max, y_max = result.box
    assert 0 <= x_min <= x_max <= size[1] and 0 <= y_min <= y_max <= size[0]
    assert 0 <= result.score <= 1


def test_a_negative_side_is_next_to_nothing():
    box = torch.tensor([0.5, 0.5, -0.4, 0.25])[:, None, None]
    frame = Frame.fit((100, 100), (64, 64))
    result = TYPE.decode(SPEC, {"score": torch.zeros(1, 1), "box": box}, frame)
    assert result.box == pytest.approx([49.95, 37.5, 50.05, 62.5])


def test_the_networks_own_prediction_decodes():
    prediction = Parts(TYPE, SPEC)(random_maps(3))
    result = TYPE.decode(SPEC, tree_row(prediction, 2), Frame.fit((64, 64), (64, 64)))
    assert 0 < result.box[2] - result.box[0] < 64 and result.score == pytest.approx(0.05, abs=0.03)


# -- views of one image, and results as plain data


def mirror(prediction: dict[str, Tensor], horizontal: bool, vertical: bool) -> dict[str, Tensor]:
    axes = [-1] * horizontal + [-2] * vertical
    x, y, width, height = prediction["box"].flip(axes)
    box = torch.stack([1 - x if horizontal else x, 1 - y if vertical else y, width, height])
    return {"score": prediction["score"].flip(axes), "box": box}


@given(size=SIZES, network=NETWORKS, shares=SHARES, moves=MOVES)
@settings(max_examples=60, deadline=None)
def test_mirrored_views_join_to_what_the_plain_one_says(size, network, shares, moves):
    target, _ = to_network(TYPE, SPEC, box_at(shares, size), size, network)
    prediction = tree_map(Tensor.double, prediction_of(target["box"], (4, 6)))
    frame = random_frame(size, network, **moves)
    alone = TYPE.decode(SPEC, prediction, frame)
    assume((alone.box[2:] - alone.box[:2]).min() > 1e-3)  # not moved off the image
    joined = TYPE.decode_views(SPEC, mirrored_views(prediction, frame, mirror))
    assert np.abs(joined.box - alone.box).max() < 1e-9
    assert joined.score == pytest.approx(alone.score)


def joined_of(*seen: tuple[list[float], float]) -> Detection:
    """Of views of an image of 100 x 100 pixels, each a box and its score."""
    frame = Frame.fit((100, 100), (100, 100))
    views = []
    for (x_min, y_min, x_max, y_max), score in seen:
        box = [(x_min + x_max) / 2, (y_min + y_max) / 2, x_max - x_min, y_max - y_min]
        logit = torch.tensor([[math.log(score / (1 - score))]], dtype=torch.float64)
        box = torch.tensor(box, dtype=torch.float64)[:, None, None] / 100
        views.append(({"score": logit, "box": box}, frame))
    return TYPE.decode_views(SPEC, views)


def test_boxes_that_agree_are_averaged_by_their_scores():
    joined = joined_of(([10, 10, 30, 30], 0.8), ([14, 10, 34, 30], 0.4))
    assert joined.box == pytest.approx([10 + 4 / 3, 10, 30 + 4 / 3, 30])
    assert joined.score == pytest.approx(0.6)


def test_two_boxes_that_disagree_are_not_averaged():
    """A box between the two would be around nothing. The view that sees none there counts 0."""
    joined = joined_of(([10, 10, 30, 30], 0.4), ([60, 60, 90, 90], 0.8))
    assert joined.box == pytest.approx([60, 60, 90, 90])
    assert joined.score == pytest.approx(0.4)


def test_several_views_that_agree_win_over_one_that_is_surer():
    first, second = ([10, 10, 30, 30], 0.5), ([12, 10, 32, 30], 0.5)
    joined = joined_of(([60, 60, 90, 90], 0.8), first, second)
    assert joined.box == pytest.approx([11, 10, 31, 30])
    assert joined.score == pytest.approx((0.5 + 0.5 + 0) / 3)


def test_a_box_off_the_image_is_joined_too():
    joined = joined_of(([-50, 10, -30, 30], 0.4), ([-50, 10, -30, 30], 0.2))
    assert joined.box == pytest.approx([0, 10, 0, 30])


def test_results_as_data():
    result = Detection(np.array([1.5, 2.0, 3.0, 4.0]), np.float64(0.25))
    expected = {"box": [1.5, 2.0, 3.0, 4.0], "score": 0.25, "target": "nodule"}
    assert TYPE.as_data(SPEC, result) == expected


# -- labels


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ([30, 10, 20, 20], ["the box (30, 10, 20, 20) is inverted or empty"]),
        ([10, 20, 20, 10], ["the box (10, 20, 20, 10) is inverted or empty"]),
        ([10, 10, 10, 20], ["the box (10, 10, 10, 20) is inverted or empty"]),
        ([10, 10, 20, 10], ["the box (10, 10, 20, 10) is inverted or empty"]),
        ([10, 10, 82, 20], ["the box (10, 10, 82, 20) is outside the image of 80 x 60 pixels"]),
        ([10, 10, 20, 62], ["the box (10, 10, 20, 62) is outside the image"]),
        ([-2, 10, 20, 20], ["the box (-2, 10, 20, 20) is outside the image"]),
        ([10, -2, 20, 20], ["the box (10, -2, 20, 20) is outside the image"]),
        (
            [90, 9, 85, 20],
            ["the box (90, 9, 85, 20) is inverted", "the box (90, 9, 85, 20) is out"],
        ),
        ([10, 10, math.nan, 20], ["the box (10, 10, nan, 20) is not finite"]),
        ([10, -math.inf, 20, 20], ["the box (10, -inf, 20, 20) is not finite"]),
        ([10, 10, 20], ["a box of shape (3,), expected (4,)"]),
        ([[10, 10, 20, 20]], ["a box of shape (1, 4), expected (4,)"]),
        (None, ["the box is not an array of four numbers"]),
    ],
)
def test_problems(label, said):
    found = TYPE.problems(SPEC, label, SIZE)
    assert len(found) == len(said)
    assert all(text.startswith(part) for part, text in zip(said, found, strict=True))


@pytest.mark.parametrize("label", [[0, 0, 80, 60], [-1, -1, 81, 61], np.array([5.5, 5.5, 6, 6])])
def test_a_box_may_reach_a_pixel_over_the_edge(label):
    assert TYPE.problems(SPEC, label, SIZE) == []


def test_a_spec_says_what_the_box_is_around():
    with pytest.raises(ValidationError, match="target"):
        make_spec(DetectionTaskType)
    with pytest.raises(ValidationError, match="target"):
        make_spec(DetectionTaskType, target="")


# -- the constant box


@given(many=st.lists(SHARES, min_size=1, max_size=6), sizes=st.lists(SIZES, min_size=6, max_size=6))
@settings(max_examples=50, deadline=None)
def test_the_constant_box_is_no_worse_than_the_mean_or_any_label(many, sizes):
    labels = [(box_at(shares, size), size) for shares, size in zip(many, sizes, strict=False)]
    constant = TYPE.trivial(SPEC, labels)

    def reached(shares: np.ndarray) -> float:
        pairs = [(Detection(box_at(shares, size), 0.5), label) for label, size in labels]
        return scores_of(TYPE, SPEC, pairs)["iou"]

    pairs = [(constant(size), label) for label, size in labels]
    best = scores_of(TYPE, SPEC, pairs)["iou"]
    for other in (np.mean(many, axis=0), np.array([0, 0, 1, 1]), *many):
        assert best >= reached(other) - 1e-9


def test_the_constant_box_scales_with_the_image():
    constant = TYPE.trivial(SPEC, [(np.array([20, 15, 60, 45]), SIZE)] * 2)
    assert constant((30, 160)).box == pytest.approx([40, 7.5, 120, 22.5])


# -- pictures


def test_drawing():
    box = np.array([10.0, 12.0, 40.0, 30.0])
    image = np.full((40, 60, 3), 100, np.uint8)
    changed = (TYPE.draw_label(SPEC, image, box) != image).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert (columns[0], rows[0], columns[-1], rows[-1]) == (10, 12, 39, 29)
    assert not changed[14:28, 12:38].any()
