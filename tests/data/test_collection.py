"""The data of a run: checked as a whole, frozen, and refused where they are not what they were."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from usmt import (
    DataError,
    Dataset,
    DatasetOptions,
    Record,
    RootOptions,
    TaskSpec,
    load_catalogue,
    load_plugins,
)
from usmt.data.collection import (
    Collection,
    collect,
    dataset_of,
    default_data,
    make_task_type,
    open_datasets,
)
from usmt.data.split import Split
from usmt.errors import ConfigError, PluginError
from usmt.output import Output
from usmt_classification.task_type import ClassificationSpec, ClassificationTaskType
from usmt_fmc_uia import FmcUia

PLUGINS = load_plugins()


def spec(task: str, dataset: str = "memory") -> ClassificationSpec:
    return ClassificationSpec(
        id=task,
        title=task,
        type="classification",
        organ="x",
        dataset=dataset,
        flip="none",
        classes=["a", "b"],
    )


A, B = spec("a"), spec("b")


def picture(number: int) -> np.ndarray:
    texture = gaussian_filter(np.random.default_rng(number).standard_normal((40, 48)), 2)
    return np.clip(110 + 45 * texture / texture.std(), 0, 255).astype(np.uint8)


class Memory(Dataset):
    """Records with images and labels, by task; what is an exception is raised."""

    name: ClassVar[str] = "memory"
    Options: ClassVar[type[DatasetOptions]] = DatasetOptions

    def __init__(self, tasks: Mapping[str, Iterable[Record]]) -> None:
        super().__init__(DatasetOptions())
        self.tasks = {task: list(records) for task, records in tasks.items()}

    def records(self, task: TaskSpec) -> list[Record]:
        return self.tasks[task.id]

    def read_image(self, record: Record) -> np.ndarray:
        if isinstance(record.payload[0], Exception):
            raise record.payload[0]
        return picture(record.payload[0])

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return record.payload[1]


def record(task: str, i: int, *, image: Any = None, label: int = 0, **fields: Any) -> Record:
    key = f"{i:02}.png"
    source = fields.pop("source_id", f"{task} {i}")
    place = f"{task}.csv:{i}"
    payload = (image if image is not None else 100 * ord(task[-1]) + i, label)
    return Record(task, key, source, place, payload=payload, **fields)


def records(task: str, n: int = 12, **changed: Record) -> list[Record]:
    return [changed.get(f"n{i}", record(task, i)) for i in range(n)]


def collected(
    dataset: Dataset,
    specs: Iterable[TaskSpec] = (A,),
    *,
    all_specs: Iterable[TaskSpec] = (A, B),
    output: Output | None = None,
    **options: Any,
) -> Collection:
    chosen = {"seed": 0, "val": 0.2, "test": 0.2, "skip_bad": False, **options}
    return collect(
        list(specs),
        {"classification": ClassificationTaskType(ClassificationTaskType.Options())},
        {dataset.name: dataset},
        list(all_specs),
        output=output or Output.silent(),
        **chosen,
    )


def keys(collection: Collection, side: str = "train", task: int = 0) -> list[str]:
    return [record.key for record in collection.tasks[task].records[side]]


# -- what a run is given


def test_tasks_are_in_the_order_of_the_run_and_records_in_that_of_their_keys():
    data = Memory({"a": records("a")[::-1], "b": records("b")})
    collection = collected(data, [B, A])
    assert [task.spec.id for task in collection.tasks] == ["b", "a"]
    for i in range(2):
        sides = [keys(collection, side, i) for side in ("train", "val", "test")]
        assert all(side == sorted(side) for side in sides)
        assert sorted([*sides[0], *sides[1], *sides[2]]) == [f"{n:02}.png" for n in range(12)]
    assert list(collection.splits) == ["memory"]
    assert len(collection.splits["memory"].places) == 24
    assert (collection.skipped, collection.other_defects, collection.synthetic) == ([], [], False)


def test_the_split_is_drawn_over_tasks_that_are_not_trained():
    """Patients of task b are also in task a; which side they are on must not be found out later."""
    shared = [record("b", i, source_id=f"a {i}") for i in range(12)]
    data = Memory({"a": records("a"), "b": shared})
    splits = [collected(data, specs).splits["memory"] for specs in ([A], [B], [A, B], [B, A])]
    assert all(split == splits[0] for split in splits)
    assert len(splits[0].places) == 24


def test_a_known_task_that_the_data_do_not_hold_is_left_out_of_the_split():
    class Partial(Memory):
        def records(self, task: TaskSpec) -> list[Record]:
            if task.id not in self.tasks:
                raise DataError(f"nothing of {task.id}")
            return super().records(task)

    split = collected(Partial({"a": records("a")})).splits["memory"]
    assert {task for task, _ in split.places} == {"a"}
    with pytest.raises(DataError, match="nothing of b"):
        collected(Partial({"a": records("a")}), [B])


def test_records_without_a_source_are_not_of_one_source():
    data = Memory({"a": [record("a", i, source_id="") for i in range(12)]})
    assert collected(data, all_specs=[A]).splits["memory"].groups.sizes == (1,) * 12


def test_reading_is_shown():
    stderr = io.StringIO()
    output = Output(stdout=io.StringIO(), stderr=stderr)
    collected(Memory({"a": records("a"), "b": records("b")}), output=output)
    assert "reading memory: 24 of 24" in stderr.getvalue()


# -- defects


def bad_data() -> Memory:
    return Memory(
        {
            "a": records(
                "a",
                n1=record("a", 1, image=DataError("cut off")),
                n2=record("a", 2, label=7),
                n3=record("a", 3, defect="mask is empty"),
            ),
            "b": records("b", n5=record("b", 5, defect="no such file")),
        }
    )


def test_all_defects_of_the_trained_tasks_stop_it_at_once():
    with pytest.raises(DataError) as error:
        collected(bad_data())
    text = str(error.value)
    assert text.splitlines()[0] == "3 of the records cannot be used (a 3):"
    for line in (
        "a.csv:1: cut off",
        "a.csv:2: the class 7 is not one of 0 to 1",
        "a.csv:3: mask is empty",
    ):
        assert line in text
    assert "--skip-bad" in text
    assert "b.csv" not in text
    assert [defect.kind for defect in error.value.defects] == ["image", "class out of range", "row"]
    with pytest.raises(DataError, match=r"4 of the records cannot be used \(a 3, b 1\)"):
        collected(bad_data(), [A, B])


def test_one_defect_is_enough_to_stop():
    data = Memory({"a": records("a", n1=record("a", 1, label=7)), "b": records("b")})
    with pytest.raises(DataError, match=r"1 of the records cannot be used \(a 1\):\n  a\.csv:1: "):
        collected(data)


def test_many_defects_are_counted_and_the_first_shown():
    data = Memory({"a": [record("a", i, defect="x") for i in range(50)], "b": []})
    with pytest.raises(DataError, match=r"(?s)50 of the records .* and 30 more\n") as error:
        collected(data, all_specs=[A])
    assert len(error.value.defects) == 50


def test_bad_records_are_left_out_and_listed_when_that_is_asked_for():
    collection = collected(bad_data(), skip_bad=True)
    used = [key for side in ("train", "val", "test") for key in keys(collection, side)]
    assert sorted(used) == [f"{i:02}.png" for i in range(12) if i not in (1, 2, 3)]
    assert [defect.place for defect in collection.skipped] == ["a.csv:1", "a.csv:2", "a.csv:3"]
    assert [defect.place for defect in collection.other_defects] == ["b.csv:5"]


def test_a_record_with_a_bad_label_still_counts_in_the_split():
    sound = Memory({"a": records("a"), "b": records("b")})
    bad = Memory({"a": records("a", n3=record("a", 3, label=9)), "b": records("b")})
    assert collected(bad, skip_bad=True).splits == collected(sound).splits


def test_defects_of_other_tasks_are_reported_and_do_not_stop():
    data = bad_data()
    data.tasks["a"] = records("a")
    collection = collected(data)
    assert collection.skipped == []
    assert [str(defect) for defect in collection.other_defects] == ["b.csv:5: no such file"]


# -- a frozen split


def two_tasks(**changed: Record) -> Memory:
    return Memory({"a": records("a", **changed), "b": records("b")})


def test_a_frozen_split_is_kept_whatever_would_be_drawn_now():
    frozen = collected(two_tasks(), seed=5).splits
    again = collected(two_tasks(), [B], seed=1, val=0.4, test=0.0, frozen=frozen)
    assert again.splits == frozen
    assert keys(again, "test") == [
        key
        for (task, key), place in frozen["memory"].places.items()
        if (task, place.side) == ("b", "test")
    ]


def test_a_frozen_split_survives_being_written(tmp_path):
    frozen = collected(two_tasks()).splits["memory"]
    frozen.write(tmp_path / "split.csv")
    read = {"memory": Split.read(tmp_path / "split.csv")}
    assert collected(two_tasks(), frozen=read, seed=3).splits["memory"] == frozen


@pytest.mark.parametrize(
    ("data", "difference"),
    [
        (two_tasks(n4=record("a", 4, image=9)), "1 record with other pixels (e.g. '04.png' of"),
        (
            two_tasks(n4=record("a", 40)),
            "1 record gone (e.g. '04.png' of task 'a'), 1 record new",
        ),
        (Memory({"a": records("a"), "b": records("b", 13)}), "1 record new (e.g. '12.png' of"),
        (Memory({"a": records("a"), "b": []}), "12 records gone (e.g. '00.png' of task 'b')"),
    ],
)
def test_a_frozen_split_of_changed_data_is_refused(data, difference):
    """Also where only a task changed that is not trained: it may be related to one that is."""
    frozen = collected(two_tasks()).splits
    with pytest.raises(DataError) as error:
        collected(data, frozen=frozen)
    text = str(error.value)
    assert "the data of memory are not those that the run was started with: " in text
    assert difference in text
    assert "Restore the data, or start a new run." in text


def test_an_image_that_can_no_longer_be_read_changes_the_data():
    frozen = collected(two_tasks()).splits
    broken = two_tasks(n4=record("a", 4, image=DataError("cut off")))
    with pytest.raises(DataError, match=r"1 record gone \(e\.g\. '04\.png' of task 'a'\)"):
        collected(broken, frozen=frozen, skip_bad=True)


@pytest.fixture(params=["frozen", "file"])
def given(request, tmp_path) -> Callable[[Split], dict[str, Any]]:
    """`given(split)` -> the options that make a run keep to it, both ways there are."""

    def options(split: Split) -> dict[str, Any]:
        if request.param == "frozen":
            return {"frozen": {"memory": split}}
        split.write(tmp_path / "split.csv")
        return {"split_files": {"memory": tmp_path / "split.csv"}}

    return options


class Watched(Memory):
    """Keeps the names of the records whose images were read."""

    def __init__(self, tasks: Mapping[str, Iterable[Record]]) -> None:
        super().__init__(tasks)
        self.read: list[tuple[str, str]] = []

    def read_image(self, record: Record) -> np.ndarray:
        self.read.append((record.task, record.key))
        return super().read_image(record)


def test_with_a_given_split_only_the_images_of_the_own_tasks_are_read(given):
    """What became of the others' pixels does not change the run."""
    split = collected(two_tasks(), seed=5).splits["memory"]
    broken = {
        "n3": record("b", 3, image=9),
        "n4": record("b", 4, image=DataError("cut off")),
        "n5": record("b", 5, defect="mask is empty"),
    }
    data = Watched({"a": records("a"), "b": records("b", **broken)})
    collection = collected(data, **given(split))
    assert sorted(data.read) == [("a", f"{i:02}.png") for i in range(12)]
    assert collection.splits["memory"] == split
    assert (collection.skipped, collection.other_defects) == ([], [])
    assert collection.tasks[0].records == collected(two_tasks(), seed=5).tasks[0].records
    drawn = Watched(data.tasks)
    collected(drawn)
    assert len(drawn.read) == 24


