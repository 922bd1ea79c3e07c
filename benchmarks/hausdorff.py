"""The Hausdorff distance beside SimpleITK's filter, which gives the same numbers, class by class.

    python benchmarks/hausdorff.py [--size 512]

A label is two organs side by side, and a prediction is the same, moved, with another outline and a
few wrong specks. Both are timed in turn, round after round, in one process: read the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import SimpleITK

from usmt import metrics

CLASSES = {"background": 0, "large organ": 1, "small organ": 2}
FARTHEST_SPECK = 0.1
"""Share of the side within which wrong specks lie around an organ."""


def draw(size: int, rng: np.random.Generator, *, predicted: bool) -> np.ndarray:
    """Classes (size, size)."""
    ys, xs = np.mgrid[:size, :size] / size
    mask = np.zeros((size, size), np.uint8)
    for k, (x, y, radius) in enumerate([(0.38, 0.45, 0.25), (0.78, 0.6, 0.08)], start=1):
        if predicted:
            x, y = rng.normal([x, y], 0.015)
        angle = np.arctan2(ys - y, xs - x)
        waves = sum(rng.normal(0, 0.02) * np.sin(n * angle + rng.uniform(0, 6)) for n in (2, 3, 5))
        mask[np.hypot(xs - x, ys - y) < radius * (1 + waves)] = k
        for _ in range(3 if predicted else 0):
            away = rng.uniform(-FARTHEST_SPECK, FARTHEST_SPECK, 2)
            mask[np.hypot(xs - x - away[0] - radius, ys - y - away[1]) < 0.005] = k
    return mask


def by_simpleitk(a: np.ndarray, b: np.ndarray) -> float:
    images = [SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in (a, b)]
    distance = SimpleITK.HausdorffDistanceImageFilter()
    distance.Execute(*images)
    return float(distance.GetHausdorffDistance())


def timed(measure: Callable[..., float], a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The distance, and the seconds it took."""
    start = time.perf_counter()
    value = measure(a, b)
    return value, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in CLASSES}
    apart = 0.0
    for number in range(options.pairs + 1):  # one to warm up
        masks = [draw(options.size, rng, predicted=predicted) for predicted in (True, False)]
        for name, k in CLASSES.items():
            a, b = (mask == k for mask in masks)
            ours, theirs = timed(metrics.hausdorff, a, b), timed(by_simpleitk, a, b)
            apart = max(apart, abs(ours[0] - theirs[0]))
            if number:
                times[name][0].append(ours[1])
                times[name][1].append(theirs[1])
    print(
        f"{options.size} x {options.size} px, {options.pairs} pairs, "
        f"largest difference {apart:.1e} px\n{'':12} {'usmt':>10} {'SimpleITK':>10} {'ratio':>7}"
    )
    for name, (ours, theirs) in times.items():
        fast, slow = statistics.median(ours), statistics.median(theirs)
        ratio = statistics.median(t / o for o, t in zip(ours, theirs, strict=True))
        print(f"{name:12} {1000 * fast:7.2f} ms {1000 * slow:7.2f} ms {ratio:6.1f}x")


if __name__ == "__main__":
    main()
