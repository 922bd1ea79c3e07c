"""Marks that are drawn on real scans are found; scans without marks are left alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from usmt import RootOptions
from usmt.inspect.burnt_in import find_marks
from usmt_fmc_uia import FmcUia

SCANS = ("lung_disease_3cls", "nerve_vessel_multi", "fetal_head")
"""Tasks of the pack whose images have no marks."""

Draw = Callable[[np.ndarray, int, int], np.ndarray]


@pytest.fixture(scope="module")
def scans(realus: Path) -> list[np.ndarray]:
    """Thirty scans without marks, uint8 (H, W)."""
    images = []
    for task in SCANS:
        with (realus / "csv_files" / f"{task}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        paths = [realus / "csv_files" / row["image_path"] for row in rows]
        images += [np.array(Image.open(path)) for path in paths[:: len(paths) // 10][:10]]
    return images


def kinds(image: np.ndarray) -> list[str]:
    return [mark.what for mark in find_marks(image)]


def dark_place(image: np.ndarray, width: int, height: int) -> tuple[int, int]:
    """The top left corner of a part that is not bright, where a mark can be seen."""
    means = cv2.blur(image, (width, height), anchor=(0, 0))[:-height, :-width]
    y, x = np.unravel_index(int(means.argmin()), means.shape)
    return int(x), int(y)


def share_found(scans: list[np.ndarray], what: str, draw: Draw, size: tuple[int, int]) -> float:
    found = 0
    for scan in scans:
        marked = draw(scan.copy(), *dark_place(scan, *size))
        found += what in kinds(marked)
    return found / len(scans)


def test_scans_without_marks(scans):
    assert [kinds(scan) for scan in scans] == [[]] * len(scans)


@pytest.mark.parametrize("scale", [0.5, 2.5, 4])
def test_scans_without_marks_at_other_sizes(scans, scale):
    found = [kinds(cv2.resize(scan, None, fx=scale, fy=scale)) for scan in scans]
    # One has the scanner's sign in a corner, which is large enough to be found at the last size.
    assert sum(map(bool, found)) <= (scale == 4)


@pytest.mark.parametrize("shape", [cv2.MARKER_CROSS, cv2.MARKER_TILTED_CROSS])
@pytest.mark.parametrize(("length", "thick"), [(7, 1), (9, 1), (15, 1), (15, 2), (31, 2), (31, 3)])
def test_calipers(scans, shape, length, thick):
    def draw(image: np.ndarray, x: int, y: int) -> np.ndarray:
        at = (x + 18, y + 18)
        return cv2.drawMarker(image, at, 235, shape, length, thick)

    assert share_found(scans, "a caliper", draw, (36, 36)) >= 0.95


@pytest.mark.parametrize("text", ["LT BREAST", "12.3 mm", "Left kidney"])
@pytest.mark.parametrize("size", [10, 14, 20])
def test_text(scans, text, size):
    def draw(image: np.ndarray, x: int, y: int) -> np.ndarray:
        picture = Image.fromarray(image)
        ImageDraw.Draw(picture).text((x, y), text, fill=230, font=ImageFont.load_default(size))
        return np.array(picture)

    assert share_found(scans, "text", draw, (7 * size, size)) >= 0.9


def test_the_place_is_that_of_the_mark(scans):
    image = np.zeros((1200, 1600), np.uint8)
    cv2.drawMarker(image, (900, 500), 255, cv2.MARKER_CROSS, 40, 5)
    (mark,) = find_marks(image)
    assert abs(mark.x - 900) <= 5 and abs(mark.y - 500) <= 5
    assert str(mark) == f"a caliper at ({mark.x}, {mark.y})"


def coloured(scan: np.ndarray) -> np.ndarray:
    return np.repeat(scan[..., None], 3, axis=2)


@pytest.mark.parametrize("colour", [(255, 255, 0), (0, 255, 0), (255, 60, 60), (0, 200, 255)])
def test_coloured_lines(scans, colour):
    for scan in scans:
        image = coloured(scan)
        cv2.line(image, (40, 50), (130, 90), colour, 1, cv2.LINE_AA)
        assert "a coloured line" in kinds(image)


def test_colour_doppler_and_tinted_images_are_no_lines(scans):
    for scan in scans:
        doppler = coloured(scan)
        cv2.circle(doppler, (100, 80), 30, (200, 30, 20), -1)
        cv2.circle(doppler, (130, 90), 20, (20, 40, 210), -1)
        tinted = (coloured(scan) * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
        few = coloured(scan)
        few[60, 60:63] = (255, 255, 0)
        for image in (doppler, tinted, few):
            assert "a coloured line" not in kinds(image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 2), (5, 7), (16, 16)])
def test_images_of_any_size(shape):
    rng = np.random.default_rng(0)
    for image in (np.zeros(shape, np.uint8), rng.integers(0, 256, (*shape, 3), dtype=np.uint8)):
        assert isinstance(find_marks(image), list)


def test_marks_of_the_real_pack(realus):
    """Seen by eye: calipers and side labels of breast scans, named in the pack by their number."""
    data = FmcUia(RootOptions(root=realus))
    seen = {
        record.key.rpartition("/")[2].removesuffix(".png"): kinds(data.read_image(record))
        for record in data.all_records([])
        if record.task == "breast_lesion"
    }
    for number in (5, 204, 213, 216, 220, 231, 234, 244, 436):
        assert "a caliper" in seen[f"busi_benign_{number:03}"]
    for number in (4, 209, 225, 231, 409):
        assert "text" in seen[f"busi_benign_{number:03}"]
    for number in (7, 8, 17, 68, 70, 72, 77, 83, 88, 91, 92, 93, 100, 172, 173, 174, 175, 190):
        assert seen[f"busi_benign_{number:03}"] == []