def test_changed_images_of_the_own_task_do_not_fit_a_given_split(given):
    options = given(collected(two_tasks()).splits["memory"])
    changed = Memory({"a": records("a", n4=record("a", 4, image=9)), "b": records("b")})
    with pytest.raises(
        DataError, match=r"1 record with other pixels \(e\.g\. '04\.png' of task 'a'"
    ):
        collected(changed, **options)
    assert collected(changed, [B], **options).splits.keys() == {"memory"}


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (records("b")[1:], "1 record gone (e.g. '00.png' of task 'b')"),
        (records("b", 13), "1 record new (e.g. '12.png' of task 'b')"),
    ],
)
def test_gone_and_new_records_of_other_tasks_do_not_fit_a_given_split(given, others, said):
    with pytest.raises(DataError) as error:
        collected(
            Memory({"a": records("a"), "b": others}),
            **given(collected(two_tasks()).splits["memory"]),
        )
    assert said in str(error.value)


def test_an_image_that_could_not_be_read_when_the_split_was_drawn_is_not_new(given):
    """Of another task as well: only records that a split lacks are read of those."""
    bad = record("b", 4, image=DataError("cut off"))
    split = collected(Memory({"a": records("a"), "b": records("b", n4=bad)})).splits["memory"]
    assert len(split.places) == 23
    data = Watched({"a": records("a"), "b": records("b", n4=bad)})
    collection = collected(data, **given(split))
    assert collection.splits["memory"] == split
    assert len(data.read) == 13 and ("b", "04.png") in data.read
    assert [defect.place for defect in collection.other_defects] == ["b.csv:4"]


