"""The score of each arm on each task, and how it moves from sample to sample and seed to seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from usmt.output import Output
from usmt.study.results import MetricScores, StudyResults
from usmt.study.statistics.resampling import Clusters, Population, populations
from usmt.study.statistics.training_noise import Noise, Prior

Key = tuple[str, str, str, float]
"""Task, metric, arm, fraction."""
ROUNDING = 1e-12
"""Moves below this part of a score are those of its arithmetic."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One arm on one task, by one metric, at one fraction of the training data.

    Attributes:
        sign: 1 if more is better, else -1.
        network: what its runs trained; cells of one network share their seeds' luck.
        population: number of the population of its test images.
        seeds: S of them.
        scores: (S,) on the test images themselves.
        moves: (R, S) scores of the samples less their mean, corrected for few sources.
        noise: of one run's score, from seed to seed; None where nothing tells it.
    """

    task: str
    metric: str
    arm: str
    fraction: float
    sign: int
    network: str
    population: int
    seeds: tuple[int, ...]
    scores: np.ndarray
    moves: np.ndarray
    images: int
    clusters: Clusters
    noise: Noise | None = None

    @property
    def key(self) -> Key:
        return self.task, self.metric, self.arm, self.fraction

    @property
    def score(self) -> float:
        """The mean over seeds."""
        return float(self.scores.mean())


def seed_by_image(moves: np.ndarray) -> float:
    """The part of the variance over seeds that other test images would have made otherwise: it is
    in the variance over samples already. `moves` (R, S); NaN for one seed."""
    if moves.shape[1] < 2:
        return float("nan")
    own = moves - moves.mean(axis=1, keepdims=True)
    own = own[np.isfinite(own).all(axis=1)]
    return float(own.var(axis=0).sum() / (moves.shape[1] - 1)) if len(own) else float("nan")


def measure(results: StudyResults, output: Output) -> dict[Key, Cell]:
    """All cells; those of arms without a score are not there."""
    networks = _networks(results)
    cells: dict[Key, Cell] = {}
    with (
        output.progress("resampling", sum(len(one.rows) for one in results.scores)) as bar,
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")  # a metric that a sample does not define is NaN
        for number, population in enumerate(populations(results.scores)):
            samples = _sampled(population, results.resamples, number, bar.advance)
            for scores, sampled in zip(population.scores, samples, strict=True):
                for cell in _cells(scores, sampled, number, networks):
                    cells[cell.key] = cell
    primary = {task.id: task.primary for task in results.tasks}
    return _with_noise(cells, primary)


def _networks(results: StudyResults) -> dict[tuple[str, str], str]:
    """By arm and task."""
    return {(arm, task): run.unit for run in results.runs for arm in run.arms for task in run.tasks}


def _sampled(
    population: Population, resamples: int, number: int, advance: Callable[[], None]
) -> list[np.ndarray]:
    """For each of the population's scores, (runs, R)."""
    sampled = [np.empty((len(one.rows), resamples)) for one in population.scores]
    places = [
        np.searchsorted(population.sources, one.sources.astype(str)) for one in population.scores
    ]
    start = 0
    for block in population.samples(resamples, number):
        stop = start + len(block)
        for scores, place, into in zip(population.scores, places, sampled, strict=True):
            weights = block[:, place]
            for run, rows in enumerate(scores.rows.values()):
                into[run, start:stop] = _pooled(scores, rows, weights)
                if stop == resamples:
                    advance()
        start = stop
    return sampled


def _pooled(scores: MetricScores, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if not len(rows):
        return np.full(len(weights), np.nan)
    return np.asarray(scores.pool(rows, weights), np.float64)


def _cells(
    scores: MetricScores,
    sampled: np.ndarray,
    population: int,
    networks: Mapping[tuple[str, str], str],
) -> Iterator[Cell]:
    runs = {key: at for at, key in enumerate(scores.rows)}
    clusters = Clusters.of(scores.sources)
    once = np.ones((1, len(scores.sources)))
    first = _first_of_its_rows(scores)
    for arm in dict.fromkeys(arm for arm, _ in scores.rows):
        seeds = tuple(scores.seeds(arm))
        at = np.array([_pooled(scores, scores.rows[arm, seed], once)[0] for seed in seeds])
        of_arm = sampled[[runs[arm, seed] for seed in seeds]].T
        moves = of_arm - np.nanmean(of_arm, axis=0)
        moves[np.abs(moves) < ROUNDING * np.abs(at)] = 0
        yield Cell(
            task=scores.task,
            metric=scores.metric,
            arm=arm,
            fraction=scores.fraction,
            sign=scores.sign,
            network=f"{networks.get((first[arm], scores.task), first[arm])} at {scores.fraction}",
            population=population,
            seeds=seeds,
            scores=at,
            moves=moves * np.sqrt(clusters.correction),
            images=len(scores.sources),
            clusters=clusters,
        )


def _first_of_its_rows(scores: MetricScores) -> dict[str, str]:
    """By arm, the first arm that has the very same rows: one network's, given twice. Rows that
    are merely equal may be those of two networks that answer alike."""
    seen: dict[tuple[tuple[int, int], ...], str] = {}
    return {
        arm: seen.setdefault(tuple((s, id(scores.rows[arm, s])) for s in scores.seeds(arm)), arm)
        for arm in dict.fromkeys(arm for arm, _ in scores.rows)
    }


def _with_noise(cells: dict[Key, Cell], primary: Mapping[str, str]) -> dict[Key, Cell]:
    """The cells with the noise of their training, each informed by the other networks' at its
    fraction; secondary metrics by themselves."""
    scales: dict[tuple[str, str, float], list[float]] = {}
    families: dict[tuple[float, bool], list[Cell]] = {}
    for cell in cells.values():
        if len(cell.seeds) > 1:
            scale = cell.clusters.number * seed_by_image(cell.moves)
            scales.setdefault(_place(cell), []).append(scale)
        first = cell.metric == primary.get(cell.task)
        families.setdefault((cell.fraction, first), []).append(cell)
    scale_of = {place: float(np.mean(several)) for place, several in scales.items()}
    informed: dict[Key, Cell] = {}
    for family in families.values():
        prior = _common(family, scale_of)
        for cell in family:
            noise = prior.inform(Noise.of(cell.scores), scale_of.get(_place(cell), float("nan")))
            informed[cell.key] = replace(cell, noise=noise)
    return informed


def _common(family: Sequence[Cell], scale_of: Mapping[tuple[str, str, float], float]) -> Prior:
    """What their networks have in common: the tasks of one share its luck, so each counts once."""
    networks: dict[str, list[tuple[float, float]]] = {}
    for cell in family:
        noise = Noise.of(cell.scores)
        scale = scale_of.get(_place(cell), 0.0)
        if noise is not None and noise.variance > 0 and scale > 0:
            ratio = noise.variance / scale
            networks.setdefault(cell.network, []).append((ratio, noise.freedom))
    return Prior.of([tuple(np.mean(several, axis=0)) for several in networks.values()])


def _place(cell: Cell) -> tuple[str, str, float]:
    """What the arms of a task have in common: how much its images differ."""
    return cell.task, cell.metric, cell.fraction
