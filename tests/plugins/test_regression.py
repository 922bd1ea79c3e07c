"""Regression: L1 on shares of the canvas, errors in original pixels, points that find back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contract import (
    FEATURES,
    MOVES,
    NETWORKS,
    SIZES,
    Parts,
    averaged,
    check_selection,
    make_spec,
    mirrored_views,
    random_frame,
    random_maps,
    scores_of,
    targets_of,
    to_network,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from usmt import Frame
from usmt_regression import Landmarks, RegressionTaskType

TYPE = RegressionTaskType(RegressionTaskType.Options())
TWO = make_spec(RegressionTaskType, points=["left", "right"])
SIZE = (60, 80)
SHARES = st.tuples(*[st.floats(0, 1)] * 4).map(lambda four: np.reshape(four, (2, 2)))


def points_at(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shares of the image's width and height, from its corner -> points, from the centre of the
    top left pixel."""
    return shares * (size[1], size[0]) - 0.5


# -- loss


def test_l1_by_hand():
    """Points at the corner of the image and in its middle, as seen from the corner."""
    targets = targets_of(TYPE, TWO, [[[-0.5, -0.5], [39.5, 29.5]]], SIZE)
    assert targets["points"].tolist() == [[[0, 0], [0.5, 0.5]]]
    prediction = torch.tensor([[[0.25, 0.0], [0.5, 0.125]]])
    loss = TYPE.loss(TWO, prediction, targets)
    assert loss.tolist() == pytest.approx([(0.25 + 0 + 0 + 0.375) / 4])


def test_a_target_is_a_share_of_width_then_height():
    targets = targets_of(TYPE, TWO, [[[0, 0], [59.5, 14.5]]], SIZE)
    shares = targets["points"].flatten().tolist()
    assert shares == pytest.approx([0.5 / 80, 0.5 / 60, 0.75, 0.25])


# -- network


def test_the_head_starts_near_the_middle_of_the_canvas():
    for grid in (1, 4):
        parts = Parts(RegressionTaskType(RegressionTaskType.Options(grid=grid)), TWO)
        # Normalised features, as a backbone's last map has them; 8 x 8 cells.
        points = parts([torch.randn(50, FEATURES.channels[-1], 1, 1).expand(-1, -1, 8, 8)])
        assert 0.02 < (points - 0.5).std() < 0.1


def test_the_head_reads_the_average_and_with_a_grid_also_the_place():
    maps = random_maps(4)
    for grid, same in ((1, True), (2, False)):
        parts = Parts(RegressionTaskType(RegressionTaskType.Options(grid=grid)), TWO)
        assert parts(maps).shape == (4, 2, 2)
        assert torch.allclose(parts(maps), parts(averaged(maps)), atol=1e-6) == same


@pytest.mark.parametrize("wrong", [{"grid": 0}, {"grid": 17}, {"grid": 2.5}, {"cells": 2}])
def test_options_out_of_range(wrong):
    assert RegressionTaskType.Options().grid == 4
    with pytest.raises(ValidationError):
        RegressionTaskType.Options(**wrong)


# -- metrics


def test_errors_by_hand():
    """Distances 5 and 13, then 0 and 10; the diagonal of 60 x 80 is 100, that of 30 x 40 is 50."""
    evaluation = [
        (Landmarks(np.array([[3.0, 4.0], [15.0, 22.0]]), (60, 80)), [[0, 0], [10, 10]]),
        (Landmarks(np.array([[1.0, 2.0], [7.0, 8.0]]), (30, 40)), [[1, 2], [13, 0]]),
    ]
    scores = scores_of(TYPE, TWO, evaluation)
    assert scores["mre"] == pytest.approx(((5 + 13) / 2 + (0 + 10) / 2) / 2)
    assert scores["nme"] == pytest.approx((9 / 100 + 5 / 50) / 2)


@given(result=SHARES, label=SHARES)
def test_mre_is_the_mean_distance(result, label):
    result, label = points_at(result, SIZE), points_at(label, SIZE)
    each = [math.dist(a, b) for a, b in zip(result, label, strict=True)]
    scores = scores_of(TYPE, TWO, [(Landmarks(result, SIZE), label)])
    assert scores["mre"] == pytest.approx(sum(each) / 2)


def test_selection_score():
    label = np.array([[10.0, 10.0], [50.0, 40.0]])
    check_selection(
        TYPE, TWO, *([(Landmarks(label + by, SIZE), label)] for by in (0, 0.1, 3, 40, 5000))
    )


def test_selection_score_is_one_half_at_a_twentieth_of_the_diagonal():
    label = np.array([[10.0, 10.0], [50.0, 40.0]])
    evaluation = [(Landmarks(label + np.array([3, 4]), SIZE), label)]  # 5 of 100 pixels
    assert TYPE.selection_score(TWO, scores_of(TYPE, TWO, evaluation)) == pytest.approx(0.5)


# -- decode


