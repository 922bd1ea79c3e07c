"""What the cache of prepared images is worth: images a second on one core, with it and without.

    python benchmarks/loading.py [--size 256 --images 64 --rounds 5]

The images are PNGs of 640 x 480 with speckle, grey, coloured, and grey stored as RGB, in a folder
laid out as the challenge's. `load` is decoding, checking and fitting one image with its label;
`train` is what a training process does, with augmentation and batches of 16. Both ways are timed in
turn, round after round, in one process: read the ratios. Seconds are of processor time, one
thread; nothing is kept in memory. Fingerprints are taken before, once a run, and timed apart.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from usmt import RootOptions, load_catalogue, load_plugins
from usmt.data.augment import Augmentation
from usmt.data.cache import ImageCache
from usmt.data.collection import TaskData, make_task_type
from usmt.data.images import Images
from usmt.data.loader import TrainingSamples, collate
from usmt.data.sampler import Draw
from usmt.output import Output
from usmt.train.config import AugmentSettings

TASKS = ("breast_2cls", "breast_lesion")
KINDS = ("grey", "grey as RGB", "coloured")
HEIGHT, WIDTH, BATCH = 480, 640, 16


def draw(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image with speckle, uint8 (H, W) or (H, W, 3), and the mask of a dark ellipse in it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centre, radii = rng.uniform(0.3, 0.7, 2), rng.uniform(0.1, 0.25, 2)
    mask = ((y / HEIGHT - centre[0]) / radii[0]) ** 2 + ((x / WIDTH - centre[1]) / radii[1]) ** 2
    mask = (mask < 1).astype(np.uint8)
    tissue = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH)), (0, 0), 15) * 20 + 1
    echo = np.exp(tissue - 2 * mask)
    waves = [cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH)), (0, 0), 2, 1) for _ in "ab"]
    brightness = 20 * np.log10(echo * np.hypot(*waves) + 1e-6)
    grey = np.clip(170 + 5 * brightness, 0, 255).astype(np.uint8)
    if kind == "grey":
        return grey, mask
    image = np.repeat(grey[..., None], 3, axis=2)
    if kind == "coloured":  # a colour bar, as scanners draw it
        image[40:240, -30:-10] = cv2.applyColorMap(grey[40:240, :20], cv2.COLORMAP_JET)
    return image, mask


def lay_out(root: Path, kind: str, number: int) -> None:
    """Writes the images, their masks and the tables of both tasks."""
    rng = np.random.default_rng(0)
    for folder in ("csv_files", "images", "masks"):
        (root / folder).mkdir(parents=True)
    rows: dict[str, list[list[object]]] = {task: [] for task in TASKS}
    for index in range(number):
        image, mask = draw(kind, rng)
        name = f"{index:04d}.png"
        cv2.imwrite(str(root / "images" / name), image)
        cv2.imwrite(str(root / "masks" / name), mask)
        path = f"../images/{name}"
        rows["breast_2cls"].append(["breast_2cls", "classification", 2, path, index % 2])
        rows["breast_lesion"].append(["breast_lesion", "segmentation", 2, path, f"../masks/{name}"])
    for task, label in zip(TASKS, ("mask", "mask_path"), strict=True):
        with (root / "csv_files" / f"{task}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["task_id", "task_name", "num_classes", "image_path", label])
            writer.writerows(rows[task])


def read(root: Path, name: str) -> TaskData:
    plugins = load_plugins()
    spec = load_catalogue(plugins).task(name)
    dataset = plugins.dataset("fmc_uia")(RootOptions(root=root))
    records = {"train": dataset.records(spec), "val": [], "test": []}
    return TaskData(spec, make_task_type(plugins, spec.type, {}), dataset, records)


def load(images: Images) -> None:
    for task in images.tasks.values():
        for record in task.records["train"]:
            images.fitted(task, record)


def train(images: Images, draws: Sequence[Draw]) -> None:
    samples = TrainingSamples(images, Augmentation(**AugmentSettings().model_dump()))
    for first in range(0, len(draws), BATCH):
        collate([samples[draw] for draw in draws[first : first + BATCH]], images.positions)


def rate(number: int, work: Callable[[], None]) -> float:
    """Images a second of processor time."""
    start = time.process_time()
    work()
    return number / (time.process_time() - start)


def measure(task: TaskData, cache: Path, options: argparse.Namespace, turn: int) -> list[float]:
    """One round: the rates of load and train, each without and with the cache, and of filling it
    and of the fingerprints."""
    name, number = task.spec.id, options.images
    size = (options.size, options.size)
    plain = Images({name: task}, [name], size, 0)
    kept = Images({name: task}, [name], size, 0, ImageCache(cache, 2**33, print))
    draws = [Draw(name, index, (turn, index)) for index in range(number)]
    fingerprint = rate(number, lambda: kept.look_up(("train",), Output.silent()))
    fill = rate(number, lambda: load(kept))
    return [
        rate(number, lambda: load(plain)),
        rate(number, lambda: load(kept)),
        rate(number, lambda: train(plain, draws)),
        rate(number, lambda: train(kept, draws)),
        fill,
        fingerprint,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(
        f"images a second; {WIDTH} x {HEIGHT} fitted to {options.size} px, one thread, median of "
        f"{options.rounds} rounds\n{'':27}{'load':>8}{'cached':>8}{'ratio':>7}"
        f"{'train':>10}{'cached':>8}{'ratio':>7}{'fill':>10}{'fingerprint':>13}"
    )
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "data"
            lay_out(root, kind, options.images)
            for name in TASKS:
                task = read(root, name)
                rounds = [
                    measure(task, Path(folder) / f"{name}-{turn}", options, turn)
                    for turn in range(options.rounds + 1)
                ]
                rates = map(statistics.median, zip(*rounds[1:], strict=True))  # one to warm up
                load_, load_kept, train_, train_kept, fill, fingerprint = rates
                print(
                    f"{kind:12} {name:14}"
                    f"{load_:8.0f}{load_kept:8.0f}{load_kept / load_:7.1f}"
                    f"{train_:10.0f}{train_kept:8.0f}{train_kept / train_:7.1f}"
                    f"{fill:10.0f}{fingerprint:13.0f}"
                )


if __name__ == "__main__":
    main()
