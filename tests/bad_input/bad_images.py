"""Bad images and masks."""

from __future__ import annotations

import numpy as np
from case import EVALUATE, TRAIN, Case
from damage import (
    Damage,
    both,
    cells,
    cut,
    folder_instead,
    link,
    png_of_size,
    put,
    redrawn,
    remove,
    saved_as,
    several_frames,
    with_palette,
)

IMAGE = "data/images/breast_2cls/01.png"
MASK = "data/masks/breast_lesion/01.png"
HERE = "csv_files/breast_2cls.csv:2"
LESION = "csv_files/breast_lesion.csv:2"


def image(name: str, damage: Damage, way_out: str, place: str = HERE) -> Case:
    return Case(f"image: {name}", damage, TRAIN, place, way_out)


def mask(name: str, damage: Damage, way_out: str) -> Case:
    return Case(f"mask: {name}", damage, TRAIN, LESION, way_out)


def coloured(pixels: np.ndarray) -> np.ndarray:
    return np.stack([pixels, 0 * pixels, 0 * pixels], axis=-1)


def half_seen(pixels: np.ndarray) -> np.ndarray:
    return np.stack([pixels, pixels, pixels, np.full_like(pixels, 128)], axis=-1)


IMAGES = [
    image("empty file", put(IMAGE, b""), "the file is empty"),
    image("PNG cut off", cut(IMAGE), "cannot be read"),
    image("PNG without its end", cut(IMAGE, 0.98), "cannot be read"),
    image("PNG of a few bytes", cut(IMAGE, 0.001), "cannot be read"),
    image("JPEG cut off", both(saved_as(IMAGE, "JPEG"), cut(IMAGE)), "truncated"),
    image("text", put(IMAGE, "patient 7, left breast\n"), "not an image"),
    image("a web page", put(IMAGE, "<html>404 not found</html>"), "not an image"),
    image("pixels as floats", redrawn(IMAGE, np.float32, format="TIFF"), "expected 8 or 16 bits"),
    image(
        "pixels of 32 bits",
        redrawn(IMAGE, lambda pixels: pixels.astype(np.int32) * 70_000, format="TIFF"),
        "more than 16 bits",
    ),
    image("TIFF of several pages", several_frames(IMAGE, "TIFF"), "expected one"),
    image("GIF that moves", several_frames(IMAGE, "GIF"), "expected one"),
    image("size 0 x 0", put(IMAGE, png_of_size(0, 0)), "cannot be read"),
    image("a bomb", put(IMAGE, png_of_size(60_000, 60_000)), "expected at most 100,000,000"),
    image("a small bomb", put(IMAGE, png_of_size(11_000, 11_000)), "expected at most 100,000,000"),
    image("another size than its pixels", put(IMAGE, png_of_size(500, 500)), "cannot be read"),
    image("missing", remove(IMAGE), "no such file"),
    image("a folder in its place", folder_instead(IMAGE), "no such file"),
    image("a link out of the root", link(IMAGE, "/etc/hostname"), "leaves the dataset's folder"),
    image("a link to nothing", link(IMAGE, "gone.png"), "no such file"),
    image("a link to itself", link(IMAGE, "01.png"), "is not a path"),
    image("no name", cells("breast_2cls", image_path=""), "image_path is empty"),
    image(
        "an absolute path",
        cells("breast_2cls", image_path="/etc/hostname"),
        "expected relative to csv_files/",
    ),
    image(
        "a path of Windows",
        cells("breast_2cls", image_path="C:\\images\\01.png"),
        "expected relative to csv_files/",
    ),
    image(
        "a path out of the root",
        cells("breast_2cls", image_path="../../config.yaml"),
        "leaves the dataset's folder",
    ),
    image("the root itself", cells("breast_2cls", image_path=".."), "no such file"),
    image("a path too long", cells("breast_2cls", image_path="a/" * 5000), "is not a path"),
    Case("image: lost after training", put(IMAGE, b"x"), EVALUATE, "01.png", "Restore the data"),
]

MASKS = [
    mask("another size", redrawn(MASK, lambda m: m[:-5]), "for an image of 240 x 201"),
    mask("values 0 and 255", redrawn(MASK, lambda m: m * 255), "255"),
    mask("a value beyond the classes", redrawn(MASK, lambda m: m * 2), "2"),
    mask("grey values of a JPEG", saved_as(MASK, "JPEG"), "expected"),
    mask("in colour", redrawn(MASK, coloured), "expected a grey PNG"),
    mask("partly transparent", redrawn(MASK, half_seen), "expected a grey PNG"),
    mask("a palette that says otherwise", with_palette(MASK, 1, 0), "expected a grey PNG"),
    mask("an index beyond its palette", with_palette(MASK, 0), "palette"),
    mask("of floats", redrawn(MASK, np.float32, format="TIFF"), "expected class ids"),
    mask("missing", remove(MASK), "no such file"),
    mask("empty file", put(MASK, b""), "the file is empty"),
    mask("cut off", cut(MASK), "cannot be read"),
    mask("no name", cells("breast_lesion", mask_path=""), "mask_path is empty"),
    mask("the image itself", link(MASK, "../../images/breast_lesion/01.png"), "expected"),
    mask("several pages", several_frames(MASK, "TIFF"), "expected one"),
]

CASES = [*IMAGES, *MASKS]
