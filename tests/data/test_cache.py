"""Prepared images on disk: what was kept comes back as it was, or not at all."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from real_pack import copy_pack, read_rows, write_rows
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torchvision import tv_tensors

from usmt import DataError, Frame, RootOptions, load_catalogue, load_plugins
from usmt.data import cache as cache_module
from usmt.data.augment import Augmentation
from usmt.data.cache import ImageCache, Slot, cached_files, remove
from usmt.data.collection import TaskData, make_task_type
from usmt.data.images import Images
from usmt.data.loader import TrainingSamples, training_batches
from usmt.data.prepared import NotStorableError, pack, unpack
from usmt.data.sampler import Draw
from usmt.evaluate.scoring import evaluate_trivial
from usmt.output import Output
from usmt_fmc_uia import FmcUia

SIZE = (64, 64)
KEY = "0123456789abcdef" * 4
FOUR = ("breast_lesion", "breast_2cls", "breast_lesion_det", "fetal_head_axes_reg")
"""A task of each type."""

PLUGINS = load_plugins()


@pytest.fixture
def pack_of(realus: Path, realus_specs: Path) -> Callable[..., dict[str, TaskData]]:
    """The first records of some tasks of the real pack, or of another root."""
    catalogue = load_catalogue(PLUGINS, [realus_specs])

    def read(
        *names: str, root: Path = realus, count: int = 6, options: Any = None, **changes: Any
    ) -> dict[str, TaskData]:
        tasks = {}
        for name in names:
            spec = catalogue.task(name).model_copy(update=changes)
            dataset = FmcUia(RootOptions(root=root))
            kind = make_task_type(PLUGINS, spec.type, options or {})
            records = sorted(dataset.records(spec), key=lambda record: record.key)[:count]
            tasks[name] = TaskData(spec, kind, dataset, {"train": records, "val": [], "test": []})
        return tasks

    return read


@pytest.fixture
def small_root(realus: Path, tmp_path: Path) -> Path:
    """A copy of a few images of breast_lesion and breast_2cls, to be changed."""
    return copy_pack(realus, tmp_path / "root", ("breast_lesion", "breast_2cls"), 6)


def images_of(
    tasks: dict[str, TaskData], folder: Path | None, limit: int = 2**30, size: Any = SIZE
) -> Images:
    """With nothing kept in memory."""
    disk = None if folder is None else ImageCache(folder, limit, pytest.fail)
    return Images(tasks, list(tasks), size, 0, disk)


def fill(images: Images) -> None:
    for task in images.tasks.values():
        for record in task.records["train"]:
            images.fitted(task, record)


def kept(images: Images) -> list[bool]:
    return [
        images.from_disk(task, record) is not None
        for task in images.tasks.values()
        for record in task.records["train"]
    ]


def assert_same(one: tuple[Tensor, dict[str, Any], Frame], other: Any) -> None:
    assert torch.equal(one[0], other[0]) and one[0].stride() == other[0].stride()
    assert list(one[1]) == list(other[1])
    for value, again in zip(one[1].values(), other[1].values(), strict=True):
        assert type(value) is type(again)
        if isinstance(value, Tensor):
            assert value.dtype == again.dtype and torch.equal(value, again)
            for attribute in ("canvas_size", "format"):
                assert getattr(value, attribute, None) == getattr(again, attribute, None)
        else:
            assert value == again
    assert (one[2].original, one[2].network) == (other[2].original, other[2].network)
    assert np.array_equal(one[2].matrix, other[2].matrix)


# -- what comes back


def test_labels_of_all_types_come_back_to_the_last_bit(pack_of, tmp_path):
    tasks = pack_of(*FOUR)
    plain, cold, warm = (images_of(tasks, where) for where in (None, tmp_path, tmp_path))
    fill(cold)
    assert all(kept(warm)) and len(kept(warm)) == 24
    for task in tasks.values():
        for record in task.records["train"]:
            read = plain.fitted(task, record)
            assert_same(read, cold.fitted(task, record))
            assert_same(read, warm.fitted(task, record))


def test_a_kept_image_is_not_read_again_by_any_process(pack_of, tmp_path, monkeypatch):
    tasks = pack_of(*FOUR)
    draws = [Draw(name, index, (index,)) for name in FOUR for index in range(6)]
    plan = [draws[:10], draws[10:]]

    def batches(folder: Path | None, workers: int) -> list[Any]:
        samples = TrainingSamples(images_of(tasks, folder), Augmentation(degrees=9, speckle=0.1))
        return list(training_batches(samples, plan, workers))

    without, cold = batches(None, 0), batches(tmp_path, 2)
    monkeypatch.setattr(FmcUia, "read_image", lambda *_: pytest.fail("an image was read"))
    for batch, other, again in zip(without, cold, batches(tmp_path, 2), strict=True):
        assert torch.equal(batch.images, other.images)
        assert torch.equal(batch.images, again.images)
        for task, target in batch.targets.items():
            for name, tensor in target.items():
                assert torch.equal(tensor, again.targets[task][name])


def test_evaluation_reads_the_label_and_not_the_image(pack_of, tmp_path, monkeypatch):
    tasks = pack_of(*FOUR)
    first = [task.records["train"][0] for task in tasks.values()]
    plain = [
        images_of(tasks, None).labelled(*pair) for pair in zip(tasks.values(), first, strict=True)
    ]
    for pair in zip(tasks.values(), first, strict=True):
        images_of(tasks, tmp_path).labelled(*pair)
    monkeypatch.setattr(FmcUia, "read_image", lambda *_: pytest.fail("an image was read"))
    for task, record, (image, frame, label) in zip(tasks.values(), first, plain, strict=True):
        again, other, read = images_of(tasks, tmp_path).labelled(task, record)
        assert torch.equal(image, again) and frame.original == other.original
        assert np.array_equal(label, read)


def test_trivial_predictors_read_the_labels_and_not_the_images(pack_of, tmp_path, monkeypatch):
    tasks = pack_of(*FOUR)
    everywhere = {
        name: replace(task, records={**task.records, "val": task.records["train"]})
        for name, task in tasks.items()
    }
    plain = evaluate_trivial(everywhere, "val", images_of(tasks, None), Output.silent())
    fill(images_of(tasks, tmp_path))
    in_memory = Images(tasks, list(tasks), SIZE, 2**30)
    fill(in_memory)
    monkeypatch.setattr(FmcUia, "read_image", lambda *_: pytest.fail("an image was read"))
    for images in (images_of(tasks, tmp_path), in_memory):
        again = evaluate_trivial(everywhere, "val", images, Output.silent())
        assert str(again.scores) == str(plain.scores)  # some are NaN
        assert again.per_image == plain.per_image


GREY = st.builds(
    lambda seed, height, width: np.random.default_rng(seed).integers(
        0, 256, (height, width), np.uint8
    ),
    st.integers(0, 10**6),
    st.integers(1, 200),
    st.integers(1, 200),
)


@given(grey=GREY)
@settings(max_examples=60, deadline=None)
def test_grey_images_are_those_of_three_equal_channels(grey):
    catalogue = load_catalogue(PLUGINS)
    spec = catalogue.task("breast_2cls")
    kind = make_task_type(PLUGINS, "classification", {})
    task = TaskData(spec, kind, None, {})  # type: ignore[arg-type]
    images = images_of({spec.id: task}, None)
    fitted, _, _ = images.fit(task, grey, 0)
    as_rgb, _, _ = images.fit(task, np.repeat(grey[..., None], 3, axis=2), 0)
    assert fitted.shape == (3, 64, 64) and torch.equal(fitted, as_rgb)
    assert fitted.stride(0) == as_rgb.stride(0) == 0  # one channel is all that is kept
    augmentation = Augmentation(degrees=20, scale=0.2, gain=0.3, gamma=0.3, speckle=0.2, shadow=1)
    three = fitted.contiguous()
    for image in (fitted, as_rgb):
        moved, _ = augmentation(image, {}, "both", np.random.default_rng(1))
        apart, _ = augmentation(three, {}, "both", np.random.default_rng(1))
        assert moved.shape == (3, 64, 64) and torch.equal(moved, apart)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TENSORS = st.sampled_from(
    [
        torch.tensor(3),
        torch.zeros(0, 4),
        torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T,
        torch.tensor([True, False]),
        torch.ones(2, dtype=torch.bfloat16),
        tv_tensors.Mask(torch.ones(2, 3, dtype=torch.bool)),
        tv_tensors.KeyPoints([[1.5, 2.5]], canvas_size=(64, 64)),
        tv_tensors.BoundingBoxes([[1.0, 2.0, 3.0, 4.0]], format="XYXY", canvas_size=(64, 64)),
    ]
)


@given(label=st.dictionaries(st.text(), JSON | TENSORS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_whatever_a_label_holds_comes_back(label, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "one.safetensors"
    fitted = (torch.full((1, 64, 64), 7, dtype=torch.uint8).expand(3, -1, -1), label)
    fitted = (*fitted, Frame.fit((30, 40), SIZE))
    path.write_bytes(pack(KEY, fitted))
    assert_same(fitted, unpack(path, KEY, SIZE))


@pytest.mark.parametrize(
    "value", [(1, 2), {1: "a"}, np.float64(1), {"a": (1,)}, float("nan"), object(), {1, 2}]
)
def test_what_would_come_back_otherwise_is_not_kept(value):
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    with pytest.raises(NotStorableError):
        pack(KEY, (image, {"value": value}, Frame.fit((30, 40), SIZE)))


# -- keys


def test_whatever_changes_an_image_makes_it_another(pack_of, small_root, tmp_path):
    where = tmp_path / "cache"
    fill(images_of(pack_of("breast_lesion", root=small_root), where))

    def found(**changes: Any) -> list[bool]:
        size = changes.pop("size", SIZE)
        return kept(images_of(pack_of("breast_lesion", root=small_root, **changes), where, 1, size))

    assert found() == [True] * 6
    assert found(size=(64, 80)) == [False] * 6
    fill(images_of(pack_of("breast_lesion", root=small_root), where, size=(64, 80)))
    assert len({file.path.name for file in cached_files(where)}) == 12
    assert found(classes=["background", "tumour"]) == [False] * 6
    assert found(options={"fusion_channels": 8}) == [False] * 6
    records = pack_of("breast_lesion", root=small_root)["breast_lesion"].records["train"]
    change_a_pixel(records[0].payload.image)
    change_a_pixel(records[1].payload.mask)
    assert found() == [False, False, True, True, True, True]


def change_a_pixel(path: Path) -> None:
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[3, 5] ^= 1
    Image.fromarray(pixels).save(path)


def test_another_class_makes_another_image(pack_of, small_root, tmp_path):
    where = tmp_path / "cache"
    fill(images_of(pack_of("breast_2cls", root=small_root), where))
    rows = sorted(read_rows(small_root, "breast_2cls"), key=lambda row: row["image_path"])
    rows[2]["mask"] = str(1 - int(rows[2]["mask"]))
    write_rows(small_root, "breast_2cls", rows)
    changed = images_of(pack_of("breast_2cls", root=small_root), where)
    assert kept(changed) == [True, True, False, True, True, True]


def test_a_version_and_a_plugin_that_is_being_written_make_others(pack_of, tmp_path, monkeypatch):
    fill(images_of(pack_of("breast_2cls"), tmp_path))
    from usmt.data import prepared

    versions = prepared.version
    with monkeypatch.context() as patch:
        patch.setattr(prepared, "version", lambda name: versions(name) + (name == "pillow") * "1")
        assert not any(kept(images_of(pack_of("breast_2cls"), tmp_path)))
    package = tmp_path / "usmt_classification"
    package.mkdir()
    (package / "__init__.py").write_text("# another\n")
    with monkeypatch.context() as patch:
        patch.setattr("usmt_classification.__path__", [str(package)])
        assert not any(kept(images_of(pack_of("breast_2cls"), tmp_path)))
    assert all(kept(images_of(pack_of("breast_2cls"), tmp_path)))


def test_labels_are_checked_though_an_image_was_kept(pack_of, small_root, tmp_path):
    """A file that was damaged since is another file: nothing of the old one is used."""
    where = tmp_path / "cache"
    tasks = pack_of("breast_lesion", root=small_root)
    fill(images_of(tasks, where))
    record = tasks["breast_lesion"].records["train"][0]
    Image.fromarray(np.full((5, 5), 9, np.uint8)).save(record.payload.mask)
    for read in (images_of(tasks, where).fitted, images_of(tasks, where).labelled):
        with pytest.raises(DataError, match=r"breast_lesion\.csv:\d+: .*mask"):
            read(tasks["breast_lesion"], record)
    record.payload.image.unlink()
    with pytest.raises(DataError, match="image cannot be read"):
        images_of(tasks, where).fitted(tasks["breast_lesion"], record)


def test_a_file_that_changes_while_it_is_read_is_not_kept_under_its_old_name(
    pack_of, small_root, tmp_path
):
    tasks = pack_of("breast_lesion", root=small_root)
    images = images_of(tasks, tmp_path / "cache")
    images.look_up(("train",), Output.silent())
    task = tasks["breast_lesion"]
    record = task.records["train"][0]
    before = record.payload.image.read_bytes()
    with Image.open(record.payload.image) as image:
        inverse = 255 - np.array(image)
    Image.fromarray(inverse).save(record.payload.image)
    images.fitted(task, record)
    record.payload.image.write_bytes(before)
    again = images_of(tasks, tmp_path / "cache")
    assert_same(again.fitted(task, record), images_of(tasks, None).fitted(task, record))


def test_a_dataset_without_fingerprints_is_not_kept(tmp_path):
    spec = load_catalogue(PLUGINS).task("fetal_head")
    dataset = PLUGINS.dataset("phantom")(PLUGINS.dataset("phantom").Options(images=10, size=64))
    kind = make_task_type(PLUGINS, spec.type, {})
    sides = {"train": dataset.records(spec), "val": [], "test": []}
    images = images_of({spec.id: TaskData(spec, kind, dataset, sides)}, tmp_path)
    fill(images)
    assert not any(kept(images)) and list(tmp_path.iterdir()) == []


# -- files that are not to be believed


@pytest.fixture
def one(pack_of, tmp_path) -> tuple[Images, Any, Path, Any]:
    """One kept image: images, (task, record), its file, and what was read."""
    tasks = pack_of("breast_lesion", count=1)
    images = images_of(tasks, tmp_path)
    fill(images)
    (file,) = cached_files(tmp_path)
    pair = (tasks["breast_lesion"], tasks["breast_lesion"].records["train"][0])
    return images, pair, file.path, images_of(tasks, None).fitted(*pair)


def test_a_damaged_file_is_not_believed_and_replaced(one):
    images, pair, path, read = one
    whole = path.read_bytes()
    damages = [whole[:end] for end in (0, 7, 8, 100, len(whole) - 1)]
    damages += [b"not a safetensors file", b"\xff" * 5000, whole + b"more"]
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 60):
        damages.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    for damage in damages:
        path.write_bytes(damage)
        found = images.from_disk(*pair)
        if found is not None:  # blanks in the header, say
            assert_same(found, read)
            continue
        assert_same(images.fitted(*pair), read)
        assert_same(images.from_disk(*pair), read)


def test_a_file_of_another_image_is_not_believed(pack_of, tmp_path):
    tasks = pack_of("breast_2cls", count=2)
    images = images_of(tasks, tmp_path)
    fill(images)
    one, other = (file.path for file in cached_files(tmp_path))
    shutil.copy(one, other)
    assert sorted(kept(images)) == [False, True]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["label"]["class"].update(
            value=1 - content["label"]["class"]["value"]
        ),
        lambda content: content.update(original=[3, 3]),
        lambda content: content.clear(),
        lambda content: content["label"].update(more={"kind": "value", "value": 3}),
    ],
)
def test_metadata_that_were_changed_are_not_believed(pack_of, tmp_path, change):
    tasks = pack_of("breast_2cls", count=1)
    images = images_of(tasks, tmp_path)
    fill(images)
    (file,) = cached_files(tmp_path)
    with safe_open(file.path, "pt") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
    content = json.loads(metadata["content"])
    change(content)
    save_file(tensors, file.path, {**metadata, "content": json.dumps(content)})
    assert kept(images) == [False]
    for forged in (tensors, {**tensors, "image": tensors["image"].reshape(1, 32, 128)}):
        save_file(forged, file.path, metadata if forged is not tensors else None)
        assert kept(images) == [False]


def test_a_folder_in_the_place_of_a_file_does_not_stop_anything(one):
    images, pair, path, read = one
    path.unlink()
    path.mkdir()
    assert_same(images.fitted(*pair), read)


# -- how much is kept


def put(disk: ImageCache, number: int) -> Path:
    """Keeps an image of about 12 KB."""
    slot = Slot("data", "task", SIZE, f"{number:064x}")
    image = torch.full((3, *SIZE), number % 256, dtype=torch.uint8)
    disk.put(slot, (image, {}, Frame.fit(SIZE, SIZE)))
    return slot.path(disk.folder)


def test_the_limit_holds_and_the_least_recently_used_go_first(tmp_path):
    disk = ImageCache(tmp_path, 2**20, pytest.fail)
    old = [put(disk, number) for number in range(40)]
    for age, path in enumerate(reversed(old)):
        os.utime(path, (10**9 - age, 10**9 - age))
    assert disk.get(Slot("data", "task", SIZE, f"{0:064x}")) is not None  # used again
    for number in range(40, 100):
        new = put(disk, number)
        assert new.exists() and sum(file.bytes for file in cached_files(tmp_path)) <= 2**20
    left = [path.exists() for path in old]
    assert left[0] and not left[1] and disk.removed > 10
    assert left[1:] == sorted(left[1:])  # 1 was used the longest time ago


def test_a_limit_of_two_processes_holds_for_both(tmp_path):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=put_many, args=(tmp_path, first)) for first in (0, 1000)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    files = list(cached_files(tmp_path))
    assert len(files) > 40 and sum(file.bytes for file in files) <= 2**20
    assert all(file.finished for file in files)


def put_many(folder: Path, first: int) -> None:
    torch.set_num_threads(1)
    problems: list[str] = []
    disk = ImageCache(folder, 2**20, problems.append)
    for number in range(first, first + 150):
        put(disk, number)
        disk.get(Slot("data", "task", SIZE, f"{number - 3:064x}"))
    disk.tell()
    assert problems == [] and disk.removed


def test_an_image_that_is_large_for_the_cache_is_not_kept(tmp_path):
    disk = ImageCache(tmp_path, 2**16, pytest.fail)
    assert not put(disk, 0).exists()


def test_what_a_killed_writer_left_is_removed_in_the_end(tmp_path):
    disk = ImageCache(tmp_path, 2**20, pytest.fail)
    path = put(disk, 0)
    fresh, stale = (path.with_name(f".{path.name}.{name}.new") for name in ("1a2b", "3c4d"))
    fresh.write_bytes(b"x" * 100)
    stale.write_bytes(b"x" * 100)
    os.utime(stale, (10**9, 10**9))
    put(ImageCache(tmp_path, 2**20, pytest.fail), 1)
    assert fresh.exists() and not stale.exists() and path.exists()


def test_files_of_others_are_never_removed(tmp_path):
    disk = ImageCache(tmp_path, 2**20, pytest.fail)
    path = put(disk, 0)
    others = [
        tmp_path / "notes.txt",
        tmp_path / "images" / "photo.png",
        path.with_name("model.safetensors"),
        path.parents[1] / path.name,
        tmp_path / "elsewhere" / path.name,
    ]
    for other in others:
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(b"x" * 2**19)
        os.utime(other, (1, 1))
    outside = tmp_path / "outside" / path.parent.name
    outside.mkdir(parents=True)
    (outside / path.name).write_bytes(b"x")
    (path.parents[1] / "9x9").symlink_to(outside, target_is_directory=True)
    for number in range(1, 100):
        put(disk, number)
    removed = remove(tmp_path)
    assert len(removed) > 20 and not path.exists()
    assert all(other.exists() for other in others) and (outside / path.name).exists()
    assert list(cached_files(tmp_path)) == []


def test_single_tasks_are_removed(pack_of, tmp_path):
    images = images_of(pack_of("breast_2cls", "breast_lesion", count=2), tmp_path)
    fill(images)
    assert len(remove(tmp_path, ["breast_2cls"])) == 2
    assert kept(images) == [False, False, True, True]
    assert not (tmp_path / "images" / "fmc_uia" / "breast_2cls").exists()
    assert remove(tmp_path, ["other"]) == []


# -- disks that cannot be written


@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_that_cannot_be_written_is_told_once(pack_of, tmp_path, workers):
    tasks = pack_of("breast_2cls")
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    told: list[str] = []
    images = Images(tasks, list(tasks), SIZE, 0, ImageCache(blocked, 2**30, told.append))
    samples = TrainingSamples(images, Augmentation())
    plan = [[Draw("breast_2cls", index, (index,))] for index in range(6)]
    for _ in range(2):
        assert len(list(training_batches(samples, plan, workers))) == 6
    assert len(told) == 1 and str(blocked) in told[0]


def test_the_last_of_a_disk_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "FREE", 2**62)
    told: list[str] = []
    disk = ImageCache(tmp_path, 2**30, told.append)
    assert not put(disk, 0).exists()
    disk.tell()
    assert "No space left" in told[0]


def test_a_process_that_is_spawned_has_the_cache_too(tmp_path):
    disk = ImageCache(tmp_path, 2**30, lambda text: None)  # nothing that can be pickled
    process = multiprocessing.get_context("spawn").Process(target=put, args=(disk, 5))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert disk.get(Slot("data", "task", SIZE, f"{5:064x}")) is not None