def test_a_share_of_the_images_is_the_same_with_a_given_split(given):
    """It is drawn over the records of all tasks, though not all are read."""
    shared = [record("b", i, source_id=f"a {i}", stratum=str(i % 2)) for i in range(12)]
    rows = [record("a", i, stratum=str(i % 3)) for i in range(12)]
    whole = collected(Memory({"a": rows, "b": shared}), fraction=0.5)
    broken = [replace(row, payload=(DataError("cut off"), 0)) for row in shared]
    again = collected(
        Memory({"a": rows, "b": broken}), fraction=0.5, **given(whole.splits["memory"])
    )
    assert 0 < again.tasks[0].unused == whole.tasks[0].unused
    assert again.tasks[0].records == whole.tasks[0].records


# -- other data than those of the run


def test_known_images_of_other_data_keep_their_side_and_new_ones_are_test():
    frozen = collected(two_tasks()).splits
    copies = [record("a", i + 50, image=two_tasks().tasks["a"][i].payload[0]) for i in range(4)]
    new = [record("a", i, image=i, source_id=f"new {i}") for i in range(6)]
    data = Memory({"a": [*copies, *new], "b": []})
    other = collected(data, frozen=frozen, other_data=True)
    sides = {r.key: side for side, rows in other.tasks[0].records.items() for r in rows}
    for i, copy in enumerate(copies):
        assert sides[copy.key] == frozen["memory"].side("a", f"{i:02}.png")
    assert {sides[r.key] for r in new} == {"test"}


