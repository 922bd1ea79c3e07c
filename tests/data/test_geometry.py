"""Image, mask, boxes and landmarks follow one geometry, and find the way back."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors

from usmt import Frame
from usmt.data.geometry import OUTSIDE, affine, apply, fit, move

SIDES = st.integers(24, 300)
SIZES = st.tuples(SIDES, SIDES)
MOVES = st.fixed_dictionaries(
    {
        "degrees": st.floats(-180, 180),
        "scale": st.floats(0.5, 2.0),
        "shift": st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
        "flip_horizontal": st.booleans(),
        "flip_vertical": st.booleans(),
    }
)


@given(original=SIZES, network=st.sampled_from([(64, 64), (96, 64), (128, 128)]), moves=MOVES)
def test_positions_return_exactly(original, network, moves):
    frame = Frame.fit(original, network).then(affine(network, **moves))
    positions = np.array([[0, 0], [original[1], original[0]], [3.25, 7.5]])
    there = frame.to_network(positions)
    assert np.allclose(frame.to_original(there), positions, atol=1e-6)


@given(original=SIZES)
def test_fit_keeps_the_image_on_the_canvas_and_its_proportions(original):
    frame = Frame.fit(original, (64, 96))
    corners = frame.to_network(np.array([[0, 0], [original[1], original[0]]]))
    assert corners.min() >= 0
    assert (corners[1] <= np.array([96, 64]) + 1e-9).all()
    fitted = corners[1] - corners[0]
    scale = min(64 / original[0], 96 / original[1])
    exact = np.array([original[1], original[0]]) * scale
    assert np.abs(fitted - np.maximum(exact, 1)).max() <= 0.5 + 1e-9


@given(moves=MOVES, x=st.floats(12, 50), y=st.floats(12, 50))
@settings(max_examples=60, deadline=None)
def test_landmark_box_mask_and_image_go_to_the_same_place(moves, x, y):
    """A bright disc, its mask, its box and its centre are moved; all still agree."""
    size = (64, 64)
    moves = {**moves, "scale": 0.7 + 0.3 * moves["scale"]}
    ys, xs = np.mgrid[:64, :64]
    disc = ((xs - x) ** 2 + (ys - y) ** 2 <= 36).astype(np.uint8)
    matrix = affine(size, **moves)
    point = move(tv_tensors.KeyPoints([[x, y]], canvas_size=size), matrix)
    px, py = point.as_subclass(Tensor)[0].tolist()
    if not (12 < px < 51 and 12 < py < 51):
        return
    mask = move(tv_tensors.Mask(torch.from_numpy(disc)), matrix).numpy()
    image = move(tv_tensors.Image(torch.from_numpy(disc)[None] * 200.0), matrix).numpy()[0]
    box = tv_tensors.BoundingBoxes([[x - 6, y - 6, x + 7, y + 7]], format="XYXY", canvas_size=size)
    x0, y0, x1, y1 = move(box, matrix).as_subclass(Tensor)[0].tolist()
    inside = np.argwhere(mask == 1)
    assert np.allclose(inside.mean(axis=0), [py, px], atol=0.5)
    weights = image / image.sum()
    assert np.allclose([(weights * ys).sum(), (weights * xs).sum()], [py, px], atol=0.3)
    assert inside[:, 1].min() >= x0 - 1 and inside[:, 1].max() + 1 <= x1 + 1
    assert inside[:, 0].min() >= y0 - 1 and inside[:, 0].max() + 1 <= y1 + 1


@given(original=SIZES, x=st.floats(0.2, 0.8), y=st.floats(0.2, 0.8))
@settings(max_examples=60, deadline=None)
def test_a_mask_returns_to_original_pixels(original, x, y):
    height, width = original
    ys, xs = np.mgrid[:height, :width]
    radius = min(original) / 3
    mask = ((xs - x * width) ** 2 + (ys - y * height) ** 2 <= radius**2).astype(np.uint8)
    frame = Frame.fit(original, (128, 128))
    small = fit(tv_tensors.Mask(torch.from_numpy(mask)), frame).as_subclass(Tensor)
    logits = torch.stack([(small != 1).float(), (small == 1).float()])
    back = frame.restore(logits).argmax(0).numpy()
    assert back.shape == original
    dice = 2 * (back & mask).sum() / (back.sum() + mask.sum())
    assert dice > 0.85 and mask.sum() > 50


def test_restore_follows_a_moved_frame():
    """Test-time flips are undone by the frame itself."""
    frame = Frame.fit((64, 64), (64, 64)).then(affine((64, 64), flip_horizontal=True))
    ramp = torch.arange(64.0).expand(64, 64)[None]
    assert torch.allclose(frame.restore(ramp), ramp.flip(-1), atol=1e-4)


def test_masks_are_marked_where_there_is_no_image():
    frame = Frame.fit((20, 40), (64, 64))
    mask = fit(tv_tensors.Mask(torch.zeros(20, 40, dtype=torch.uint8)), frame)
    assert mask.unique().tolist() == [0, OUTSIDE]
    assert (mask == 0).sum() == 32 * 64
    turned = move(mask, affine((64, 64), degrees=45))
    assert (turned == OUTSIDE).sum() > (mask == OUTSIDE).sum() - 400


def test_two_flips_are_none_and_a_flip_mirrors_pixel_centres():
    flip = affine((64, 48), flip_horizontal=True)
    assert np.allclose(flip @ flip, np.eye(3))
    point = tv_tensors.KeyPoints([[0.0, 5.0]], canvas_size=(64, 48))
    assert move(point, flip).tolist() == [[47.0, 5.0]]
    box = tv_tensors.BoundingBoxes([[0, 0, 10, 5]], format="XYXY", canvas_size=(64, 48))
    assert move(box, flip).tolist() == [[38.0, 0.0, 48.0, 5.0]]


def test_values_without_geometry_stay():
    assert fit(3, Frame.fit((10, 10), (32, 32))) == 3
    assert move("left", np.eye(3)) == "left"
    assert np.allclose(apply(np.eye(3), np.array([[1.5, 2.5]])), [[1.5, 2.5]])
