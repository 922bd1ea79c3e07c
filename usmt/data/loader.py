"""From records to batches: read, fit to the network's size, augment, collate.

A batch mixes tasks; see `Batch`. What is loaded depends on the draws alone, never on how many
processes load it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate
from torchvision import tv_tensors

from usmt.data.augment import Augmentation
from usmt.data.collection import TaskData
from usmt.data.geometry import Frame, Size, fit
from usmt.data.sampler import Draw
from usmt.dataset import Record
from usmt.errors import DataError


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
        images: float (B, 3, h, w), values 0 to 255.
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


def read_record(task: TaskData, record: Record) -> tuple[np.ndarray, Any]:
    """The image, uint8 (H, W, 3), and the label of a record, checked once more.

    Raises DataError naming the place: files can change after the scan.
    """
    try:
        image = as_rgb(task.dataset.read_image(record))
        label = task.dataset.read_label(record, task.spec)
    except DataError as error:
        raise DataError(f"{record.place}: {error.message}", hint=error.hint) from None
    problems = task.type.problems(task.spec, label, (image.shape[0], image.shape[1]))
    if problems:
        raise DataError(f"{record.place}: {'; '.join(problems)}")
    return image, label


def as_rgb(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) -> (H, W, 3)."""
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


class Images:
    """Records fitted to the network's size, kept in memory as long as there is room.

    Args:
        tasks: by task id.
        task_ids: of all tasks of the network, which may be more, in the order of its task index.
        size: (h, w) of the network's input.
        cache_bytes: memory for fitted images, a process; the least recently used go first.
    """

    def __init__(
        self,
        tasks: Mapping[str, TaskData],
        task_ids: Sequence[str],
        size: Size,
        cache_bytes: int,
    ) -> None:
        self.tasks = tasks
        self.positions = {task: position for position, task in enumerate(task_ids)}
        self.size = size
        self._room = cache_bytes
        self._kept: OrderedDict[tuple[str, str], tuple[Tensor, dict[str, Any], Frame]]
        self._kept = OrderedDict()

    def fitted(self, task: TaskData, record: Record) -> tuple[Tensor, dict[str, Any], Frame]:
        """The image uint8 (3, h, w), its wrapped label on the same canvas, and its frame."""
        name = (task.spec.id, record.key)
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        entry = self.fit(task, *read_record(task, record))
        self._keep(name, entry)
        return entry

    def fit(
        self, task: TaskData, image: np.ndarray, label: Any
    ) -> tuple[Tensor, dict[str, Any], Frame]:
        """The same for an image and label that were read already."""
        frame = Frame.fit((image.shape[0], image.shape[1]), self.size)
        wrapped = task.type.wrap(task.spec, label, frame.original)
        picture = tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1))
        small = fit(picture, frame).as_subclass(Tensor)
        return small, {name: fit(value, frame) for name, value in wrapped.items()}, frame

    def _keep(self, name: tuple[str, str], entry: tuple[Tensor, dict[str, Any], Frame]) -> None:
        self._kept[name] = entry
        self._room -= _bytes(entry)
        while self._room < 0 and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._room += _bytes(oldest)


def _bytes(entry: tuple[Tensor, dict[str, Any], Frame]) -> int:
    tensors = [entry[0], *(v for v in entry[1].values() if isinstance(v, Tensor))]
    return sum(t.numel() * t.element_size() for t in tensors) + 1024


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
        target = task.type.target(task.spec, wrapped, self.images.size)
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
        picture, label = read_record(task, record)
        image, _, frame = self.images.fit(task, picture, label)
        return Sample(name, record.key, image.float(), {}, frame, label)


_NONE = torch.empty(0)


def collate(samples: Sequence[Sample], positions: Mapping[str, int]) -> Batch:
    """Stacks samples. `positions` are the tasks' places in the network's task index."""
    rows: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        rows.setdefault(sample.task, []).append(row)
    targets = {
        task: default_collate([samples[row].target for row in mine])
        for task, mine in rows.items()
        if samples[mine[0]].target
    }
    return Batch(
        images=torch.stack([sample.image for sample in samples]),
        task_index=torch.tensor([positions[sample.task] for sample in samples]),
        rows=rows,
        targets=targets,
        # Their pixels and targets are in the batch; they would cross to this process twice.
        samples=[replace(sample, image=_NONE, target={}) for sample in samples],
    )


def training_batches(
    samples: TrainingSamples, plan: Sequence[Sequence[Draw]], workers: int
) -> Iterator[Batch]:
    """The batches of a plan, in order; those draws that this process is to load."""
    loader: DataLoader[Any] = DataLoader(
        samples,
        batch_sampler=plan,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=partial(collate, positions=samples.images.positions),
    )
    yield from loader


def evaluation_batches(
    samples: EvaluationSamples, batch_size: int, workers: int
) -> Iterator[Batch]:
    """All samples once, in order."""
    loader: DataLoader[Any] = DataLoader(
        samples,
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=partial(collate, positions=samples.images.positions),
    )
    yield from loader