def test_new_images_of_known_patients_stay_on_their_side():
    frozen = collected(two_tasks()).splits
    data = Memory({"a": [record("a", i, image=i) for i in range(12)], "b": []})
    other = collected(data, frozen=frozen, other_data=True)
    for side in ("train", "val", "test"):
        assert keys(other, side) == keys(collected(two_tasks()), side)


def test_other_data_may_lack_a_side():
    """There is nothing to train: a side without images is only empty."""
    frozen = collected(two_tasks()).splits
    data = Memory({"a": [record("a", i, image=i, source_id="new") for i in range(3)], "b": []})
    other = collected(data, frozen=frozen, other_data=True)
    assert [len(keys(other, side)) for side in ("train", "val", "test")] == [0, 0, 3]
    with pytest.raises(DataError, match="not those that the run was started with"):
        collected(data, frozen=frozen)


def test_defects_of_other_data_stop_as_well():
    frozen = collected(two_tasks()).splits
    with pytest.raises(DataError, match="3 of the records cannot be used"):
        collected(bad_data(), frozen=frozen, other_data=True)


# -- too few records


@pytest.mark.parametrize(
    ("rows", "use"),
    [
        (records("a", 1), "to choose the best weights by: 1 images in all"),
        ([record("a", i, source_id="one") for i in range(9)], "to choose the best weights by: 9"),
        ([record("a", i, split="test") for i in range(9)], "to train on: 9 images in all"),
        ([], "to train on: 0 images in all"),
    ],
)
def test_a_task_with_too_few_patients_is_refused(rows, use):
    with pytest.raises(DataError) as error:
        collected(Memory({"a": rows, "b": records("b")}))
    assert f"task 'a' has no image {use}" in str(error.value)
    assert "leave the task out" in str(error.value)
    assert len(keys(collected(Memory({"a": rows, "b": records("b")}), [B]))) > 0


