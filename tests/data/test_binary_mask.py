"""Masks of one structure: dark and bright, or nothing that is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from usmt import DataError, read_binary_mask

SQUARE = np.zeros((40, 50), np.uint8)
SQUARE[10:13, 20:24] = 1
"""12 of 2,000 pixels: less than a fiftieth."""
WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def coloured(colour: tuple[int, ...]) -> np.ndarray:
    return SQUARE[..., None] * np.array(colour, np.uint8)


def write(folder: Path, pixels: np.ndarray, name: str = "mask.png") -> Path:
    Image.fromarray(pixels).save(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("mask.png", SQUARE),
        ("mask.png", SQUARE.astype(bool)),
        ("mask.png", SQUARE * np.uint8(255)),
        ("mask.png", SQUARE.astype(np.uint16)),
        ("mask.png", SQUARE * np.uint16(255)),
        ("mask.png", SQUARE * np.uint16(65535)),
        ("mask.png", coloured(WHITE)),
        ("mask.png", np.dstack([coloured(WHITE), np.full_like(SQUARE, 255)])),
    ],
)
def test_zero_and_one_or_dark_and_bright(tmp_path: Path, name: str, pixels: np.ndarray):
    np.testing.assert_array_equal(read_binary_mask(write(tmp_path, pixels, name)), SQUARE)


def test_what_jpeg_makes_of_a_mask(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 8, SQUARE.shape).astype(np.uint8)
    assert not read_binary_mask(write(tmp_path, noise, "mask.jpg")).any()
    for white in (SQUARE * np.uint8(255), coloured(WHITE)):
        mask = read_binary_mask(write(tmp_path, white, "mask.jpg"))
        assert (mask != SQUARE).sum() < 6


@pytest.mark.parametrize("value", [2, 3, 15, 50, 100, 191])
def test_a_mask_that_is_nowhere_bright_says_how_bright_it_is(tmp_path: Path, value: int):
    path = write(tmp_path, SQUARE * np.uint8(value))
    with pytest.raises(DataError, match=rf"brightest pixel is {value}, expected 255 \(or 0 and 1"):
        read_binary_mask(path)


@pytest.mark.parametrize("colour", [RED, BLUE])
@pytest.mark.parametrize("name", ["mask.png", "mask.jpg"])
def test_colours_are_not_taken_for_dark(tmp_path: Path, name: str, colour: tuple[int, int, int]):
    with pytest.raises(DataError, match="mask is coloured"):
        read_binary_mask(write(tmp_path, coloured(colour), name))


def test_a_palette_of_colours_is_coloured(tmp_path: Path):
    image = Image.fromarray(SQUARE, "P")
    image.putpalette([0, 0, 0, *RED])
    image.save(tmp_path / "mask.png")
    with pytest.raises(DataError, match="mask is coloured"):
        read_binary_mask(tmp_path / "mask.png")


def test_a_lesion_that_is_in_the_transparency_is_not_lost(tmp_path: Path):
    pixels = np.dstack([np.full((*SQUARE.shape, 3), 255, np.uint8), SQUARE * np.uint8(255)])
    with pytest.raises(DataError, match="partly transparent"):
        read_binary_mask(write(tmp_path, pixels))
