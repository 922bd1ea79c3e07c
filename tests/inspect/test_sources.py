"""What `usmt data check` says of sources, of sides that have nothing, and of keys that are there
twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from PIL import Image

from usmt.inspect.sources import FEW_SOURCES
from usmt.output import Output

Check = Callable[..., dict[str, str]]

SPEC = """\
id: ward
title: Ward
type: classification
organ: breast
dataset: folder
flip: none
classes: [benign, malignant]
"""


def put(root: Path, names: Iterable[str]) -> None:
    """An image of each name, all different."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(50, 200, (24, 20), np.uint8)
        Image.fromarray(pixels).save(path)


@pytest.fixture
def check(usmt: Usmt, tmp_path: Path) -> Check:
    """What is told of a folder of images, reasons by kind."""

    def told(names: Iterable[str], source: str | None, *options: Any) -> dict[str, str]:
        put(tmp_path / "images", names)
        specs = tmp_path / "specs" / "tasks"
        specs.mkdir(parents=True)
        layout = f"layout: {{source: '{source}'}}\n" if source else ""
        (specs / "ward.yaml").write_text(SPEC + layout)
        answer = usmt(
            *("data", "check", f"folder={tmp_path / 'images'}", "--json", *options),
            *("--specs", specs.parent),
        )
        assert answer.code == 0
        assert {defect["severity"] for defect in answer.data["defects"]} <= {"warning"}
        return {defect["kind"]: defect["reason"] for defect in answer.data["defects"]}

    return told


def patients(count: int, images: int = 2) -> list[str]:
    """As many patients of each class, with some images each."""
    return [
        f"{name}/p{name[0]}{patient}_{image}.png"
        for name in ("benign", "malignant")
        for patient in range(count)
        for image in range(images)
    ]


def test_sound_sources(check: Check) -> None:
    assert check(patients(FEW_SOURCES), r"(p.\d+)_") == {}


def test_a_pattern_that_finds_the_class(check: Check) -> None:
    told = check(patients(FEW_SOURCES), "^([a-z]+)/")
    assert set(told) == {"source is the class", "empty side"}
    assert "the 40 images are of 2 sources" in told["source is the class"]
    assert "correct `source` in the spec's layout" in told["source is the class"]


def test_a_pattern_that_finds_one_source_for_all(check: Check) -> None:
    told = check(patients(FEW_SOURCES), "(p)")
    assert set(told) == {"few sources", "empty side"}
    assert "no image of any task is on val or test (40 on train): it needs" in told["empty side"]
    assert "the 40 images are of 1 source (" in told["few sources"]


