"""What the phantom's images cost: images a second on one core, over decoding a PNG of the size.

    python benchmarks/phantom.py [--size 128 --images 40 --rounds 5]

Every task is timed in turn, round after round, in one process, its images' reference in the same
round: read the ratios. The reference is OpenCV's decoder on the very images, kept as PNG in
memory: what a dataset of files would cost at the least. Seconds are of processor time, so that
other work on the computer counts little; one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from usmt import Record, load_catalogue, load_plugins
from usmt_phantom import Phantom


def rate(number: int, work: Callable[[], None]) -> float:
    """Images a second of processor time."""
    start = time.process_time()
    work()
    return number / (time.process_time() - start)


def make(dataset: Phantom, records: list[Record]) -> list[np.ndarray]:
    return [dataset.read_image(record) for record in records]


def decode(files: list[np.ndarray]) -> None:
    for file in files:
        cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = Phantom(Phantom.Options(images=options.images, size=options.size))
    tasks = load_catalogue(load_plugins()).tasks
    records = {name: dataset.records(task) for name, task in tasks.items()}
    # The first images also warm up.
    files = {
        name: [cv2.imencode(".png", image)[1] for image in make(dataset, ours)]
        for name, ours in records.items()
    }
    made: dict[str, list[float]] = {name: [] for name in tasks}
    decoded: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(options.rounds):
        for name, ours in records.items():
            made[name].append(rate(len(ours), lambda ours=ours: make(dataset, ours)))
            decoded[name].append(rate(len(ours), lambda name=name: decode(files[name])))
    print(
        f"{options.size} px, one thread, median of {options.rounds} rounds\n"
        f"{'images a second':28}{'phantom':>10}{'PNG':>10}{'ratio':>8}"
    )
    rates = {
        name: (statistics.median(made[name]), statistics.median(decoded[name])) for name in tasks
    }
    for name, (own, png) in sorted(rates.items(), key=lambda item: item[1][0]):
        print(f"{name:28}{own:10.0f}{png:10.0f}{own / png:8.3f}")
    # Harmonic: the rate of all tasks, each as often as the others.
    own, png = (statistics.harmonic_mean(column) for column in zip(*rates.values(), strict=True))
    print(f"{'all tasks':28}{own:10.0f}{png:10.0f}{own / png:8.3f}")


if __name__ == "__main__":
    main()
