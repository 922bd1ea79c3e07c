"""Datasets that break one rule each, on purpose."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace

import numpy as np
from sound_dataset import Noted, Shelf

from usmt import DataError, Dataset, DatasetCard, fingerprint_files, read_image


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


class ConstantFingerprint(Shelf):
    def fingerprint(self, record):
        return record.key


class FingerprintOfThePath(Shelf):
    def fingerprint(self, record):
        return str(self.root / record.key)


class FingerprintWithoutTheRow(Shelf):
    """What `records` has read is left out."""

    def fingerprint(self, record):
        return fingerprint_files(None, self.root / record.key)


class FingerprintWithoutTheNote(Noted):
    """What `read_label` reads is left out, and refused unless it is good."""

    def read_label(self, record, task):
        if len((self.root / "note.txt").read_text(encoding="utf-8").split()) != 2:
            raise DataError("note.txt: two numbers were expected")
        return super().read_label(record, task)

    def fingerprint(self, record):
        return fingerprint_files(None, self.root / record.key)


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


class NoneForOthers(Shelf):
    @classmethod
    def misfits(cls, task):
        return [] if task.type == "spot" else None


class Misspelt(Shelf):
    def unlabeled(self, task):
        return []


class Unfinished(Dataset):
    name = "unfinished"

    def records(self, task):
        return []

    def read_lable(self, record, task):
        return None


class TextCard(Shelf):
    card = "Spots on a shelf"


class OwnOptions(Shelf):
    """Options that are no class."""

    Options = None


class HashedKeys(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), key=f"{hash(row['image'])} {row['image']}")

    def read_image(self, record):
        return super().read_image(replace(record, key=record.key.partition(" ")[2]))

    def fingerprint(self, record):
        return None


class HashedSources(Shelf):
    def record(self, task, line, row):
        return replace(super().record(task, line, row), source_id=f"p{hash(row['patient'])}")


class AnyOrder(Shelf):
    def records(self, task):
        found = {record.key: record for record in super().records(task)}
        return [found[key] for key in set(found)]


class AsListed(Shelf):
    """In the order in which this file system lists the images."""

    def records(self, task):
        found = {record.key: record for record in super().records(task)}
        there = [path.name for path in self.root.iterdir() if path.name in found]
        return [found.pop(name) for name in there] + list(found.values())


class PlacesAsListed(Shelf):
    """Right but for the last of many records."""

    def records(self, task):
        images = [path.name for path in self.root.glob("*.png")]
        *others, last = super().records(task)
        return [*others, replace(last, place=f"beside {images[0]}")]


class SplitOfOthers(Shelf):
    def all_records(self, tasks):
        return [replace(record, source_id=record.key) for record in super().all_records(tasks)]


class AllTwice(Shelf):
    def all_records(self, tasks):
        return [*super().all_records(tasks), *super().all_records(tasks)]


class ByLibrary(Shelf):
    """Images are read by a library that Python does not see at work, and that raises nothing."""

    def read_image(self, record):
        import cv2

        return cv2.imread(str(self.root / record.key), cv2.IMREAD_GRAYSCALE)


class BlackByLibrary(ByLibrary):
    def read_image(self, record):
        image = super().read_image(record)
        return np.zeros((24, 32), np.uint8) if image is None else image


class BlackAtLast(Shelf):
    """It substitutes in one of its files alone."""

    def read_image(self, record):
        try:
            return super().read_image(record)
        except DataError:
            if record.key == "5.png":
                return np.zeros((24, 32), np.uint8)
            raise


class LooksByLibrary(Shelf):
    """Records that depend on what a library reads from the images."""

    def record(self, task, line, row):
        import cv2

        record = super().record(task, line, row)
        image = cv2.imread(str(self.root / record.key))
        return replace(record, stratum="none" if image is None else str(image.shape))


class EndsTheProcess(Shelf):
    """Where it is not what has started the program."""

    def read_image(self, record):
        if "pytest" not in sys.modules:
            sys.exit(0)
        return super().read_image(record)