def test_two_patients_are_enough_to_train():
    data = Memory({"a": [record("a", i, source_id=f"{i % 2}") for i in range(8)], "b": []})
    collection = collected(data)
    assert [len(keys(collection, side)) for side in ("train", "val", "test")] == [4, 4, 0]


# -- which dataset serves which task


def test_a_task_whose_dataset_was_not_given():
    datasets = {"memory": Memory({"a": records("a")})}
    with pytest.raises(DataError) as error:
        dataset_of(spec("x", "memori"), datasets)
    assert str(error.value) == (
        "task 'x' reads the dataset 'memori', but the data given are: memory "
        "(did you mean 'memory'?)\n  add --data memori=ROOT"
    )
    with pytest.raises(DataError, match="task 'x' reads the dataset 'fmc_uia'"):
        collected(datasets["memory"], [A, spec("x", "fmc_uia")])


def test_a_dataset_that_no_task_reads_is_not_touched():
    class Untouched(Memory):
        name = "untouched"

        def records(self, task: TaskSpec) -> list[Record]:
            raise AssertionError

    collection = collect(
        [A],
        {"classification": ClassificationTaskType(ClassificationTaskType.Options())},
        {"untouched": Untouched({}), "memory": Memory({"a": records("a")})},
        [A, spec("x", "untouched")],
        seed=0,
        val=0.2,
        test=0.2,
        skip_bad=False,
        output=Output.silent(),
    )
    assert list(collection.splits) == ["memory"]


def test_unknown_options_are_refused(tmp_path):
    (tmp_path / "csv_files").mkdir()
    (tmp_path / "csv_files" / "a.csv").touch()
    with pytest.raises(ConfigError) as error:
        open_datasets(PLUGINS, {"fmc_uia": {"root": str(tmp_path), "folder": "x"}})
    assert "data.fmc_uia.folder" in str(error.value)
    assert "--data fmc_uia=ROOT" in str(error.value)
    with pytest.raises(ConfigError, match=r"data\.fmc_uia\.root"):
        open_datasets(PLUGINS, {"fmc_uia": {}})
    with pytest.raises(ConfigError, match=r"data\.phantom\.images"):
        open_datasets(PLUGINS, {"phantom": {"images": -3}})
    with pytest.raises(DataError, match="there is no folder"):
        open_datasets(PLUGINS, {"fmc_uia": {"root": str(tmp_path / "nowhere")}})
    with pytest.raises(PluginError, match="fmc_uia"):
        open_datasets(PLUGINS, {"fmc": {}})
    with pytest.raises(ConfigError, match=r"task_types\.classification\.weight"):
        make_task_type(PLUGINS, "classification", {"weight": 3})
    opened = open_datasets(PLUGINS, {"fmc_uia": {"root": str(tmp_path)}, "phantom": {}})
    assert list(opened) == ["fmc_uia", "phantom"]


