"""From records to images at the network's size, with their labels: read once, then kept."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from usmt import dataset_calls, task_type_calls
from usmt.data.cache import ImageCache, Slot
from usmt.data.collection import TaskData
from usmt.data.geometry import Frame, Size, fit
from usmt.data.grey import distinct, merged
from usmt.data.prepared import Fitted, key_of, recipe
from usmt.dataset import Dataset, Record, Side
from usmt.errors import DataError
from usmt.output import Output


def read_record(task: TaskData, record: Record) -> tuple[np.ndarray, Any]:
    """The image, uint8 (H, W, 3), and the label of a record, checked once more.

    Raises DataError naming the place: files can change after the scan.
    """
    image, label = _read(task, record)
    return as_rgb(image), label


def as_rgb(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) -> (H, W, 3)."""
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


class Images:
    """Records fitted to the network's size: kept in memory while there is room, and on disk.

    What is kept is what reading the record again would give, to the last bit.

    Args:
        tasks: by task id.
        task_ids: of all tasks of the network, which may be more, in the order of its task index.
        size: (h, w) of the network's input.
        memory: bytes for fitted images, a process; the least recently used go first.
        disk: where fitted images are kept on disk; None: they are not.
    """

    def __init__(
        self,
        tasks: Mapping[str, TaskData],
        task_ids: Sequence[str],
        size: Size,
        memory: int,
        disk: ImageCache | None = None,
    ) -> None:
        self.tasks = tasks
        self.positions = {task: position for position, task in enumerate(task_ids)}
        self.size = size
        self.disk = disk
        self._room = memory
        self._kept: OrderedDict[tuple[str, str], Fitted] = OrderedDict()
        self._recipes: dict[str, str] = {}
        self._fingerprints: dict[tuple[str, str], str | None] = {}

    def fitted(self, task: TaskData, record: Record) -> Fitted:
        """The image uint8 (3, h, w), its wrapped label on the same canvas, and its frame."""
        name = (task.spec.id, record.key)
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        entry = self.from_disk(task, record) or self.prepare(task, record)[0]
        self._keep(name, entry)
        return entry

    def labelled(self, task: TaskData, record: Record) -> tuple[Tensor, Frame, Any]:
        """The image uint8 (3, h, w), its frame, and the label as read, in original pixels."""
        entry = self.from_disk(task, record)
        if entry is None:
            entry, label = self.prepare(task, record)
        else:
            label = _read_label(task, record, entry[2].original)
        return entry[0], entry[2], label

    def size_and_label(self, task: TaskData, record: Record) -> tuple[Size, Any]:
        """(H, W) of the image and the label as read; where the image is kept, it is not read."""
        entry = self._kept.get((task.spec.id, record.key)) or self.from_disk(task, record)
        if entry is not None:
            return entry[2].original, _read_label(task, record, entry[2].original)
        image, label = _read(task, record)
        return (image.shape[0], image.shape[1]), label

    def fit(self, task: TaskData, image: np.ndarray, label: Any) -> Fitted:
        """What `fitted` gives, for an image (H, W) or (H, W, 3) and label that were read."""
        frame = Frame.fit((image.shape[0], image.shape[1]), self.size)
        wrapped = task_type_calls.wrap(task.type, task.spec, label, frame.original)
        pixels = torch.from_numpy(np.ascontiguousarray(image))
        channels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        small = merged(fit(tv_tensors.Image(channels), frame).as_subclass(Tensor))
        return small, {name: fit(value, frame) for name, value in wrapped.items()}, frame

    # -- on disk

    def from_disk(self, task: TaskData, record: Record) -> Fitted | None:
        """What was kept of the record as it is now; None if there is nothing."""
        slot = self._slot(task, record)
        return self.disk.get(slot) if self.disk is not None and slot is not None else None

    def prepare(self, task: TaskData, record: Record) -> tuple[Fitted, Any]:
        """Reads a record and keeps it on disk; fitted, and its label in original pixels.

        Raises DataError naming the place.
        """
        slot = self._slot(task, record)
        image, label = _read(task, record)
        entry = self.fit(task, image, label)
        # A file may have been changed between its fingerprint and its reading.
        same = slot is not None and slot == self._slot(task, record, anew=True)
        if self.disk is not None and slot is not None and same:
            self.disk.put(slot, entry)
        return entry, label

    def look_up(self, sides: Sequence[Side], output: Output) -> None:
        """Takes the fingerprints of all records ahead, for all processes that load images."""
        if self.disk is None:
            return
        wanted = [
            (task, record)
            for task in self.tasks.values()
            if has_fingerprints(task.dataset)
            for side in sides
            for record in task.records[side]
        ]
        if not wanted:
            return
        pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 16))
        try:
            with output.progress("looking for prepared images", len(wanted)) as bar:
                for _ in pool.map(lambda pair: self._slot(*pair), wanted):
                    bar.advance()
        finally:
            pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the rest

    def _slot(self, task: TaskData, record: Record, *, anew: bool = False) -> Slot | None:
        """Where on disk the record belongs; None for one without a fingerprint."""
        if self.disk is None:
            return None
        name = (task.spec.id, record.key)
        if anew or name not in self._fingerprints:
            self._fingerprints[name] = _fingerprint(task, record)
        fingerprint = self._fingerprints[name]
        if fingerprint is None:
            return None
        if task.spec.id not in self._recipes:
            self._recipes[task.spec.id] = recipe(task.spec, task.type, task.dataset, self.size)
        key = key_of(self._recipes[task.spec.id], fingerprint)
        return Slot(task.dataset.name, task.spec.id, self.size, key)

    # -- in memory

    def _keep(self, name: tuple[str, str], entry: Fitted) -> None:
        self._kept[name] = entry
        self._room -= _bytes(entry)
        while self._room < 0 and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._room += _bytes(oldest)


def _read(task: TaskData, record: Record) -> tuple[np.ndarray, Any]:
    """The same as `read_record`, a grey image as it is: (H, W)."""
    try:
        image = dataset_calls.image(task.dataset, record)
    except DataError as error:
        raise _at(record, error) from None
    return image, _read_label(task, record, (image.shape[0], image.shape[1]))


def _read_label(task: TaskData, record: Record, size: Size) -> Any:
    try:
        with dataset_calls.asking(task.dataset, "read_label", record.place):
            label = task.dataset.read_label(record, task.spec)
    except DataError as error:
        raise _at(record, error) from None
    problems = task_type_calls.problems(task.type, task.spec, label, size, record.place)
    if problems:
        raise DataError(f"{record.place}: {'; '.join(problems)}")
    return label


def _at(record: Record, error: DataError) -> DataError:
    return DataError(f"{record.place}: {error.message}", hint=error.hint)


def has_fingerprints(dataset: Dataset) -> bool:
    """Whether images of a dataset can be kept on disk."""
    return type(dataset).fingerprint is not Dataset.fingerprint


def _fingerprint(task: TaskData, record: Record) -> str | None:
    asking = dataset_calls.asking(task.dataset, "fingerprint", record.place)
    with asking, suppress(DataError, OSError):  # whoever reads the record says what is wrong
        return task.dataset.fingerprint(record)
    return None


def _bytes(entry: Fitted) -> int:
    tensors = [distinct(entry[0]), *(v for v in entry[1].values() if isinstance(v, Tensor))]
    return sum(t.numel() * t.element_size() for t in tensors) + 1024
