"""Small images and masks in the layout of a public dataset, made by the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 48, 64


def write_image(
    path: Path, seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (HEIGHT, WIDTH)
) -> None:
    """Noise that depends on the names of file and folder, so that no two images are alike; JPEG or
    PNG by the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([seed, *f"{path.parent.name}/{path.name}".encode()]).integers(
        0, 256, (6, 8)
    )
    grey = Image.fromarray(noise.astype(np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)
    grey.convert(mode).save(path)


def disc(x: float = 30, y: float = 24, radius: float = 10) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH): 255 where the disc is."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.where((columns - x) ** 2 + (rows - y) ** 2 < radius**2, 255, 0).astype(np.uint8)


def write_mask(path: Path, mask: np.ndarray | None = None, mode: str = "L") -> None:
    """By default a disc."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(disc() if mask is None else mask).convert(mode)
    image.save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))