# -- synthetic images


def test_without_data_the_images_are_synthetic():
    assert default_data(PLUGINS) == {"phantom": {}}
    (phantom,) = open_datasets(PLUGINS, {"phantom": {"images": 30}}).values()
    catalogue = load_catalogue(PLUGINS)
    specs = [catalogue.task(name) for name in ("breast_2cls", "organ_cls")]
    whole = collected(phantom, specs, all_specs=catalogue.tasks.values())
    assert whole.synthetic
    assert {name for name, _ in whole.splits["phantom"].places} == {"breast_2cls", "organ_cls"}
    alone = collected(phantom, specs[1:], all_specs=catalogue.tasks.values())
    places = whole.splits["phantom"].places
    assert all(places[name] == p for name, p in alone.splits["phantom"].places.items())
    assert [len(keys(alone, side)) for side in ("train", "val", "test")] == [18, 6, 6]


def test_a_task_of_given_data_reads_them_and_the_others_are_synthetic():
    (phantom,) = open_datasets(PLUGINS, {"phantom": {"images": 30}}).values()
    memory = Memory({"a": records("a")})
    datasets = {"memory": memory, "phantom": phantom}
    assert dataset_of(A, datasets) is memory
    assert dataset_of(spec("breast_2cls", "fmc_uia"), datasets) is phantom


# -- real images


@pytest.fixture(scope="module")
def catalogue(realus_specs: Path) -> Any:
    return load_catalogue(PLUGINS, [realus_specs])


def real(root: Path, catalogue: Any, *tasks: str, **options: Any) -> Collection:
    specs = [catalogue.task(name) for name in tasks]
    chosen = {"seed": 0, "val": 0.2, "test": 0.2, "skip_bad": False, **options}
    return collect(
        specs,
        {each.type: make_task_type(PLUGINS, each.type, {}) for each in specs},
        {"fmc_uia": FmcUia(RootOptions(root=root))},
        list(catalogue.tasks.values()),
        output=Output.silent(),
        **chosen,
    )


def test_a_copied_pack_with_damage(realus, catalogue, tmp_path):
    """Damage is told in full; with --skip-bad the rest trains; and a frozen split sees it, where
    it is of a task that is used."""
    root = tmp_path / "pack"
    for part in ("csv_files", "Classification/breast_2cls", "Segmentation/Two/hc18"):
        shutil.copytree(realus / part, root / part)
    for table in (root / "csv_files").iterdir():
        if table.stem not in ("breast_2cls", "fetal_head"):
            table.unlink()
    tasks = ("breast_2cls", "fetal_head")
    frozen = real(root, catalogue, *tasks).splits
    masks = sorted((root / "Segmentation/Two/hc18/masks").iterdir())
    masks[3].unlink()
    image = sorted((root / "Classification/breast_2cls").iterdir())[4]
    image.write_bytes(image.read_bytes()[:300])
    with pytest.raises(DataError, match=r"2 of the records .*breast_2cls 1, fetal_head 1") as error:
        real(root, catalogue, *tasks)
    assert f"{masks[3].name}': no such file" in str(error.value)
    assert f"{image.name}: image cannot be read" in str(error.value)
    alone = real(root, catalogue, "fetal_head", skip_bad=True)
    assert [defect.task for defect in (*alone.skipped, *alone.other_defects)] == [
        "fetal_head",
        "breast_2cls",
    ]
    assert sum(map(len, alone.tasks[0].records.values())) == 89
    with pytest.raises(DataError, match=r"1 record gone .*breast_2cls"):
        real(root, catalogue, "breast_2cls", skip_bad=True, frozen=frozen)
    again = real(root, catalogue, "fetal_head", skip_bad=True, frozen=frozen)
    assert again.splits == frozen
    assert again.tasks[0].records.keys() == alone.tasks[0].records.keys()
    assert sum(map(len, again.tasks[0].records.values())) == 89
