"""How exactly ellipses are measured from masks, beside OpenCV's fit to the outermost pixels.

python benchmarks/ellipse.py
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

from usmt import ellipse_circumference
from usmt_segmentation.measurements import fitted_axes

SHORT_AXES = (20, 30, 40, 60, 120, 200)
Axes = tuple[float, float]


def draw(axes: Axes, rng: np.random.Generator) -> np.ndarray:
    """The pixels whose centres lie in an ellipse, at any angle and place; bool (H, W)."""
    side = int(axes[0]) + 8
    x, y = np.indices((side, side)) - side / 2 + rng.uniform(-0.5, 0.5, (2, 1, 1))
    t = rng.uniform(0, np.pi)
    along, across = x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)
    return (2 * along / axes[0]) ** 2 + (2 * across / axes[1]) ** 2 <= 1


def outermost_pixels(held: np.ndarray) -> Axes:
    outlines, _ = cv2.findContours(held.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    short, long = sorted(cv2.fitEllipse(outlines[0])[1])
    return long, short


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=int, default=1500, help="of each size")
    count, rng = parser.parse_args().masks, np.random.default_rng(0)
    print("errors in percent: circumference mean, largest; axes largest; outermost pixels mean")
    for short in SHORT_AXES:
        errors, axis_errors, others = [], [], []
        for _ in range(count):
            true = (short * rng.uniform(1, 2), float(short))
            held, around = draw(true, rng), ellipse_circumference(*true)
            found = fitted_axes(held, (1, 1))
            errors.append(ellipse_circumference(*found) / around - 1)
            axis_errors.append(np.abs(np.divide(found, true) - 1).max())
            others.append(ellipse_circumference(*outermost_pixels(held)) / around - 1)
        row = (np.mean(errors), np.abs(errors).max(), np.max(axis_errors), np.mean(others))
        print(f"{short:4} px" + "".join(f"{100 * value:9.3f}" for value in row))


if __name__ == "__main__":
    main()
