"""Segmentation: Dice that leaves the outside out, challenge metrics, masks at original pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from contract import (
    FEATURES,
    FLIPS,
    MOVES,
    NETWORKS,
    SIZES,
    Parts,
    check_drawing,
    check_learns,
    check_metrics_are_complete,
    check_metrics_travel,
    check_result,
    check_rows_make_up_the_metrics,
    check_rows_stand_alone,
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
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from usmt import OUTSIDE, Features, Frame, UsmtError
from usmt_segmentation import Segmentation, SegmentationOptions, SegmentationTaskType

SMALL = SegmentationOptions(fusion_channels=16, intermediate_channels=[16, 16, 16, 16])
TYPE = SegmentationTaskType(SMALL)
TWO = make_spec(SegmentationTaskType, classes=["background", "lesion"])
THREE = make_spec(SegmentationTaskType, classes=["background", "head", "symphysis"])


def masks(size: tuple[int, int], classes: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint8, size, elements=st.integers(0, classes - 1))


def two_masks(classes: int) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
    return sizes.flatmap(lambda size: st.tuples(masks(size, classes), masks(size, classes)))


def logits_of(mask: Tensor, classes: int) -> Tensor:
    """(K, h, w), certain of the mask's classes and of nothing outside."""
    return torch.stack([6.0 * (mask == k) for k in range(classes)])


# -- loss


def logits_for(foreground: list[list[float]]) -> Tensor:
    """(1, 2, h, w), whose softmax gives the foreground these probabilities."""
    p = torch.tensor([foreground])
    return torch.stack([torch.zeros_like(p), torch.log(p / (1 - p))], dim=1)


def test_dice_loss_by_hand():
    """Background: 2 (.75 + .75) / (.25 + .75 + .75 + 2) = 4/5. Lesion: 2 .75 / (1.25 + 1) = 2/3."""
    mask = torch.tensor([[[1, 0], [0, OUTSIDE]]])
    logits = logits_for([[0.75, 0.25], [0.25, 0.9]])
    loss = TYPE.loss(TWO, logits, {"mask": mask})
    assert loss.tolist() == pytest.approx([1 - (4 / 5 + 2 / 3) / 2])


def test_a_class_that_the_mask_lacks_counts_0():
    """Of three classes, the two of the example above have losses 1/5 and 1/3."""
    mask = torch.tensor([[[1, 0], [0, OUTSIDE]]])
    logits = logits_for([[0.75, 0.25], [0.25, 0.9]])
    logits = torch.cat([logits, torch.full_like(logits[:, :1], -50.0)], dim=1)
    loss = TYPE.loss(THREE, logits, {"mask": mask})
    assert loss.tolist() == pytest.approx([(1 / 5 + 1 / 3 + 0) / 3])


def test_logits_are_stretched_to_the_mask():
    """.75 everywhere. Background: 2 .25 / (1 + 1) = 1/4. Lesion: 2 2.25 / (3 + 3) = 3/4."""
    mask = torch.tensor([[[1, 1], [1, 0]]])
    loss = TYPE.loss(TWO, logits_for([[0.75]]), {"mask": mask})
    assert loss.tolist() == pytest.approx([1 - (1 / 4 + 3 / 4) / 2])


def test_loss_and_results_stretch_logits_alike():
    logits, mask = torch.randn(3, 5, 7), torch.randint(0, 3, (10, 14))
    full = Frame.fit((10, 14), (10, 14)).restore(logits)
    losses = [TYPE.loss(THREE, one[None], {"mask": mask[None]}).item() for one in (logits, full)]
    assert losses[0] == pytest.approx(losses[1])


def test_pixels_outside_teach_nothing():
    mask = torch.randint(0, 3, (2, 6, 6))
    mask[0, :, 4:] = OUTSIDE
    mask[1] = OUTSIDE
    logits = torch.randn(2, 3, 6, 6, requires_grad=True)
    losses = TYPE.loss(THREE, logits, {"mask": mask})
    losses.sum().backward()
    assert losses[0] > 0 and losses[1] == 0
    assert logits.grad[0, :, :, :4].abs().min() > 0
    assert not logits.grad[0, :, :, 4:].any() and not logits.grad[1].any()


