"""Draws lung images with findings, so that there is something to train on: made, not scans.

python tests/make_reports.py FOLDER
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image

FINDINGS = ("A-lines", "B-lines", "consolidation", "effusion")


def make_reports(folder: Path, images: int = 40, seed: int = 0) -> None:
    """Writes findings.csv and the images. Two images a patient."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "findings.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "patient", "findings"))
        for number in range(images):
            shown = [name for name in FINDINGS if rng.random() < 0.4]
            pixels = draw(shown, rng)
            Image.fromarray(pixels).save(folder / f"{number:03d}.png")
            table.writerow((f"{number:03d}.png", f"p{number // 2}", ";".join(shown) or "none"))


def draw(shown: list[str], rng: np.random.Generator, size: int = 96) -> np.ndarray:
    """uint8 (size, size) grey: a bright pleural line, and what hangs below it."""
    pixels = rng.gamma(2.0, 12.0, (size, size))
    pleura = int(rng.integers(size // 6, size // 4))
    pixels[pleura : pleura + 3] += 130
    if "A-lines" in shown:  # echoes of the pleural line, at multiples of its depth
        for depth in range(2 * pleura, size - 2, pleura):
            pixels[depth : depth + 2] += 70
    if "B-lines" in shown:  # bright streaks down to the lower edge
        for column in rng.choice(size - 6, 3, replace=False):
            pixels[pleura:, column : column + 5] += 80
    y, x = np.mgrid[:size, :size]
    if "consolidation" in shown:  # tissue-like and round
        cx, cy = rng.uniform(0.25, 0.75) * size, rng.uniform(0.5, 0.65) * size
        inside = np.hypot(x - cx, y - cy) < 0.17 * size
        pixels[inside] = 90 + 20 * rng.standard_normal(int(inside.sum()))
    if "effusion" in shown:  # fluid gives no echo
        pixels[int(rng.uniform(0.7, 0.8) * size) :] *= 0.1
    return pixels.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    make_reports(Path(sys.argv[1]))