@given(
    size=st.one_of(SIZES, st.tuples(st.integers(1, 2000), st.integers(1, 2000))),
    network=NETWORKS,
    shares=SHARES,
    degrees=st.floats(-180, 180),
    flip_horizontal=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_perfect_prediction_decodes_to_the_label(size, network, shares, **moves):
    label = points_at(shares, size)
    target, frame = to_network(TYPE, TWO, label, size, network, **moves)
    result = TYPE.decode(TWO, target["points"], frame)
    assert result.size == size
    assert np.abs(result.points - label).max() < 1e-3 * max(1, max(size) / 300)


def test_a_point_beyond_the_image_is_not_pulled_in():
    _, frame = to_network(TYPE, TWO, np.zeros((2, 2)), (32, 64), (64, 64))
    result = TYPE.decode(TWO, torch.tensor([[0.5, 0.0], [1.5, 0.5]]), frame)
    assert result.points == pytest.approx(np.array([[31.5, -16.5], [95.5, 15.5]]))


# -- views of one image, and results as plain data


def mirror(shares: torch.Tensor, horizontal: bool, vertical: bool) -> torch.Tensor:
    x, y = shares.unbind(dim=-1)
    return torch.stack([1 - x if horizontal else x, 1 - y if vertical else y], dim=-1)


@given(size=SIZES, network=NETWORKS, moves=MOVES, shares=SHARES)
@settings(max_examples=60, deadline=None)
def test_mirrored_views_join_to_what_the_plain_one_says(size, network, moves, shares):
    prediction, frame = torch.from_numpy(shares), random_frame(size, network, **moves)
    alone = TYPE.decode(TWO, prediction, frame)
    joined = TYPE.decode_views(TWO, mirrored_views(prediction, frame, mirror))
    assert joined.size == alone.size == size
    assert np.abs(joined.points - alone.points).max() < 1e-9


def test_views_are_joined_by_the_mean_place_of_each_point():
    frame = Frame.fit((10, 20), (10, 20))
    views = [([[0.1, 0.5], [0.5, 0.5]]), ([[0.2, 0.5], [0.5, 1.0]])]
    joined = TYPE.decode_views(TWO, [(torch.tensor(each), frame) for each in views])
    assert joined.points == pytest.approx(np.array([[2.5, 4.5], [9.5, 7.0]]))


def test_results_as_data():
    result = Landmarks(np.array([[1.5, 2.0], [-3.0, 4.0]]), SIZE)
    assert TYPE.as_data(TWO, result) == {"points": {"left": [1.5, 2.0], "right": [-3.0, 4.0]}}


# -- labels


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ([[5, 5], [80, 5]], ["the point right at (80, 5) is outside the image of 80 x 60 pixels"]),
        ([[5, 60], [5, 5]], ["the point left at (5, 60) is outside the image"]),
        ([[-0.6, 5], [5, -3]], ["the point left at (-0.6, 5)", "the point right at (5, -3)"]),
        ([[math.nan, 5], [5, 5]], ["the point left is not finite: (nan, 5)"]),
        ([[5, 5], [5, math.inf]], ["the point right is not finite: (5, inf)"]),
        ([[5, 5]], ["points of shape (1, 2), expected (2, 2)"]),
        ([5, 5, 5, 5], ["points of shape (4,), expected (2, 2)"]),
        (np.zeros((2, 3)), ["points of shape (2, 3), expected (2, 2)"]),
        (None, ["the points are not an array of numbers of shape (2, 2)"]),
    ],
)
def test_problems(label, said):
    found = TYPE.problems(TWO, label, SIZE)
    assert len(found) == len(said)
    assert all(text.startswith(part) for part, text in zip(said, found, strict=True))


def test_points_may_lie_anywhere_on_the_pixels():
    assert TYPE.problems(TWO, [[-0.5, -0.5], [79.5, 59.5]], SIZE) == []
    assert TYPE.problems(TWO, np.array([[0, 0], [79, 59]]), SIZE) == []


@pytest.mark.parametrize("wrong", [[], ["end", "end"]])
def test_a_spec_has_one_or_more_different_points(wrong):
    with pytest.raises(ValidationError, match="points"):
        make_spec(RegressionTaskType, points=wrong)
    assert make_spec(RegressionTaskType, points=["centre"]).points == ["centre"]


# -- the constant answer


def test_the_constant_answer_is_the_mean_place():
    """As shares of images of three sizes: x of the first point (.1 + .3 + .8) / 3, and so on."""
    labels = [
        (points_at(np.array([[0.1, 0.5], [0.0, 0.0]]), (40, 60)), (40, 60)),
        (points_at(np.array([[0.3, 0.5], [1.0, 0.6]]), (90, 30)), (90, 30)),
        (points_at(np.array([[0.8, 0.5], [0.5, 0.9]]), (50, 50)), (50, 50)),
    ]
    result = TYPE.trivial(TWO, labels)((20, 10))
    assert result.points == pytest.approx(np.array([[3.5, 9.5], [4.5, 9.5]]))
    assert result.size == (20, 10)


@given(many=st.lists(SHARES, min_size=1, max_size=8), other=SHARES)
@settings(max_examples=50)
def test_no_other_place_has_a_smaller_squared_error(many, other):
    labels = [points_at(shares, (100, 100)) for shares in many]
    constant = TYPE.trivial(TWO, [(label, (100, 100)) for label in labels])((100, 100)).points

    def squared_error(points: np.ndarray) -> float:
        return float(np.mean([(points - label) ** 2 for label in labels]))

    for candidate in (points_at(other, (100, 100)), *labels):
        assert squared_error(constant) <= squared_error(candidate) + 1e-9


# -- pictures


def test_drawing():
    points = np.array([[20.0, 10.0], [50.0, 30.0]])
    image = np.full((40, 60, 3), 100, np.uint8)
    picture = TYPE.draw_label(TWO, image, points)
    changed = (picture != image).any(axis=2)
    assert changed[10, 20] and changed[30, 50] and not changed[20, 10]
    assert not np.array_equal(picture[10, 20], picture[30, 50])


def test_a_point_far_outside_can_be_drawn():
    image = np.zeros((40, 60, 3), np.uint8)
    far = Landmarks(np.array([[1e12, -1e12], [5.0, 5.0]]), (40, 60))
    assert TYPE.draw_result(TWO, image, far).any()
