"""Results of a study that never ran: scores drawn with differences that are known.

`simulated_study()` has gains, harms, a neutral task and undecided ones, in all four task types.
Options add fractions, both MoE variants, failed runs, more tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from usmt.study.results import Arm, MetricScores, RunRecord, StudyResults, StudyTask

GROUPS = {"ob": "Obstetrics", "breast": "Breast", "lung": "Lung"}
TS = Arm("ts", "ts", False)


@dataclass(frozen=True)
class Planted:
    """A task and what training it with others truly does to it.

    Attributes:
        better: change by paradigm, in the metric's unit, turned so that more is better.
        level: the score of the reference; for classification the distance of the classes' means.
        noise: standard deviations of the score: from source to source (what an arm has of its
            own), from image to image, and from seed to seed.
    """

    id: str
    type: Literal["segmentation", "classification", "regression", "detection"]
    group: str
    better: Mapping[str, float] = field(default_factory=dict)
    level: float = 0.8
    noise: tuple[float, float, float] = (0.02, 0.04, 0.004)
    training_images: int = 1000
    images: int = 120
    sources: int = 60


FEW_IMAGES: dict[str, Any] = {"training_images": 260, "images": 24, "sources": 8}
PLANTED = (
    Planted("fetal_head", "segmentation", "ob", {"cg": 0.002, "au": 0.001}, training_images=4000),
    Planted("fetal_abdomen_multi", "segmentation", "ob", {"cg": 0.11, "au": 0.16}, 0.6),
    Planted(
        *("FUGC", "regression", "ob", {"cg": 9, "au": 14}, 30),
        noise=(3, 6, 0.8),
        training_images=400,
    ),
    Planted("fetal_plane_cls", "classification", "ob", {"cg": 0.5, "au": 0.5}, 1.2),
    Planted("breast_lesion", "segmentation", "breast", {"cg": -0.25, "au": -0.08}, 0.71),
    Planted("breast_2cls", "classification", "breast", {}, 1.5, (0.8, 1, 0.1), **FEW_IMAGES),
    Planted("lung", "segmentation", "lung", {"cg": -0.2, "au": 0.07}, training_images=500),
    Planted("lung_2cls", "classification", "lung", {"cg": -0.8, "au": 0.0}, 1.6),
    Planted(
        *("thyroid_nodule_det", "detection", "", {"au": 0.01}, 0.5), (0.15, 0.2, 0.03), **FEW_IMAGES
    ),
)


def simulated_study(
    planted: Sequence[Planted] = PLANTED,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    fractions: Sequence[float] = (1.0,),
    moe: Literal["paper", "both"] = "paper",
    failed: Collection[tuple[str, int]] = (),
    published: bool = True,
    synthetic: bool = True,
    resamples: int = 500,
    draw: int = 0,
) -> StudyResults:
    """A study's results.

    Args:
        fractions: of the training data. Below all of it every score is lower, and with a tenth
            of the data training with others gains less or turns to harm, except in the group
            `lung`, where it is the other way round.
        failed: (unit, seed) of runs that failed, e.g. `("cg-breast", 1)`, `("ts-lung", 0)`,
            `("au", 2)`; with both MoE variants `("cg-breast-moe", 1)`.
        published: whether tasks and groups have published numbers.
        draw: seed of the simulation; the same draw gives the same results.
    """
    arms = _arms(planted, moe)
    return StudyResults(
        title="Simulated study",
        arms=arms,
        reference="ts",
        tasks=[_task(task, fractions, published) for task in planted],
        groups=_groups(planted),
        published_means={
            "ob": {"cg": 2.93, "au": 3.76},
            "breast": {"cg": -0.29, "au": -0.02},
            "lung": {"cg": -0.07, "au": 0.07},
        }
        if published
        else {},
        seeds=seeds,
        fractions=fractions,
        scores=[
            scores
            for number, task in enumerate(planted)
            for fraction in fractions
            for scores in _scores(task, arms, seeds, fraction, failed, (draw, number))
        ],
        runs=list(_runs(planted, arms, seeds, fractions, failed)),
        settings={
            "groups": list(_groups(planted)),
            "paradigms": ["ts", "cg", "au"],
            "moe": moe,
            "seeds": list(seeds),
            "fractions": list(fractions),
            "budget": {"epochs": 30},
            "learning_rate_factors": [0.3, 1.0, 3.0],
        },
        data={
            "phantom": {
                "fingerprint": "7b1d5e0c92aa41f3",
                "records": sum(task.training_images + task.images for task in planted),
                "train": sum(task.training_images for task in planted),
                "test": sum(task.images for task in planted),
            }
        },
        synthetic=synthetic,
        resamples=resamples,
    )


def _groups(planted: Sequence[Planted]) -> dict[str, str]:
    return {name: GROUPS[name] for name in GROUPS if any(task.group == name for task in planted)}


def _arms(planted: Sequence[Planted], moe: str) -> list[Arm]:
    paradigms = [name for name in ("cg", "au") if name == "au" or any(t.group for t in planted)]
    if moe == "paper":
        return [TS, *(Arm(name, name, True) for name in paradigms)]
    kinds = (("moe", True), ("dense", False))
    return [TS, *(Arm(f"{name}-{kind}", name, has) for name in paradigms for kind, has in kinds)]


def _unit(arm: Arm, task: Planted) -> str:
    """The network that trains a task in an arm; empty if none does."""
    if arm.paradigm == "ts":
        return f"ts-{task.id}"
    if arm.paradigm == "cg":
        return arm.name.replace("cg", f"cg-{task.group}", 1) if task.group else ""
    return arm.name


METRICS = {
    "segmentation": (("dice", True), ("hausdorff", False)),
    "classification": (("auc", True), ("accuracy", True)),
    "regression": (("mre", False),),
    "detection": (("iou", True),),
}


def _task(task: Planted, fractions: Sequence[float], published: bool) -> StudyTask:
    metrics = [name for name, _ in METRICS[task.type]]
    known = {
        "FUGC": {"ts": {"mre": 30.4}, "au": {"mre": 15.6}},
        "breast_lesion": {"ts": {"dice": 0.713}, "cg": {"dice": 0.145}},
        "lung": {"ts": {"dice": 0.801}, "cg": {"dice": 0.576}},
    }
    return StudyTask(
        id=task.id,
        title=task.id.replace("_", " ").capitalize(),
        type=task.type,
        group=task.group,
        primary=metrics[0],
        training_images={part: round(part * task.training_images) for part in fractions},
        test_images=task.images,
        test_sources=task.sources,
        trivial={metrics[0]: {"auc": 0.5, "mre": 80.0}.get(metrics[0], 0.2)},
        published=known.get(task.id, {}) if published else {},
    )


def true_change(task: Planted, arm: Arm, fraction: float) -> float:
    """What an arm truly changes, turned so that more is better."""
    change = task.better.get(arm.paradigm, 0.0)
    if fraction < 1:
        doublings = float(np.log2(fraction))
        change += (-0.4 if task.group == "lung" else 0.4) * abs(change) * doublings
    if arm.paradigm != "ts" and not arm.moe:
        change -= 0.3 * abs(change)  # without a mixture of experts, a little worse
    return change


def _scores(
    task: Planted,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    fraction: float,
    failed: Collection[tuple[str, int]],
    draw: tuple[int, int],
) -> Iterator[MetricScores]:
    rng = np.random.default_rng([*draw, round(1000 * fraction)])
    owners = np.sort(np.r_[np.arange(task.sources), _unequal(rng, task)])
    between, within, across = task.noise
    easy = rng.normal(0, 2 * between, task.sources)[owners] + rng.normal(0, within, task.images)
    sharp = task.level * (1 + (0.05 if task.type == "regression" else -0.05) * -np.log2(fraction))
    labels = (rng.permutation(task.sources) < task.sources / 2)[owners].astype(float)
    sign = -1 if task.type == "regression" else 1
    values: dict[tuple[str, int], np.ndarray] = {}
    for arm in arms:
        own = rng.normal(0, between / 2, task.sources)[owners]
        for seed in seeds:
            shift = sign * true_change(task, arm, fraction) + rng.normal(0, across)
            noise = easy + own + rng.normal(0, within / 2, task.images)
            unit = _unit(arm, task)
            if unit and (unit, seed) not in failed:
                values[arm.name, seed] = (
                    labels * (sharp + shift) + noise / within
                    if task.type == "classification"
                    else sharp + shift + noise
                )
    sources = np.array([f"{task.id}-{owner:03}" for owner in owners])
    for metric, more in METRICS[task.type]:
        rows = {key: _rows(metric, value, labels, sharp) for key, value in values.items()}
        pool = {"auc": auc, "accuracy": accuracy}.get(metric, mean)
        yield MetricScores(task.id, metric, more, fraction, sources, rows, pool)


def _unequal(rng: np.random.Generator, task: Planted) -> np.ndarray:
    """Owners of the images beyond one each: some sources have many."""
    share = rng.exponential(1, task.sources)
    return rng.choice(task.sources, task.images - task.sources, p=share / share.sum())


def _rows(metric: str, value: np.ndarray, labels: np.ndarray, sharp: float) -> np.ndarray:
    if metric in ("auc", "accuracy"):
        return np.stack([labels, value - sharp / 2], axis=1)
    if metric == "hausdorff":
        return (60 * np.abs(1 - value))[:, None]
    return (np.maximum(value, 0) if metric == "mre" else np.clip(value, 0, 1))[:, None]


def _runs(
    planted: Sequence[Planted],
    arms: Sequence[Arm],
    seeds: Sequence[int],
    fractions: Sequence[float],
    failed: Collection[tuple[str, int]],
) -> Iterator[RunRecord]:
    """One a network, seed and fraction."""
    for arm in arms:
        units: dict[str, list[Planted]] = {}
        for task in planted:
            if unit := _unit(arm, task):
                units.setdefault(unit, []).append(task)
        for unit, tasks in units.items():
            images = sum(task.training_images for task in tasks)
            for seed in seeds:
                for fraction in fractions:
                    lost = (unit, seed) in failed
                    yield RunRecord(
                        id=f"{unit}-f{round(100 * fraction)}-s{seed}",
                        unit=unit,
                        arms=[arm.name],
                        tasks=[task.id for task in tasks],
                        moe=arm.moe,
                        seed=seed,
                        fraction=fraction,
                        factor=1.0,
                        chosen=True,
                        state="failed" if lost else "finished",
                        epochs=None if lost else 30,
                        steps=None if lost else round(30 * images * fraction / 16),
                        parameters=22_000_000 + 7_000_000 * arm.moe,
                        seconds=None if lost else 0.4 * images * fraction,
                        selection=None if lost else 0.75,
                        failure="the loss stayed non-finite for 20 steps" if lost else "",
                    )


# -- metrics over many samples: rows (N, V), weights (R, N) -> (R,)


def mean(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of the first column."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights @ rows[:, 0] / weights.sum(axis=1)


def accuracy(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of rows (label, score), a positive score standing for label 1."""
    return mean(((rows[:, 1] > 0) == rows[:, 0]).astype(float)[:, None], weights)


def auc(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of rows (label, score) without ties; NaN where a sample has one class only."""
    order = np.argsort(rows[:, 1])
    positive, weights = rows[order, 0], weights[:, order].astype(float)
    ours, others = weights * positive, weights * (1 - positive)
    below = np.cumsum(others, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ours * below).sum(axis=1) / (ours.sum(axis=1) * others.sum(axis=1))