def targets() -> dict[str, Tensor]:
    rng = np.random.default_rng(1)
    blocks = rng.integers(0, 3, (3, 8, 8), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    blocks[2, :40] = 0
    return targets_of(TYPE, THREE, list(blocks), (64, 64))


def test_rows_stand_alone():
    check_rows_stand_alone(TYPE, THREE, targets(), 3)


def test_a_few_steps_lower_the_loss_and_reach_every_parameter():
    check_learns(TYPE, THREE, targets(), 3)


# -- network


@pytest.mark.parametrize(
    ("strides", "cells"),
    [
        ((16, 16, 16, 16), (4, 6)),
        ((16, 16, 16, 16), (5, 7)),
        ((8, 8, 8, 8), (9, 10)),
        ((32, 32, 32, 32), (3, 2)),
        ((4, 8, 16, 32), (3, 4)),
        ((8, 16, 32, 64), (1, 2)),
        ((4, 8, 16, 16), (3, 4)),
    ],
)
def test_logits_have_half_the_images_resolution(strides, cells):
    decoder = TYPE.decoder(Features(channels=(6, 8, 10, 12), strides=strides))
    head = TYPE.head(THREE, decoder.out_channels)
    sides = [[n * strides[-1] // stride for n in cells] for stride in strides]
    maps = [torch.randn(2, c, *side) for c, side in zip((6, 8, 10, 12), sides, strict=True)]
    assert head(decoder(maps)).shape == (2, 3, *(n * strides[-1] // 2 for n in cells))


@pytest.mark.parametrize("cells", [(4, 6), (5, 7)])
def test_patches_of_14_pixels_are_doubled_like_those_of_16(cells):
    """The same network, and eight places a cell."""
    maps = [torch.randn(2, 16, *cells) for _ in range(4)]
    of_14, of_16 = (
        TYPE.decoder(Features(channels=(16,) * 4, strides=(stride,) * 4)) for stride in (14, 16)
    )
    of_14.load_state_dict(of_16.state_dict())
    assert torch.equal(of_14(maps), of_16(maps))
    assert of_14(maps).shape == (2, 16, *(8 * n for n in cells))


def test_a_map_that_is_not_of_its_strides_size_is_resized():
    """As of a network that rounds up: 25 cells of 4 pixels, where 3 of 32 are left."""
    decoder = TYPE.decoder(Features(channels=(16,) * 4, strides=(4, 8, 16, 32)))
    maps = [torch.randn(1, 16, n, n) for n in (25, 13, 6, 3)]
    assert decoder(maps).shape == (1, 16, 48, 48)


def test_the_decoders_widths_follow_the_backbones_unless_they_are_set():
    free = SegmentationTaskType(SegmentationOptions())
    widths = {}
    for width in (192, 768, 1024):
        decoder = free.decoder(Features(channels=(width,) * 4, strides=(16,) * 4))
        projections = [p.shape[0] for n, p in decoder.named_parameters() if "project" in n]
        widths[width] = (decoder.out_channels, max(projections))
    assert widths == {192: (64, 256), 768: (256, 1024), 1024: (256, 1024)}
    assert TYPE.decoder(FEATURES).out_channels == 16
    for wrong in ({"fusion_channels": 0}, {"intermediate_channels": []}, {"width": 3}):
        with pytest.raises(ValidationError):
            SegmentationOptions(**wrong)


def test_a_backbone_that_does_not_fit_the_decoder_is_named():
    with pytest.raises(UsmtError, match="3 feature maps, but intermediate_channels has 4"):
        TYPE.decoder(Features(channels=(16,) * 3, strides=(16,) * 3))


# -- metrics


def itk_dice(result: np.ndarray, label: np.ndarray, k: int) -> float:
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(SimpleITK.GetImageFromArray(result), SimpleITK.GetImageFromArray(label))
    return overlap.GetDiceCoefficient(k)


def itk_hausdorff(result: np.ndarray, label: np.ndarray, k: int) -> float:
    distance = SimpleITK.HausdorffDistanceImageFilter()
    distance.Execute(
        SimpleITK.GetImageFromArray(result) == k, SimpleITK.GetImageFromArray(label) == k
    )
    return distance.GetHausdorffDistance()


@given(pair=two_masks(classes=2))
@settings(max_examples=150, deadline=None)
def test_one_class_equals_simpleitk(pair):
    result, label = pair
    scores = scores_of(TYPE, TWO, [(Segmentation(result), label)])
    if result.any() or label.any():
        assert scores["dsc"] == pytest.approx(itk_dice(result, label, 1))
    if result.any() and label.any():
        assert scores["hd"] == pytest.approx(itk_hausdorff(result, label, 1), abs=1e-5)


@given(pair=two_masks(classes=3), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_scores_are_means_over_classes_and_images(pair, seed):
    result, label = pair
    shuffled = np.random.default_rng(seed).permuted(label, axis=0)
    whole = scores_of(
        TYPE, THREE, [(Segmentation(result), label), (Segmentation(result), shuffled)]
    )
    assert list(whole) == ["dsc", "hd", "dsc_head", "dsc_symphysis"]
    for measure in ("dsc", "hd"):
        each = [
            scores_of(TYPE, TWO, [(Segmentation(held(result, k)), held(truth, k))])[measure]
            for truth in (label, shuffled)
            for k in (1, 2)
        ]
        assert whole[measure] == pytest.approx(np.mean(each))
    assert whole["dsc"] == pytest.approx((whole["dsc_head"] + whole["dsc_symphysis"]) / 2)


def held(mask: np.ndarray, k: int) -> np.ndarray:
    return (mask == k).astype(np.uint8)


def test_empty_masks():
    empty, dot = np.zeros((30, 40), np.uint8), np.zeros((30, 40), np.uint8)
    dot[3, 5] = 1
    for result, label, dsc, hd in (
        (empty, empty, 1, 0),
        (empty, dot, 0, 50),  # the diagonal of 30 x 40
        (dot, empty, 0, 50),
    ):
        scores = scores_of(TYPE, TWO, [(Segmentation(result), label)])
        assert (scores["dsc"], scores["hd"]) == (dsc, hd)


def test_hausdorff_of_a_large_image_is_exact():
    """A pixel in each of two corners, and one pixel between that only the label has."""
    result, label = np.zeros((1200, 1600), np.uint8), np.zeros((1200, 1600), np.uint8)
    result[0, 0] = label[0, 0] = label[1199, 1599] = 1
    scores = scores_of(TYPE, TWO, [(Segmentation(result), label)])
    assert scores["hd"] == math.hypot(1199, 1599)


def some_pairs() -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(2)
    drawn = rng.integers(0, 3, (4, 2, 9, 7), dtype=np.uint8)
    drawn[3] = 0
    return [(Segmentation(result), label) for result, label in drawn]


def test_metrics_travel():
    check_metrics_travel(TYPE, THREE, some_pairs())


def test_metrics_are_complete():
    check_metrics_are_complete(TYPE, THREE, some_pairs())


def test_rows_make_up_the_metrics():
    check_rows_make_up_the_metrics(TYPE, THREE, some_pairs())


def test_selection_score():
    label = np.zeros((20, 20), np.uint8)
    label[5:15, 5:15] = 1
    shifted = [Segmentation(np.roll(label, by, axis=1)) for by in (0, 1, 3, 6, 10)]
    check_selection(TYPE, TWO, *([(result, label)] for result in shifted))


# -- decode


@given(
    size=st.tuples(st.integers(5, 32), st.integers(5, 32)),
    network=NETWORKS,
    flips=FLIPS,
    seed=st.integers(0, 9999),
)
@settings(max_examples=100, deadline=None)
def test_a_mask_of_half_the_networks_size_returns_to_the_pixel(size, network, flips, seed):
    mask = np.random.default_rng(seed).integers(0, 3, size, dtype=np.uint8)
    target, frame = to_network(TYPE, THREE, mask, size, network, **flips)
    result = TYPE.decode(THREE, logits_of(target["mask"], 3), frame)
    assert result.mask.dtype == np.uint8
    assert np.array_equal(result.mask, mask)


@given(size=SIZES, network=NETWORKS, flips=FLIPS, x=st.floats(0, 1), y=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_large_mask_returns_but_for_its_edge(size, network, flips, x, y):
    """Wrong pixels lie within 1.5 pixels of the network's from the edge."""
    height, width = size
    ys, xs = np.mgrid[:height, :width]
    inside = ((xs - x * width) / width) ** 2 + ((ys - y * height) / height) ** 2 < 0.1
    target, frame = to_network(TYPE, TWO, inside.astype(np.uint8), size, network, **flips)
    result = TYPE.decode(TWO, logits_of(target["mask"], 2), frame)
    from_edge = distance_transform_edt(inside) + distance_transform_edt(~inside)
    wrong = result.mask != inside
    assert result.mask.shape == size
    assert from_edge[wrong].max(initial=0) <= 1.5 / np.abs(frame.matrix[:2, :2]).max() + 1


def test_the_networks_own_logits_decode_to_original_pixels():
    prediction = Parts(TYPE, THREE)(random_maps(2))
    result = TYPE.decode(THREE, tree_row(prediction, 1), Frame.fit((50, 31), (64, 64)))
    assert result.mask.shape == (50, 31) and result.mask.max() < 3


# -- views of one image, and results as plain data


def mirror(logits: Tensor, horizontal: bool, vertical: bool) -> Tensor:
    return logits.flip([-1] * horizontal + [-2] * vertical)


@given(size=SIZES, network=NETWORKS, moves=MOVES, seed=st.integers(0, 9999))
@settings(max_examples=40, deadline=None)
def test_mirrored_views_join_to_what_the_plain_one_says(size, network, moves, seed):
    """Where the two likeliest classes are not the same to the last digits."""
    logits = torch.randn(3, 8, 12, generator=torch.Generator().manual_seed(seed))
    frame = random_frame(size, network, **moves)
    alone = TYPE.decode(THREE, logits, frame)
    joined = TYPE.decode_views(THREE, mirrored_views(logits, frame, mirror))
    _, second, first = frame.restore(logits).softmax(dim=0).sort(dim=0).values.numpy()
    assert (first - second)[joined.mask != alone.mask].max(initial=0) < 1e-4


def test_views_are_joined_by_their_mean_probability():
    """Of the lesion: (.9 + .45 + .45) / 3 = .6, though most views say background, and
    (.9999 + .3 + .1) / 3 = .47, though the mean logit is positive."""
    frame = Frame.fit((1, 2), (1, 2))
    views = [(logits_for([two])[0], frame) for two in ([0.9, 0.9999], [0.45, 0.3], [0.45, 0.1])]
    assert TYPE.decode_views(TWO, views).mask.tolist() == [[1, 0]]


def test_one_view_is_decoded_as_without_views_down_to_the_last_digit():
    """As probabilities, these two logits are the same."""
    frame, logits = Frame.fit((1, 1), (1, 1)), torch.tensor([0.0, 1e-9])[:, None, None]
    assert TYPE.decode(TWO, logits, frame).mask.item() == 1
    assert TYPE.decode_views(TWO, [(logits, frame)]).mask.item() == 1


def test_results_as_data_and_images():
    logits = Parts(TYPE, THREE)(random_maps(2))[1]
    result = check_result(TYPE, THREE, logits, Frame.fit((50, 31), (64, 64)))
    assert TYPE.as_images(THREE, result)["mask"] is result.mask
    mask = np.array([[0, 0, 2], [0, 2, 2]], np.uint8)
    assert TYPE.as_data(THREE, Segmentation(mask)) == {
        "classes": {
            "background": {"pixels": 3, "share": 0.5},
            "head": {"pixels": 0, "share": 0.0},
            "symphysis": {"pixels": 3, "share": 0.5},
        }
    }


# -- labels


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((4, 6), np.uint8), ["a mask of 6 x 4 pixels for an image of 5 x 4 pixels"]),
        (np.zeros((4, 5, 1), np.uint8), ["a mask of 1 x 5 x 4 pixels for an image of 5 x 4"]),
        ([[0, 255]] * 4, ["a mask of 2 x 4 pixels for an image of 5 x 4", "divide it by 255"]),
        (np.full((4, 5), 255, np.uint8), ["the mask has the values 0 and 255, expected 0 and 1"]),
        (np.full((4, 5), 2, np.uint8), ["the mask has the values 2, expected 0 to 1"]),
        (np.full((4, 5), -1), ["the mask has the values -1, expected 0 to 1"]),
        (np.full((4, 5), 0.5), ["the mask has the values 0.5, expected 0 to 1"]),
        (np.full((4, 5), np.nan), ["the mask has the values nan, expected 0 to 1"]),
        (np.arange(20).reshape(4, 5), ["the values 2, 3, 4, 5, 6, 7, ..., expected 0 to 1"]),
        (np.zeros((4, 5), np.uint8), []),
        (np.eye(4, 5), []),
        (np.eye(4, 5, dtype=bool), []),
    ],
)
def test_problems(mask, said):
    found = TYPE.problems(TWO, mask, (4, 5))
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


def test_with_three_classes_nobody_knows_which_one_255_is():
    (said,) = TYPE.problems(THREE, np.array([[0, 255]], np.uint8), (1, 2))
    assert said.startswith("the mask has the values 255, expected 0 to 2: give each class its own")
    assert said.kind == "mask of 0 and 255"


@pytest.mark.parametrize("wrong", [["one"], ["a", "a"], [f"class {i}" for i in range(256)]])
def test_a_spec_has_2_to_255_different_classes(wrong):
    with pytest.raises(ValidationError, match="classes"):
        make_spec(SegmentationTaskType, classes=wrong)
    assert len(make_spec(SegmentationTaskType, classes=[str(i) for i in range(255)]).classes) == 255


# -- the constant mask


def dsc_of(spec: Any, constant: np.ndarray, labels: list[np.ndarray]) -> float:
    return scores_of(TYPE, spec, [(Segmentation(constant), label) for label in labels])["dsc"]


def blocks(classes: int) -> st.SearchStrategy[list[np.ndarray]]:
    """Masks of 64 x 64 pixels in blocks of 16."""
    drawn = st.lists(masks((4, 4), classes), min_size=1, max_size=5)
    return drawn.map(lambda many: [mask.repeat(16, axis=0).repeat(16, axis=1) for mask in many])


def constant_for(spec: Any, labels: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    return TYPE.trivial(spec, [(label, label.shape) for label in labels])(size).mask


@given(labels=blocks(classes=2))
@settings(max_examples=100, deadline=None)
def test_the_constant_mask_is_no_worse_than_simpler_ones(labels):
    reached = dsc_of(TWO, constant_for(TWO, labels, (64, 64)), labels)
    majority = (np.mean(labels, axis=0) > 0.5).astype(np.uint8)
    for other in (np.zeros_like(majority), np.ones_like(majority), majority):
        assert reached >= dsc_of(TWO, other, labels) - 1e-9


@given(labels=blocks(classes=3))
@settings(max_examples=100, deadline=None)
def test_with_several_classes_it_is_no_worse_than_background(labels):
    reached = dsc_of(THREE, constant_for(THREE, labels, (64, 64)), labels)
    assert reached >= dsc_of(THREE, np.zeros((64, 64), np.uint8), labels) - 1e-9


def test_a_class_that_lost_its_place_to_another_is_left_out():
    """Both classes want the last quarter. What the loser keeps would have the mean Dice
    (0 + 2/3) / 2; nothing has (1 + 0) / 2."""
    first, second = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    first[32:, 32:], second[32:, :] = 1, 2
    constant = constant_for(THREE, [first, second], (64, 64))
    assert np.array_equal(constant, first)


def test_the_constant_mask_of_equal_masks_is_that_mask():
    ys, xs = np.mgrid[:192, :320]
    label = ((xs - 100) ** 2 + (ys - 90) ** 2 < 50**2).astype(np.uint8)
    label[150:180, 200:300] = 2
    constant = constant_for(THREE, [label] * 3, (192, 320))
    assert dsc_of(THREE, constant, [label]) > 0.97
    half = constant_for(THREE, [label] * 3, (96, 160))
    assert half.shape == (96, 160) and set(np.unique(half)) == {0, 1, 2}


@given(labels=st.lists(masks((6, 10), 3), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_the_constant_mask_of_mirrored_masks_is_mirrored(labels):
    large = [mask.repeat(32, axis=0).repeat(32, axis=1) for mask in labels]
    plain = constant_for(THREE, large, (192, 320))
    mirrored = constant_for(THREE, [mask[::-1, ::-1] for mask in large], (192, 320))
    assert np.array_equal(mirrored, plain[::-1, ::-1])


# -- pictures


def test_drawing():
    label = np.zeros((40, 60), np.uint8)
    label[10:30, 5:25], label[10:30, 35:55] = 1, 2
    check_drawing(TYPE, THREE, label, Segmentation(label), (40, 60))
    image = np.full((40, 60, 3), 100, np.uint8)
    picture = TYPE.draw_label(THREE, image, label)
    assert np.array_equal((picture != image).any(axis=2), label > 0)
    assert not np.array_equal(picture[20, 15], picture[20, 45])