@pytest.mark.parametrize("count", [FEW_SOURCES // 2 - 1, FEW_SOURCES // 2])
def test_few_sources(check: Check, count: int) -> None:
    told = check(patients(count), r"(p.\d+)_")
    assert ("few sources" in told) == (2 * count < FEW_SOURCES)


def test_a_pattern_that_finds_the_image(check: Check) -> None:
    told = check(patients(FEW_SOURCES), r"(p.\d+_\d)")
    assert set(told) == {"source is the image"}
    assert "each of the 40 images is of another source" in told["source is the image"]


def test_without_a_pattern_only_that_is_said(check: Check) -> None:
    assert set(check(patients(FEW_SOURCES), None)) == {"unknown sources"}


# -- sides


def rare() -> list[str]:
    """Two patients with another class than all others."""
    common = [name for name in patients(20) if name.startswith("benign")]
    return [*common, "malignant/q0_0.png", "malignant/q0_1.png", "malignant/q1_0.png"]


def test_a_class_that_a_side_has_nothing_of(check: Check) -> None:
    told = check(rare(), r"([pqb]+\d+)_")
    assert told["empty side"].startswith(
        "in the split that training would draw 1 of 2 classes has no image on "
    )
    assert ": malignant (" in told["empty side"] and "images of 5 patients" in told["empty side"]


def test_sides_of_a_frozen_split(check: Check, usmt: Usmt, tmp_path: Path) -> None:
    assert "empty side" in check(rare(), r"([pqb]+\d+)_")
    file = tmp_path / "split.csv"
    data = f"folder={tmp_path / 'images'}"
    options = ("--specs", tmp_path / "specs")
    answer = usmt("data", "split", data, "--out", file, *options)
    assert answer.code == 0
    assert "warning: task ward: in the split 1 of 2 classes has no image on " in answer.err
    file.write_text(file.read_text().replace(",test,", ",val,"))
    answer = usmt("data", "check", data, "--split", file, "--json", *options)
    reasons = [d["reason"] for d in answer.data["defects"] if d["kind"] == "empty side"]
    # With no test at all none is missing.
    assert all("or test" not in reason for reason in reasons)
    file.write_text(file.read_text().replace(",val,", ",train,"))
    answer = usmt("data", "check", data, "--split", file, "--json", *options)
    assert not [d for d in answer.data["defects"] if d["kind"] == "empty side"]


def test_a_task_that_a_side_has_nothing_of(usmt: Usmt, tmp_path: Path) -> None:
    specs = tmp_path / "specs" / "tasks"
    specs.mkdir(parents=True)
    names = [f"ward/{name}" for name in patients(FEW_SOURCES)]
    names += [f"other/{side}/{side}_{name}" for side in ("train", "val") for name in patients(10)]
    names = [re.sub("(train|val)_(benign|malignant)/", r"\2/\1_", name) for name in names]
    put(tmp_path / "images", names)
    for name, source in (("ward", r"(p.\d+)_"), ("other", r"([a-z]+_p.\d+)_")):
        layout = f"layout: {{folder: {name}, source: '{source}'}}\n"
        (specs / f"{name}.yaml").write_text(SPEC.replace("ward", name) + layout)
    data = f"folder={tmp_path / 'images'}"
    answer = usmt("data", "check", data, "--specs", specs.parent, "--json")
    told = {d["task"]: d["reason"] for d in answer.data["defects"] if d["kind"] == "empty side"}
    assert set(told) == {"other"}
    assert "no image is on test (40 on train, 40 on val)" in told["other"]


def test_a_dataset_whose_own_split_has_no_test(check: Check) -> None:
    names = [f"{side}/{name}" for side in ("train", "val") for name in patients(FEW_SOURCES)]
    told = check(names, r"([a-z]+/[a-z]+/p.\d+)_")
    assert set(told) == {"empty side"}
    reason = told["empty side"]
    assert "no image of any task is on test (40 on train, 40 on val): `usmt evaluate`" in reason


def test_drawing_the_split_is_shown(
    check: Check, usmt: Usmt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes seconds of many images, after the last of them was read."""
    shown: list[str] = []
    progress = Output.progress

    def noted(output: Output, description: str, total: int | None) -> Any:
        shown.append(description)
        return progress(output, description, total)

    monkeypatch.setattr(Output, "progress", noted)
    check(patients(FEW_SOURCES), None)
    assert shown == ["checking folder", "drawing the split"]
    data = ("data", "split", f"folder={tmp_path / 'images'}", "--out", tmp_path / "split.csv")
    assert usmt(*data, "--specs", tmp_path / "specs").code == 0
    assert shown[2:] == ["reading folder", "drawing the split"]


# -- keys

TWICE = """\
import numpy as np

from usmt import Dataset, DatasetCard, DatasetOptions, Record, hookimpl


class Ward(Dataset):
    name = "ward_images"
    Options = DatasetOptions
    card = DatasetCard(title="Ward")

    def records(self, task):
        names = [f"{number}" for number in range(30)] + ["3"]
        return [
            Record(task.id, name, name, f"ward.csv:{line}", payload=line)
            for line, name in enumerate(names, 2)
        ]

    def read_image(self, record):
        return np.random.default_rng(record.payload).integers(50, 200, (24, 20), np.uint8)

    def read_label(self, record, task):
        return record.payload % 2


@hookimpl
def usmt_datasets():
    return [Ward]
"""
TINY = (
    *("--set", "epochs=1", "--set", "image_size=64", "--set", "batch_size=4"),
    *("--set", "backbone.name=vit_tiny_patch16_dinov3_qkvb", "--set", "backbone.weights=none"),
    *("--set", "moe.experts=2", "--set", "workers=0"),
)


def test_two_records_with_one_key(usmt: Usmt, tmp_path: Path) -> None:
    specs, loose = tmp_path / "specs" / "tasks", tmp_path / "loose"
    specs.mkdir(parents=True)
    loose.mkdir()
    (specs / "ward.yaml").write_text(SPEC.replace("dataset: folder", "dataset: ward_images"))
    (loose / "ward_plugin.py").write_text(TWICE)
    options = ("--specs", specs.parent, "--plugins-dir", loose)
    reason = "the key '3' is already that of ward.csv:5: in task 'ward' the dataset 'ward_images'"
    answer = usmt("data", "check", "ward_images", "--json", *options)
    assert answer.code == 1
    (told,) = [d for d in answer.data["defects"] if d["severity"] == "error"]
    assert (told["place"], told["kind"]) == ("ward.csv:32", "key twice")
    assert told["reason"].startswith(reason)
    train = ("train", "--task", "ward", "--data", "ward_images", *TINY, *options)
    answer = usmt(*train, "--out", tmp_path / "run")
    assert answer.code == 1
    assert f"ward.csv:32: {reason}" in answer.err
    answer = usmt(*train, "--out", tmp_path / "other", "--skip-bad")
    assert answer.code == 0
    assert "1 records are left out (ward key twice 1)" in answer.err
