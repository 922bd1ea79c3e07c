"""Draws examinations in the layout of `wardbook`, to try it on: made, not scans.

python tests/make_wardbook.py FOLDER
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PIXEL_MM = 0.2


def make_wardbook(folder: Path, patients: int = 10, seed: int = 0) -> None:
    """Two images a patient, PNG and TIFF; three fifths of the patients for training."""
    rng = np.random.default_rng(seed)
    sides = ["patient,side"]
    for number in range(patients):
        patient = folder / f"P{number:03d}"
        patient.mkdir(parents=True)
        sides.append(f"{patient.name},{('train', 'train', 'val', 'test', 'train')[number % 5]}")
        for name in ("left.png", "right.tif"):
            pixels, annotation = draw(malignant=number % 2 == 1, rng=rng)
            Image.fromarray(pixels).save(patient / name)
            text = json.dumps({"image": name, **annotation}, indent=1)
            (patient / name).with_suffix(".json").write_text(text, encoding="utf-8")
    (folder / "split.csv").write_text("\n".join(sides) + "\n", encoding="utf-8")


def draw(malignant: bool, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """A dark lesion in speckle, uint8 (72, 96), a malignant one with spikes; its annotation."""
    height, width = 72, 96
    cx, cy = rng.uniform(0.4, 0.6) * width, rng.uniform(0.4, 0.6) * height
    long, short = rng.uniform(14, 22), rng.uniform(9, 14)
    angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    radius = 1 + (0.25 * np.cos(9 * angles) if malignant else 0)
    outline = np.stack([cx + long * radius * np.cos(angles), cy + short * radius * np.sin(angles)])
    y, x = np.mgrid[:height, :width]
    around = np.arctan2((y - cy) / short, (x - cx) / long)
    edge = 1 + (0.25 * np.cos(9 * around) if malignant else 0)
    inside = np.hypot((x - cx) / long, (y - cy) / short) < edge
    pixels = rng.gamma(3.0, 30.0, (height, width)) * np.where(inside, 0.25, 1.0)
    calipers = {
        "length": [[cx - long, cy], [cx + long, cy]],
        "depth": [[cx, cy - short], [cx, cy + short]],
    }
    annotation = {
        "pixel_mm": [PIXEL_MM, PIXEL_MM],
        "diagnosis": "malignant" if malignant else "benign",
        "outlines": {"lesion": [outline.T.round(2).tolist()]},
        "calipers": {
            name: {"ends": ends, "mm": round(math.dist(*ends) * PIXEL_MM, 1)}
            for name, ends in calipers.items()
        },
    }
    return pixels.clip(0, 255).astype(np.uint8), annotation


if __name__ == "__main__":
    make_wardbook(Path(sys.argv[1]))
