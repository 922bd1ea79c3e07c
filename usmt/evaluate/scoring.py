"""Scores of a network on one side of the split: each image once, at its original resolution."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torchmetrics import Metric

from usmt import task_type_calls
from usmt.data.collection import TaskData
from usmt.data.images import Images
from usmt.data.loader import Batch, EvaluationSamples, evaluation_batches
from usmt.dataset import Record, Side
from usmt.errors import DataError
from usmt.evaluate.inference import predict_rows
from usmt.evaluate.rows import HasRows, ImageRows, Rows
from usmt.model.network import Network
from usmt.output import Output

TRIVIAL_LABELS = 500
"""Training labels that a trivial predictor is fitted on, a task at most."""


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One metric of one image: a row of scores.csv."""

    task: str
    key: str
    source_id: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a predictor reached.

    Attributes:
        scores: by task and metric, over all its images; NaN where it is not defined.
        images: number of images by task.
        selection: mean over tasks of the task types' selection score, in [0, 1].
        per_image: one entry for each image and metric that has a value for a single image.
        rows: by task and metric, of metrics that keep them: what they need of each image.
        selections: by task, the selection score of its type.
    """

    scores: Mapping[str, Mapping[str, float]]
    images: Mapping[str, int]
    selection: float
    per_image: Sequence[ImageScore]
    rows: Rows
    selections: Mapping[str, float] = field(default_factory=dict)


class Tally:
    """The metrics of some tasks, fed one image at a time. All of it raises PluginError for what
    is the fault of a task type."""

    def __init__(self, tasks: Mapping[str, TaskData]) -> None:
        self.tasks = tasks
        self.metrics: dict[str, dict[str, Metric]] = {
            name: task_type_calls.metrics(task.type, task.spec) for name, task in tasks.items()
        }
        self.images = dict.fromkeys(tasks, 0)
        self.per_image: list[ImageScore] = []
        self.rows: dict[tuple[str, str], list[tuple[str, str, Sequence[float]]]] = {}

    def add(self, task: str, record: Record, result: Any, label: Any) -> None:
        """Scores one result against its label, both in original pixels."""
        self.images[task] += 1
        of = self.tasks[task]
        for name, metric in self.metrics[task].items():
            per_image = getattr(metric, "per_image", False)
            keeps_rows = isinstance(metric, HasRows)
            row: list[float] = []
            with task_type_calls.scoring(of.type, of.spec, name):
                if per_image:
                    row = [task_type_calls.number(of.type, of.spec, name, metric(result, label))]
                else:
                    metric.update(result, label)
                    row = list(metric.row(result, label)) if keeps_rows else []
            if per_image:
                score = ImageScore(task, record.key, record.source_id, name, row[0])
                self.per_image.append(score)
            if keeps_rows:
                images = self.rows.setdefault((task, name), [])
                images.append((record.key, record.source_id, row))

    def gather(self) -> None:
        """Joins the tallies of all processes, so that each process has the whole."""
        own = (self.metrics, self.images, self.per_image, self.rows)
        first, *others = gather_object([own]) if PartialState().num_processes > 1 else [own]
        self.metrics, self.images, self.per_image, self.rows = first
        for metrics, images, per_image, rows in others:
            self.per_image = self.per_image + per_image
            for of, more in rows.items():
                self.rows[of] = self.rows.get(of, []) + more
            for task, count in images.items():
                self.images[task] += count
                for name, metric in metrics[task].items():
                    if count:
                        self.metrics[task][name].merge_state(metric)

    def evaluation(self) -> Evaluation:
        """The scores over all images seen."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an undefined score is reported as NaN
            scores = {task: self._scores(task) for task, count in self.images.items() if count}
        selections = {
            task: task_type_calls.selection_score(self.tasks[task].type, self.tasks[task].spec, of)
            for task, of in scores.items()
        }
        selection = math.fsum(selections.values()) / len(selections) if selections else math.nan
        ordered = sorted(self.per_image, key=lambda s: (s.task, s.key, s.metric))
        rows = {of: _as_rows(images) for of, images in sorted(self.rows.items())}
        return Evaluation(scores, dict(self.images), selection, ordered, rows, selections)

    def _scores(self, task: str) -> dict[str, float]:
        of, scores = self.tasks[task], {}
        for name, metric in self.metrics[task].items():
            with task_type_calls.scoring(of.type, of.spec, name):
                value = metric.compute()
            scores[name] = task_type_calls.number(of.type, of.spec, name, value)
        return scores


def _as_rows(images: Sequence[tuple[str, str, Sequence[float]]]) -> ImageRows:
    keys, sources, rows = zip(*sorted(images, key=lambda image: image[0]), strict=True)
    return ImageRows(keys, sources, np.array(rows, np.float64))


def evaluate(
    network: Network,
    tasks: Mapping[str, TaskData],
    side: Side,
    images: Images,
    *,
    batch_size: int,
    workers: int,
    device: torch.device,
    output: Output,
) -> Evaluation:
    """Scores the network on one side of the split; every process scores its share and all get
    the whole.

    Args:
        tasks: by task id, in the order of the network's tasks.
        images: reads and fits the records.
    """
    state = PartialState()
    records = [(name, record) for name, task in tasks.items() for record in task.records[side]]
    if not records:
        raise DataError(f"there is no image on the {side} side of the split")
    mine = records[state.process_index :: state.num_processes]
    tally = Tally(tasks)
    network.eval()
    with torch.inference_mode(), output.progress(f"scoring {side}", len(mine)) as bar:
        samples = EvaluationSamples(images, mine)
        done = 0
        for batch in evaluation_batches(samples, batch_size, workers):
            results = predict(network, batch, tasks, device)
            for sample, result in zip(batch.samples, results, strict=True):
                tally.add(sample.task, mine[done][1], result, sample.label)
                done += 1
                bar.advance()
    tally.gather()
    return tally.evaluation()


def predict(
    network: Network, batch: Batch, tasks: Mapping[str, TaskData], device: torch.device
) -> list[Any]:
    """One result a row, in original pixels."""
    asked = {name: (task.type, task.spec) for name, task in tasks.items()}
    indices = batch.task_index.tolist()
    predictions = predict_rows(network, batch.images, indices, asked, device)
    return [
        task_type_calls.decoded(*asked[sample.task], prediction, sample.frame)
        for sample, prediction in zip(batch.samples, predictions, strict=True)
    ]


def evaluate_trivial(
    tasks: Mapping[str, TaskData], side: Side, images: Images, output: Output
) -> Evaluation:
    """Scores each task's trivial predictor, fitted on training labels, on one side of the split.

    Tasks without training images are left out: those of other data, which are all new, say.
    """
    tasks = {name: task for name, task in tasks.items() if task.records["train"]}
    tally = Tally(tasks)
    total = sum(len(_evenly(t.records["train"])) + len(t.records[side]) for t in tasks.values())
    with output.progress("scoring the trivial predictors", total) as bar:
        for name, task in tasks.items():
            labels = []
            for record in _evenly(task.records["train"]):
                size, label = images.size_and_label(task, record)
                labels.append((label, size))
                bar.advance()
            trivial = task_type_calls.trivial(task.type, task.spec, labels)
            for record in task.records[side]:
                size, label = images.size_and_label(task, record)
                tally.add(name, record, trivial(size), label)
                bar.advance()
    return tally.evaluation()


def _evenly(records: Sequence[Record]) -> Sequence[Record]:
    step = max(1, math.ceil(len(records) / TRIVIAL_LABELS))
    return records[::step]
