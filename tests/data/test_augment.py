"""Augmentation keeps labels true."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors

from usmt.data.augment import Augmentation

STRONG = Augmentation(
    degrees=40, scale=0.4, shift=0.3, flip=1.0, gain=0.3, gamma=0.3, speckle=0.2, shadow=1.0
)


def two_halves():
    """Left half dark, right half bright; a mask of the right half."""
    image = torch.zeros(3, 64, 64)
    image[:, :, 32:] = 200
    mask = torch.zeros(64, 64, dtype=torch.uint8)
    mask[:, 32:] = 1
    return image, {"mask": tv_tensors.Mask(mask)}


def test_flips_that_a_task_forbids_never_happen():
    flips_only = Augmentation(flip=1.0)
    for flip, right, down in (
        ("none", False, False),
        ("horizontal", True, False),
        ("vertical", False, True),
        ("both", True, True),
    ):
        for seed in range(50):
            image, label = two_halves()
            image[:, :10] = 100
            moved, wrapped = flips_only(image, label, flip, np.random.default_rng(seed))
            assert bool(wrapped["mask"][32, 0] == 1) is right
            assert bool(moved[0, 63, 40] == 100) is down


def test_half_of_the_allowed_flips_happen():
    flips = Augmentation(flip=0.5)
    turned = 0
    for seed in range(200):
        _, wrapped = flips(*two_halves(), "horizontal", np.random.default_rng(seed))
        turned += int(wrapped["mask"][32, 0] == 1)
    assert 70 < turned < 130


@given(seed=st.integers(0, 10**6), x=st.floats(0, 63), y=st.floats(0, 63))
@settings(max_examples=80, deadline=None)
def test_landmarks_and_boxes_stay_on_the_canvas(seed, x, y):
    label = {
        "points": tv_tensors.KeyPoints([[x, y], [31.0, 31.0]], canvas_size=(64, 64)),
        "box": tv_tensors.BoundingBoxes(
            [[max(0, x - 5), max(0, y - 5), x + 0.5, y + 0.5]], format="XYXY", canvas_size=(64, 64)
        ),
    }
    _, wrapped = STRONG(torch.zeros(3, 64, 64), label, "both", np.random.default_rng(seed))
    points = wrapped["points"].as_subclass(Tensor)
    assert points.min() >= -0.51 and points.max() <= 63.51
    x0, y0, x1, y1 = wrapped["box"].as_subclass(Tensor)[0]
    assert 0 <= (x0 + x1) / 2 <= 64 and 0 <= (y0 + y1) / 2 <= 64


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_mask_follows_the_image(seed):
    """Without changes of grey values, bright pixels are those of the mask."""
    geometry = Augmentation(degrees=30, scale=0.3, shift=0.2, flip=0.5)
    image, wrapped = geometry(*two_halves(), "both", np.random.default_rng(seed))
    mask = wrapped["mask"].as_subclass(Tensor)
    inside = mask != 255
    assert ((image[0] > 100) == (mask == 1))[inside].float().mean() > 0.97


def test_grey_values_stay_in_range_and_depend_on_the_seed_alone():
    image, label = two_halves()
    first, _ = STRONG(image, label, "none", np.random.default_rng(7))
    again, _ = STRONG(image, label, "none", np.random.default_rng(7))
    other, _ = STRONG(image, label, "none", np.random.default_rng(8))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.min() >= 0 and first.max() <= 255


def test_nothing_is_changed_when_all_is_off():
    image, label = two_halves()
    same, wrapped = Augmentation()(image, label, "both", np.random.default_rng(0))
    assert torch.allclose(same, image, atol=1e-3)
    assert torch.equal(wrapped["mask"], label["mask"])


def test_speckle_is_normal_with_the_deviation_that_was_drawn():
    """Grains are as often beyond one and two deviations as normal ones."""
    image = torch.full((3, 256, 256), 100.0)
    found = []
    for seed in range(60):
        moved, _ = Augmentation(speckle=0.2)(image, {}, "none", np.random.default_rng(seed))
        assert torch.equal(moved[0], moved[2])
        grains = moved[0] / 100 - 1
        deviation = float(grains.std())
        found.append(deviation)
        assert abs(float(grains.mean())) < 0.02 * 0.2
        beyond = [float((grains.abs() > times * deviation).float().mean()) for times in (1, 2)]
        assert np.allclose(beyond, [0.317, 0.0455], atol=0.012)
    assert 0 < min(found) < 0.03 and 0.17 < max(found) < 0.2


@given(grey=st.booleans(), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_what_is_changed_is_a_copy(grey, seed):
    """Images and labels are kept in memory and used again in the next epoch."""
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.integers(0, 256, (1 if grey else 3, 64, 64), np.uint8))
    image = image.expand(3, -1, -1)
    label = {
        "mask": tv_tensors.Mask(torch.from_numpy(rng.integers(0, 2, (64, 64), np.uint8))),
        "points": tv_tensors.KeyPoints([[20.0, 30.0]], canvas_size=(64, 64)),
    }
    before = image.clone(), {name: value.clone() for name, value in label.items()}
    for augmentation in (STRONG, Augmentation()):
        for kind in (image, image.float()):
            moved, _ = augmentation(kind, label, "both", np.random.default_rng(seed))
            assert moved.shape == (3, 64, 64) and moved.dtype == torch.float32
            assert torch.equal(kind, before[0].to(kind.dtype))
    assert all(torch.equal(value, before[1][name]) for name, value in label.items())
