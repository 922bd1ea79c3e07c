"""From draws to batches: fitted images, augmented and collated.

A batch mixes tasks; see `Batch`. What is loaded depends on the draws alone, never on how many
processes load it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from usmt import task_type_calls
from usmt.data.augment import Augmentation
from usmt.data.geometry import Frame
from usmt.data.grey import as_three, distinct, stack
from usmt.data.images import Images
from usmt.data.sampler import Draw
from usmt.dataset import Record
from usmt.errors import UsmtError


@dataclass(frozen=True, slots=True)
class Sample:
    """One record at the network's size.

    Attributes:
        task: task id.
        key: the record's key.
        image: float (3, h, w), values 0 to 255.
        target: what the task type's loss needs; no batch dimension. Empty for evaluation.
        frame: the way back to original pixels.
        label: as read, in original pixels; only for evaluation.
    """

    task: str
    key: str
    image: Tensor
    target: dict[str, Tensor]
    frame: Frame
    label: Any = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of several tasks.

    Attributes:
        images: float (B, 3, h, w), values 0 to 255; not to be written into (see `grey`).
        task_index: long (B,), the row's task as its position in the network's; on the CPU.
        rows: by task, the rows it owns, in order.
        targets: by task, its targets stacked over its rows.
        samples: the B samples, for names, frames and labels; without images and targets.
    """

    images: Tensor
    task_index: Tensor
    rows: Mapping[str, list[int]]
    targets: Mapping[str, dict[str, Tensor]]
    samples: Sequence[Sample]


class TrainingSamples(torch.utils.data.Dataset[Sample]):
    """Samples by `Draw`: augmented, with targets."""

    def __init__(self, images: Images, augmentation: Augmentation) -> None:
        self.images = images
        self.augmentation = augmentation

    def __getitem__(self, draw: Draw) -> Sample:
        task = self.images.tasks[draw.task]
        record = task.records["train"][draw.index]
        image, label, frame = self.images.fitted(task, record)
        rng = np.random.default_rng(draw.seed)
        moved, wrapped = self.augmentation(image, label, task.spec.flip, rng)
        target = task_type_calls.target(task.type, task.spec, wrapped, self.images.size)
        return Sample(draw.task, record.key, moved, target, frame)


class EvaluationSamples(torch.utils.data.Dataset[Sample]):
    """Samples by (task, record): as they are, with labels in original pixels."""

    def __init__(self, images: Images, records: Sequence[tuple[str, Record]]) -> None:
        self.images = images
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        name, record = self.records[index]
        task = self.images.tasks[name]
        image, frame, label = self.images.labelled(task, record)
        return Sample(name, record.key, as_three(distinct(image).float()), {}, frame, label)


class _Told(torch.utils.data.Dataset[Sample | UsmtError]):
    """The samples of another, with an error that is made for people in the place of a sample: one
    that is raised in another process comes here as text, with a traceback."""

    def __init__(self, samples: torch.utils.data.Dataset[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)  # type: ignore[arg-type]

    def __getitem__(self, place: Any) -> Sample | UsmtError:
        try:
            return self.samples[place]
        except UsmtError as error:
            return error


_NONE = torch.empty(0)


def collate(samples: Sequence[Sample | UsmtError], images: Images) -> Batch | UsmtError:
    """Stacks samples; the first error, if there is one."""
    try:
        return _stacked([_sound(sample) for sample in samples], images)
    except UsmtError as error:
        return error


def _sound(sample: Sample | UsmtError) -> Sample:
    if isinstance(sample, UsmtError):
        raise sample
    return sample


def _stacked(samples: Sequence[Sample], images: Images) -> Batch:
    rows: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        rows.setdefault(sample.task, []).append(row)
    targets = {}
    for task, mine in rows.items():
        if samples[mine[0]].target:
            of = images.tasks[task]
            each = [samples[row].target for row in mine]
            keys = [samples[row].key for row in mine]
            targets[task] = task_type_calls.stacked(of.type, of.spec, each, keys)
    return Batch(
        images=stack([sample.image for sample in samples]),
        task_index=torch.tensor([images.positions[sample.task] for sample in samples]),
        rows=rows,
        targets=targets,
        # Their pixels and targets are in the batch; they would cross to this process twice.
        samples=[replace(sample, image=_NONE, target={}) for sample in samples],
    )


def training_batches(
    samples: TrainingSamples, plan: Sequence[Sequence[Draw]], workers: int
) -> Iterator[Batch]:
    """The batches of a plan, in order; those draws that this process is to load."""
    return _batches(samples, samples.images, workers, batch_sampler=plan)


def evaluation_batches(
    samples: EvaluationSamples, batch_size: int, workers: int
) -> Iterator[Batch]:
    """All samples once, in order."""
    return _batches(samples, samples.images, workers, batch_size=batch_size)


def _batches(
    samples: torch.utils.data.Dataset[Sample], images: Images, workers: int, **order: Any
) -> Iterator[Batch]:
    loader: DataLoader[Any] = DataLoader(
        _Told(samples),
        num_workers=workers,
        collate_fn=partial(collate, images=images),
        **order,
    )
    try:
        for batch in loader:
            if isinstance(batch, UsmtError):
                raise batch
            yield batch
    finally:
        if images.disk is not None:
            images.disk.tell()
