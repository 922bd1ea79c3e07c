"""Every record is read once, everything that is wrong is told, and threads change nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from usmt import DataError, Dataset, DatasetOptions, Record, RootOptions, TaskSpec
from usmt.data.duplicates import content_hash, thumbnail
from usmt.data.scan import Scan, scan
from usmt.errors import Defect, PluginError
from usmt_classification.task_type import ClassificationSpec, ClassificationTaskType
from usmt_fmc_uia import FmcUia
from usmt_segmentation.task_type import SegmentationSpec, SegmentationTaskType

TYPE = ClassificationTaskType(ClassificationTaskType.Options())


def spec(task: str) -> ClassificationSpec:
    return ClassificationSpec(
        id=task,
        title=task,
        type="classification",
        organ="x",
        dataset="memory",
        flip="none",
        classes=["a", "b", "c"],
    )


CHECKS = {"trained": (TYPE, spec("trained"))}


class Memory(Dataset):
    """Images and labels by key; what is an exception is raised."""

    name = "memory"
    Options: ClassVar[type[DatasetOptions]] = DatasetOptions

    def __init__(self, images: Mapping[str, Any], labels: Mapping[str, Any] | None = None) -> None:
        super().__init__(DatasetOptions())
        self.images, self.labels = images, labels or {}
        self.read: list[str] = []
        self._lock = Lock()

    def records(self, task: TaskSpec) -> list[Record]:
        raise NotImplementedError

    def read_image(self, record: Record) -> np.ndarray:
        with self._lock:
            self.read.append(record.key)
        return given(self.images[record.key])

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return given(self.labels[record.key])


def given(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def record(key: str, task: str = "trained", defect: str | None = None) -> Record:
    return Record(task, key, key, f"rows.csv:{key}", defect=defect)


def grey(level: int = 7) -> np.ndarray:
    return np.full((6, 8), level, np.uint8)


def told(result: Scan) -> list[tuple[str, str, str]]:
    return [(defect.place, defect.kind, defect.reason) for defect in result.defects]


def plain(result: Scan) -> tuple[list, list[Defect], list[Defect]]:
    """A scan as values that can be compared."""
    images = [
        (name, seen.size, seen.content, seen.thumbnail.tobytes())
        for name, seen in result.images.items()
    ]
    return images, result.defects, result.others


# -- what is found


def test_what_the_split_needs_to_know_of_an_image():
    colour = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    found = scan(Memory({"a": colour}, {"a": 1}), [record("a")], CHECKS)
    (seen,) = found.images.values()
    assert list(found.images) == [("trained", "a")]
    assert (seen.size, seen.content) == ((6, 8), content_hash(colour))
    np.testing.assert_array_equal(seen.thumbnail, thumbnail(colour))
    assert (found.defects, found.others) == ([], [])


def test_every_defect_is_told_in_the_order_of_the_records():
    images = {
        "1": grey(1),
        "2": DataError("image is cut off"),
        "3": grey(3),
        "4": grey(4),
        "5": grey(5),
        "6": DataError("no such file"),
        "7": grey(7),
    }
    labels = {"1": 0, "3": 3, "4": DataError("mask is empty"), "5": 2, "7": "1"}
    records = [
        record("1"),
        record("2"),
        record("3"),
        record("4"),
        record("5", defect="num_classes is 9"),
        record("6", defect="image_path is empty"),
        record("7"),
    ]
    found = scan(Memory(images, labels), records, CHECKS)
    assert told(found) == [
        ("rows.csv:2", "image", "image is cut off"),
        ("rows.csv:3", "class out of range", "the class 3 is not one of 0 to 2"),
        ("rows.csv:4", "label", "mask is empty"),
        ("rows.csv:5", "row", "num_classes is 9"),
        ("rows.csv:6", "row", "image_path is empty"),
        ("rows.csv:7", "not a class", "the class '1' is not a whole number"),
    ]
    assert {defect.task for defect in found.defects} == {"trained"}


def test_images_of_records_with_defects_count_where_they_can_be_read():
    """Else the split would depend on which labels were looked at."""
    images = {"1": grey(1), "2": grey(2), "3": DataError("cut off")}
    records = [record("1", defect="x"), record("2"), record("3", defect="x")]
    found = scan(Memory(images, {"2": DataError("x")}), records, CHECKS)
    assert [key for _, key in found.images] == ["1", "2"]
    assert len(found.defects) == 3


def test_which_images_there_are_does_not_depend_on_what_is_checked():
    images = {str(i): grey(i) if i % 3 else DataError("cut off") for i in range(12)}
    records = [record(str(i), f"task_{i % 2}", "x" if i % 5 == 0 else None) for i in range(12)]
    labels = {str(i): i % 4 for i in range(12)}
    results = [
        scan(Memory(images, labels), records, {name: (TYPE, spec(name)) for name in checked})
        for checked in ([], ["task_0"], ["task_1"], ["task_0", "task_1"])
    ]
    assert len({str(plain(result)[0]) for result in results}) == 1
    assert len(results[0].images) == 8
    counts = [(len(result.defects), len(result.others)) for result in results]
    # 0, 3, 6, 9 have no image, 0, 5, 10 a bad row, 7, 11 a bad label, which only a check sees.
    assert counts == [(0, 6), (3, 3), (5, 3), (8, 0)]


def test_defects_of_other_tasks_do_not_stop_and_their_labels_are_not_read():
    images = {"1": grey(), "2": grey(), "3": DataError("cut off"), "4": grey()}
    labels = {"1": 0, "4": AssertionError("a label that is not trained on was read")}
    records = [
        record("1"),
        record("2", "other", "mask is empty"),
        record("3", "other"),
        record("4", "other"),
    ]
    found = scan(Memory(images, labels), records, CHECKS)
    assert found.defects == []
    assert [(defect.task, defect.kind, defect.reason) for defect in found.others] == [
        ("other", "row", "mask is empty"),
        ("other", "image", "cut off"),
    ]
    assert len(found.images) == 3


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((6, 8), np.float32), r"image is float32 \(6, 8\), expected uint8 \(H, W\) or"),
        (np.zeros((6, 8), np.uint16), "image is uint16"),
        (np.zeros((6, 8), bool), "image is bool"),
        (np.zeros((6, 8, 4), np.uint8), r"image is uint8 \(6, 8, 4\)"),
        (np.zeros((6, 8, 1), np.uint8), r"image is uint8 \(6, 8, 1\)"),
        (np.zeros((3, 6, 8), np.uint8), r"image is uint8 \(3, 6, 8\)"),
        (np.zeros((2, 6, 8, 3), np.uint8), "image is uint8"),
        (np.zeros(48, np.uint8), "image is uint8"),
        (np.zeros((0, 8), np.uint8), "image has no pixels"),
        (np.zeros((6, 0, 3), np.uint8), "image has no pixels"),
    ],
)
def test_an_image_that_is_none_is_a_defect(image, reason):
    found = scan(Memory({"1": image, "2": grey()}, {"2": 0}), [record("1"), record("2")], CHECKS)
    assert list(found.images) == [("trained", "2")]
    (defect,) = found.defects
    assert (defect.place, defect.kind) == ("rows.csv:1", "image")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(defect.reason)


def test_a_label_is_checked_against_the_image_it_belongs_to():
    kind = SegmentationTaskType(SegmentationTaskType.Options())
    fields = {**spec("trained").model_dump(), "type": "segmentation"}
    checks = {"trained": (kind, SegmentationSpec(**fields))}
    masks = {"1": grey(2), "2": grey(2)[:, :7], "3": grey(3)}
    found = scan(Memory(dict.fromkeys(masks, grey()), masks), [*map(record, masks)], checks)
    assert [defect.place for defect in found.defects] == ["rows.csv:2", "rows.csv:3"]
    assert [defect.kind for defect in found.defects] == ["size mismatch", "mask values"]


def test_nothing_to_read():
    assert plain(scan(Memory({}), [], CHECKS)) == ([], [], [])


# -- a plugin's mistakes


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        ({"2": KeyError("who knows")}, {}, "read_image() for rows.csv:2: KeyError: 'who knows'"),
        ({"2": grey()}, {"2": ZeroDivisionError("no")}, "read_label() for rows.csv:2: ZeroDivis"),
        ({"2": None}, {}, "read_image() gave a NoneType for rows.csv:2, expected an array"),
    ],
)
def test_an_unexpected_exception_is_told_with_the_place(images, labels, told):
    """It is a mistake in the plugin, not in the data, and must not pass as a bad record."""
    data = Memory({"1": grey(), **images}, {"1": 0, **labels})
    with pytest.raises(PluginError) as error:
        scan(data, [record("1"), record("2")], CHECKS)
    assert told in str(error.value)


def test_the_rest_is_not_read_after_an_interrupt():
    class Slow(Memory):
        def read_image(self, record: Record) -> np.ndarray:
            time.sleep(0.002)
            return super().read_image(record)

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    keys = [str(i) for i in range(300)]
    data = Slow({key: grey() for key in keys}, dict.fromkeys(keys, 0))
    with pytest.raises(KeyboardInterrupt):
        scan(data, [record(key) for key in keys], CHECKS, progress=interrupt, workers=2)
    assert len(data.read) < 100


# -- threads


def test_progress_counts_every_record_and_each_is_read_once():
    keys = [str(i) for i in range(50)]
    data = Memory({key: grey() for key in keys}, dict.fromkeys(keys, 0))
    steps: list[int] = []
    scan(data, [record(key) for key in keys], CHECKS, progress=steps.append)
    assert steps == [1] * 50
    assert sorted(data.read) == sorted(keys)


def test_results_are_in_the_order_of_the_records_however_long_each_takes():
    class Uneven(Memory):
        def read_image(self, record: Record) -> np.ndarray:
            time.sleep(0.003 * (int(record.key) % 4 == 0))
            return super().read_image(record)

    keys = [str(i) for i in range(40)]
    images = {key: grey(int(key)) if int(key) % 3 else DataError("cut off") for key in keys}
    found = scan(
        Uneven(images, dict.fromkeys(keys, 5)), [record(key) for key in keys], CHECKS, workers=4
    )
    assert [key for _, key in found.images] == [key for key in keys if int(key) % 3]
    assert [defect.place for defect in found.defects] == [f"rows.csv:{key}" for key in keys]


@pytest.fixture
def damaged(realus: Path, tmp_path: Path) -> Path:
    """Real images of two tasks, some of them and some labels damaged."""
    root = tmp_path / "pack"
    for part in ("csv_files", "Classification/breast_3cls", "Segmentation/Two/busi"):
        shutil.copytree(realus / part, root / part)
    for table in (root / "csv_files").iterdir():
        if table.stem not in ("breast_3cls", "breast_lesion"):
            table.unlink()
    table = root / "csv_files" / "breast_3cls.csv"
    table.write_text(table.read_text().replace(",classification,3,2,", ",classification,3,4,", 2))
    images = sorted((root / "Classification/breast_3cls").iterdir())
    images[0].write_bytes(images[0].read_bytes()[:500])
    images[5].write_bytes(b"")
    masks = sorted((root / "Segmentation/Two/busi/masks").iterdir())
    Image.open(masks[0]).resize((50, 50)).save(masks[0])
    Image.fromarray(np.array(Image.open(masks[1])) * 255).save(masks[1])
    return root


def test_one_thread_and_many_give_the_same(damaged):
    data = FmcUia(RootOptions(root=damaged))
    segmentation = SegmentationTaskType(SegmentationTaskType.Options())
    outline = SegmentationSpec(
        **{
            **spec("breast_lesion").model_dump(),
            "type": "segmentation",
            "classes": ["none", "lesion"],
        }
    )
    checks = {
        "breast_3cls": (TYPE, spec("breast_3cls")),
        "breast_lesion": (segmentation, outline),
    }
    records = data.all_records([pair[1] for pair in checks.values()])
    one, four = (scan(data, records, checks, workers=n) for n in (1, 4))
    assert plain(one) == plain(four)
    assert len(one.images) == len(records) - 2 > 100
    kinds = [(defect.task, defect.kind) for defect in one.defects]
    assert sorted(kinds) == [
        *[("breast_3cls", "class out of range")] * 2,
        ("breast_3cls", "empty file"),
        ("breast_3cls", "truncated file"),
        ("breast_lesion", "mask of 0 and 255"),
        ("breast_lesion", "size mismatch"),
    ]
    places = [(defect.task, defect.place) for defect in one.defects]
    order = {(record.task, record.place): i for i, record in enumerate(records)}
    assert [order[place] for place in places] == sorted(order[place] for place in places)
