"""The numbers that are told of a dataset are those of its files."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from harmed_pack import Table
from PIL import Image
from real_pack import copy_pack


def rows_of(root: Path, task: str) -> list[dict[str, str]]:
    with (root / "csv_files" / f"{task}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def image_of(root: Path, row: dict[str, str], column: str = "image_path") -> np.ndarray:
    return np.array(Image.open(root / "csv_files" / row[column]))


@pytest.fixture
def stats(usmt: Usmt, realus: Path, realus_specs: Path):
    def take(task: str, root: Path = realus) -> dict:
        answer = usmt(
            *("data", "stats", f"fmc_uia={root}", "--task", task),
            *("--specs", realus_specs, "--json"),
        )
        assert answer.code == 0
        return answer.data["tasks"][task]

    return take


def test_images_and_masks(stats, realus):
    rows = rows_of(realus, "nerve_vessel_multi")
    images = [image_of(realus, row) for row in rows]
    masks = [image_of(realus, row, "mask_path") for row in rows]
    told = stats("nerve_vessel_multi")
    assert (told["type"], told["records"], told["with_defects"]) == ("segmentation", 111, 0)
    assert told["sources"] == len({row["source_id"] for row in rows})
    for axis, name in ((1, "width"), (0, "height")):
        sides = [image.shape[axis] for image in images]
        assert told[name]["min"] == min(sides)
        assert told[name]["max"] == max(sides)
        assert told[name]["median"] == np.median(sides)
    for name, of in (
        ("mean", np.mean),
        ("deviation", np.std),
        ("black", lambda image: (image == 0).mean()),
    ):
        assert told["intensity"][name] == pytest.approx(np.mean([of(image) for image in images]))
    assert told["classes"] == {
        name: sum((mask == k).any() for mask in masks)
        for k, name in enumerate(("background", "nerve", "vessel"))
    }
    shares = [(mask == 2).mean() for mask in masks]
    area = told["labels"]["area of vessel"]
    assert area["min"] == pytest.approx(min(shares))
    assert area["mean"] == pytest.approx(np.mean(shares))
    assert area["max"] == pytest.approx(max(shares))


def test_boxes_and_points(stats, realus):
    boxes = []
    for row in rows_of(realus, "ovary_tumor_det"):
        height, width = image_of(realus, row).shape
        box = np.array([float(row[key]) for key in ("x_min", "y_min", "x_max", "y_max")])
        boxes.append(box / [width, height, width, height])
    told = stats("ovary_tumor_det")
    assert told["classes"] == {}
    x_min, y_min, x_max, y_max = np.transpose(boxes)
    for name, values in {
        "width": x_max - x_min,
        "area": (x_max - x_min) * (y_max - y_min),
        "centre y": (y_min + y_max) / 2,
    }.items():
        assert told["labels"][name]["median"] == pytest.approx(np.median(values))
        assert told["labels"][name]["max"] == pytest.approx(values.max())
    points = stats("fetal_head_minor_axis_reg")["labels"]
    assert list(points) == ["upper x", "upper y", "lower x", "lower y"]
    assert points["upper y"]["mean"] < points["lower y"]["mean"]


def test_classes_sides_and_defects(stats, realus, tmp_path):
    root = copy_pack(realus, tmp_path / "pack", ["breast_3cls"], 30)
    table = Table(root, "breast_3cls")
    for i, row in enumerate(table.rows):
        row["split"] = "test" if i % 3 == 0 else ""
    table.rows[4]["mask"] = "9"
    table.file(table.rows[5]).write_bytes(b"")
    table.write()
    told = stats("breast_3cls", root)
    assert (told["records"], told["with_defects"]) == (30, 2)
    assert told["sides"] == {"train": 0, "val": 0, "test": 10}
    counts = Counter(row["mask"] for row in table.rows if row not in table.rows[4:6])
    names = ("normal", "benign", "malignant")
    assert told["classes"] == {name: counts[str(k)] for k, name in enumerate(names)}


def test_the_tables_and_the_picture(usmt, realus, realus_specs, tmp_path):
    path = tmp_path / "pictures" / "stats.png"
    answer = usmt("data", "stats", f"fmc_uia={realus}", "--specs", realus_specs, "--out", path)
    assert answer.code == 0
    for title in ("Records of fmc_uia", "Images", "Classes", "Labels"):
        assert title in answer.out.splitlines()
    assert answer.err.rstrip().endswith(f"the picture is in {path}")
    picture = np.array(Image.open(path).convert("RGB"))
    assert (picture < 250).any(axis=2).mean() > 0.03
    okabe_ito = np.array([230, 159, 0])
    assert (np.abs(picture.astype(int) - okabe_ito).max(axis=2) < 3).sum() > 1000


def test_a_task_without_a_spec_or_without_a_sound_record(usmt, realus, tmp_path):
    root = copy_pack(realus, tmp_path / "pack", ["organ_5cls", "breast_2cls"], 12)
    table = Table(root, "breast_2cls")
    for row in table.rows:
        table.file(row).write_bytes(b"")
    table.write()
    out = tmp_path / "stats.png"
    answer = usmt("data", "stats", f"fmc_uia={root}", "--json", "--out", out)
    assert answer.code == 0
    organs, breast = answer.data["tasks"]["organ_5cls"], answer.data["tasks"]["breast_2cls"]
    assert (organs["type"], organs["with_defects"], organs["classes"]) == ("", 0, {})
    assert organs["width"]["max"] == 240
    assert (breast["records"], breast["with_defects"]) == (12, 12)
    assert "width" not in breast
    assert out.exists()
