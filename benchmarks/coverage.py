"""Whether a study's intervals cover what they should, on scores with a known difference.

    python benchmarks/coverage.py [--studies 2000] [--only seeds]

Each row is a kind of study, drawn again and again. Coverage is the percentage of 95 % intervals
that hold the true value; false alarms are the percentage of studies without any true difference
in which at least one comparison is significant after Holm's correction.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from usmt.output import Output
from usmt.study.results import Arm, MetricScores, RunRecord, StudyResults, StudyTask
from usmt.study.statistics import analyse

SHARED, OWN, SOURCE_BY_SEED, IMAGE = 1.0, 0.5, 0.3, 0.7
"""Standard deviations: of sources in all arms alike, in each arm, in each run; of images in it."""
SEPARATION = 2.0
"""Of the two classes' mean scores, for an AUC of about 0.86."""


@dataclass(frozen=True)
class Design:
    """A kind of study.

    Attributes:
        metric: `mean` or `auc`.
        noise: variance of a difference that comes of seeds, over that of test images.
        uneven: share of each arm's noise of seeds: the reference has this part of the others'.
        sizes: images of a source: `equal` 4, `uniform` 1 to 8, `geometric` with mean 4, or
            `lognormal` with a few very large.
        difference: true, of each arm against the reference, in the scores' unit.
        shared: whether all tasks have the same sources, and each arm one network.
    """

    metric: str = "mean"
    seeds: int = 3
    noise: float = 1.0
    sources: int = 40
    sizes: str = "geometric"
    tasks: int = 1
    arms: int = 1
    difference: float = 0.3
    uneven: float = 1.0
    shared: bool = False
    resamples: int = 400


@dataclass
class Tally:
    """Of many studies: intervals that hold the truth, and studies with a false alarm."""

    held: dict[str, list[bool]]
    alarms: list[bool]

    def percent(self, what: str) -> float:
        return 100 * float(np.mean(self.held[what])) if self.held.get(what) else float("nan")

    @property
    def false_alarms(self) -> float:
        return 100 * float(np.mean(self.alarms))


def measured(design: Design, studies: int, draw: int = 0) -> Tally:
    """`studies` studies of this design, analysed."""
    tally = Tally({}, [])
    silent = Output(stdout=io.StringIO(), stderr=io.StringIO())
    for number in range(studies):
        rng = np.random.default_rng([draw, number])
        results = drawn(design, rng)
        found = analyse(results, silent)
        true = true_difference(design)
        for each in found.comparisons:
            interval = each.difference
            tally.held.setdefault("difference", []).append(interval.low <= true <= interval.high)
            if design.metric == "mean":
                interval, share = each.relative, true / LEVEL
                tally.held.setdefault("relative", []).append(interval.low <= share <= interval.high)
        for mean in found.means:
            if mean.kind == "all" and design.metric == "mean" and design.tasks > 1:
                interval, share = mean.relative, true / LEVEL
                tally.held.setdefault("mean", []).append(interval.low <= share <= interval.high)
        tally.alarms.append(any(each.p_holm < 0.05 for each in found.comparisons))
    return tally


LEVEL = 10.0


def drawn(design: Design, rng: np.random.Generator) -> StudyResults:
    """One study."""
    arms = [Arm("ts", "ts", False), *(Arm(f"a{i}", f"a{i}", True) for i in range(design.arms))]
    sources = np.repeat(np.arange(design.sources), sizes_of(design, rng))
    scores = []
    for task in range(design.tasks):
        if not design.shared:
            sources = np.repeat(np.arange(design.sources), sizes_of(design, rng))
        if task == 0 or not design.shared:
            luck = luck_of(design, sources, rng)
        rows = rows_of(design, sources, luck, rng)
        names = np.char.add(f"{'all' if design.shared else task}-", sources.astype(str))
        pool = auc if design.metric == "auc" else mean
        scores.append(MetricScores(f"t{task}", "score", True, 1.0, names, rows, pool))
    return StudyResults(
        title="",
        arms=arms,
        reference="ts",
        tasks=[
            StudyTask(one.task, "", "any", "", "score", {1.0: 100}, len(one.sources), 0)
            for one in scores
        ],
        groups={},
        published_means={},
        scores=scores,
        seeds=range(design.seeds),
        fractions=[1.0],
        runs=[
            run_of(arm.name, task.task, seed, design)
            for arm in arms
            for task in scores
            for seed in range(design.seeds)
        ],
        settings={},
        data={},
        synthetic=True,
        resamples=design.resamples,
    )


def run_of(arm: str, task: str, seed: int, design: Design) -> RunRecord:
    """Which network an arm trains for a task."""
    unit = arm if design.shared else f"{arm}-{task}"
    return RunRecord(
        f"{unit}-{task}-{seed}", unit, [arm], [task], False, seed, 1.0, None, True, "finished"
    )


