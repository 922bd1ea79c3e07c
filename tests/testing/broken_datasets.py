"""Datasets that break one rule each, on purpose."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import numpy as np
from sound_dataset import Shelf

from usmt import DataError, DatasetCard, read_image


class NoCard(Shelf):
    card = DatasetCard(title="Spots")


class KeysTwice(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), key=row["patient"])


class NoSource(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), source_id="")


class SplitsASource(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), split=("train", "val")[line % 2])


class OddSplit(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), split="validation")


class Unpicklable(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), payload=lambda: row)


class LeavesOut(Shelf):
    def records(self, task):
        return [record for record in super().records(task) if record.defect is None]


class ReadsImagesAtOnce(Shelf):
    def record(self, task, line, row):
        record = super().record(task, line, row)
        if record.defect is None:
            read_image(self.root / record.key)
        return record


class Flickers(Shelf):
    def read_image(self, record):
        image = super().read_image(record).copy()
        image[0, 0] = random.SystemRandom().randrange(256)
        return image


class FloatImages(Shelf):
    def read_image(self, record):
        return super().read_image(record) / 255


class OfThisProcess(Shelf):
    """The same here, and another in each process."""

    def read_image(self, record):
        image = super().read_image(record).copy()
        image[0, :4] = list(os.getpid().to_bytes(4, "little"))
        return image


class WrongLabels(Shelf):
    def read_label(self, record, task):
        return {"x": record.payload[0]}


class Substitutes(Shelf):
    """An image that cannot be read is replaced by a black one."""

    def read_image(self, record):
        try:
            return super().read_image(record)
        except DataError:
            return np.zeros((24, 32), np.uint8)


class StaleFingerprint(Shelf):
    def read_image(self, record):
        content = b"" if record.defect else (self.root / record.key).read_bytes()
        if not content:
            raise DataError(f"{record.key}: nothing to be read")
        return np.full((24, 32), len(content) % 251, np.uint8)

    def fingerprint(self, record):
        return record.key


class RaisesItsOwn(Shelf):
    def read_label(self, record, task):
        x, y = record.payload
        return x, y


class AnyFolder(Shelf):
    def __init__(self, options):
        self.options = options
        self.root = options.root


class NoPixelSize(Shelf):
    def pixel_size(self, record):
        return (0.0, 0.0)


class FitsAll(Shelf):
    @classmethod
    def misfits(cls, task):
        return []