def sizes_of(design: Design, rng: np.random.Generator) -> np.ndarray:
    n = design.sources
    return {
        "equal": lambda: np.full(n, 4),
        "uniform": lambda: rng.integers(1, 9, n),
        "geometric": lambda: rng.geometric(0.25, n),
        "lognormal": lambda: np.ceil(2 * np.exp(rng.normal(0, 1, n))).astype(int),
    }[design.sizes]()


def luck_of(design: Design, sources: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What each arm's seeds add to its scores: (arms + 1, S)."""
    share = np.bincount(sources) / len(sources)
    over_images = 2 * (OWN**2 + SOURCE_BY_SEED**2 / design.seeds) * (share**2).sum()
    over_images += 2 * IMAGE**2 / design.seeds / len(sources)
    spread = np.sqrt(design.noise * over_images * design.seeds / 2)
    luck = rng.normal(0, spread, (design.arms + 1, design.seeds))
    luck[0] *= design.uneven
    return luck


def rows_of(
    design: Design, sources: np.ndarray, luck: np.ndarray, rng: np.random.Generator
) -> dict[tuple[str, int], np.ndarray]:
    n, count = design.sources, len(sources)
    easy = rng.normal(0, SHARED, n)[sources]
    labels = (rng.permutation(n) < n / 2)[sources].astype(float)
    rows = {}
    for arm in range(design.arms + 1):
        own = rng.normal(0, OWN, n)[sources]
        for seed in range(design.seeds):
            noise = rng.normal(0, SOURCE_BY_SEED, n)[sources] + rng.normal(0, IMAGE, count)
            shift = luck[arm, seed] + (design.difference if arm else 0)
            name = "ts" if arm == 0 else f"a{arm - 1}"
            if design.metric == "mean":
                rows[name, seed] = (LEVEL + easy + own + noise + shift)[:, None]
            else:
                value = labels * (SEPARATION + shift) + easy + own + noise
                rows[name, seed] = np.stack([labels, value], axis=1)
    return rows


def true_difference(design: Design) -> float:
    """Over all images and seeds; of an AUC, its noise of seeds being small."""
    if design.metric == "mean":
        return design.difference
    spread = np.sqrt(2 * (SHARED**2 + OWN**2 + SOURCE_BY_SEED**2 + IMAGE**2))
    at = NormalDist().cdf
    return at((SEPARATION + design.difference) / spread) - at(SEPARATION / spread)


def mean(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights @ rows[:, 0] / weights.sum(axis=1)


def auc(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(rows[:, 1])
    labels, weights = rows[order, 0], weights[:, order]
    ours, others = weights * labels, weights * (1 - labels)
    above = (ours * np.cumsum(others, axis=1)).sum(axis=1)
    return above / (ours.sum(axis=1) * others.sum(axis=1))


def designs() -> Iterator[tuple[str, Design]]:
    base = Design()
    for metric in ("mean", "auc"):
        for seeds in (2, 3, 5):
            for noise in (0.0, 0.1, 1.0, 10.0):
                row = replace(base, metric=metric, seeds=seeds, noise=noise)
                yield "seeds", row
        yield "one seed", replace(base, metric=metric, seeds=1, noise=0.0)
        for sources in (8, 20, 100, 200):
            for sizes in ("equal", "uniform", "geometric", "lognormal"):
                row = replace(base, metric=metric, sources=sources, sizes=sizes, noise=0.3)
                yield "sources", row
    for seeds in (2, 3, 5):
        for noise in (0.1, 1.0, 10.0):
            yield "uneven", replace(base, seeds=seeds, noise=noise, uneven=0.0)
    for metric in ("mean", "auc"):
        for seeds in (2, 3, 5):
            for noise in (0.0, 0.1, 1.0, 10.0):
                for shared in (False, True):
                    row = replace(base, metric=metric, seeds=seeds, noise=noise, shared=shared)
                    yield "tasks", replace(row, tasks=9, arms=2, difference=0.0, sources=30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, help="of each design")
    parser.add_argument("--only", help="rows of this kind: seeds, sources, uneven, tasks, ...")
    options = parser.parse_args()
    print(
        f"{'':9}{'metric':>7}{'seeds':>6}{'noise':>6}{'sources':>8} {'sizes':10}{'tasks':>6}"
        f"{'difference':>11}{'relative':>9}{'mean':>7}{'alarms':>7}"
    )
    for kind, design in designs():
        if options.only not in (None, kind):
            continue
        studies = options.studies // design.tasks if design.tasks > 1 else options.studies
        found = measured(design, max(studies, 100))
        alarms = f"{found.false_alarms:7.1f}" if design.difference == 0 else f"{'':7}"
        print(
            f"{kind:9}{design.metric:>7}{design.seeds:6}{design.noise:6.1f}{design.sources:8} "
            f"{design.sizes:10}{design.tasks:6}{' shared' if design.shared else '':7}"
            f"{found.percent('difference'):6.1f}{found.percent('relative'):7.1f}"
            f"{found.percent('mean'):7.1f}{alarms}",
            flush=True,
        )


if __name__ == "__main__":
    main()
