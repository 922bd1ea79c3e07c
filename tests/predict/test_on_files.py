"""`usmt predict RUN IMAGE... --task ID`: a JSON and pictures of single files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from PIL import Image


@pytest.fixture
def images(tmp_path: Path, realus: Path) -> list[Path]:
    """Three files; two have one name, in different folders."""
    with (realus / "csv_files" / "fetal_head.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    places = [tmp_path / "a" / "one.png", tmp_path / "b" / "one.png", tmp_path / "b" / "two.png"]
    for row, place in zip(rows, places, strict=False):
        place.parent.mkdir(exist_ok=True)
        shutil.copy(realus / "csv_files" / row["image_path"], place)
    return places


def test_a_mask_with_its_pictures_and_measurements(
    usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    command = ("predict", trained, *images, "--task", "fetal_head", "--out", out, "--json")
    answer = usmt(*command, "--pixel-size", "0.2")
    assert answer.code == 0, answer.err
    folder = out / "fetal_head"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}{end}"
        for name in ("one", "one-2", "two")
        for end in (".json", ".overlay.png", ".mask.png")
    )
    for entry, image in zip(answer.data, images, strict=True):
        assert entry["image"] == str(image)
        size = entry["size"]["height"], entry["size"]["width"]
        pixels = np.array(Image.open(image).convert("RGB"))
        mask = np.array(Image.open(entry["files"]["mask"]))
        overlay = np.array(Image.open(entry["files"]["overlay"]))
        assert mask.shape == size == pixels.shape[:2] == overlay.shape[:2]
        assert (overlay != pixels).any()
        assert entry["result"]["classes"]["head"]["pixels"] == int((mask == 1).sum())
        measured = entry["measurements"]["head_circumference"]
        assert measured["mm"] == pytest.approx(0.2 * measured["px"])
        written = Path(entry["files"]["overlay"].replace(".overlay.png", ".json")).read_text()
        assert json.loads(written) == entry
    plain = usmt(*command).data[0]["measurements"]["head_circumference"]
    assert plain == {"px": answer.data[0]["measurements"]["head_circumference"]["px"]}


def test_all_of_several_tasks_from_a_folder(
    usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    only = ("--task", "breast_3cls", "--task", "breast_lesion_det", "--task", "fetal_head_axes_reg")
    answer = usmt("predict", trained, images[1].parent, *only, "--out", out, "--json", "--tta")
    assert answer.code == 0, answer.err
    by_task = {entry["task"]: entry for entry in answer.data if entry["image"].endswith("two.png")}
    assert len(answer.data) == 6 and len(by_task) == 3
    probabilities = by_task["breast_3cls"]["result"]["probabilities"]
    assert sum(probabilities.values()) == pytest.approx(1)
    assert by_task["breast_3cls"]["result"]["class"] == max(probabilities, key=probabilities.get)
    assert len(by_task["breast_lesion_det"]["result"]["box"]) == 4
    points = by_task["fetal_head_axes_reg"]["result"]["points"]
    assert len(points) == 4
    distances = by_task["fetal_head_axes_reg"]["measurements"]
    assert "head_circumference" in distances


def test_pixels_that_are_not_square(usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path):
    command = ("predict", trained, images[0], "--task", "fetal_head", "--json", "--out", tmp_path)
    both = usmt(*command, "--pixel-size", "0.2,0.4").data[0]["measurements"]["head_circumference"]
    assert 0.2 * both["px"] < both["mm"] < 0.4 * both["px"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path
):
    images[1].write_bytes(b"no image")
    out = tmp_path / "out"
    answer = usmt("predict", trained, *images, "--task", "fetal_head", "--out", out)
    assert answer.code == 1
    assert str(images[1]) in answer.err and "not an image" in answer.err
    assert (out / "fetal_head" / "two.json").is_file()
    assert "Traceback" not in answer.err


def test_a_table_for_people(usmt: Usmt, trained_alone: Path, images: list[Path], tmp_path: Path):
    """A run of one task needs no --task."""
    answer = usmt("predict", trained_alone, images[0], "--out", tmp_path / "out")
    assert answer.code == 0
    assert str(images[0]) in answer.out and "score" in answer.out and "box" in answer.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "neither images nor --data"),
        (("a/one.png", "--data", "fmc_uia=a"), "both images and --data"),
        (("a/one.png",), "several tasks"),
        (("a/one.png", "--task", "fetal_hed"), "did you mean 'fetal_head'"),
        (("c.png", "--task", "fetal_head"), "there is no such file"),
        (("empty", "--task", "fetal_head"), "no image in this folder"),
        (("a/one.png", "--task", "fetal_head", "--pixel-size", "0"), "expected a size in mm"),
        (("a/one.png", "--task", "fetal_head", "--pixel-size", "1,2,3"), "expected a size in mm"),
        (("a/one.png", "--task", "fetal_head", "--device", "cuda"), "no CUDA device"),
        (("--data", "fmc_uia=a", "--pixel-size", "0.1"), "is for single images"),
        (("--data", "fmc_uia"), "root"),
        (("--data", "phantoms"), "did you mean 'phantom'"),
    ],
)
def test_wrong_commands(
    usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    answer = usmt("predict", trained, *arguments)
    assert answer.code == 1 and said in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "predictions").exists()


def test_files_never_take_each_others_place(
    usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path
):
    out = tmp_path / "out"
    second = tmp_path / "c" / "one-2.png"
    second.parent.mkdir()
    shutil.copy(images[2], second)
    third = tmp_path / "c" / "one.mask.png"
    shutil.copy(images[2], third)
    command = ("predict", trained, "--task", "fetal_head", "--out", out, "--json")
    answer = usmt(*command, *images[:2], second, third)
    assert answer.code == 0, answer.err
    places = [path for entry in answer.data for path in entry["files"].values()]
    assert len(set(places)) == 8 and len(list((out / "fetal_head").iterdir())) == 12
    before = {path: path.read_bytes() for path in (out / "fetal_head").iterdir()}
    other = usmt(*command, images[1])  # `one` again, but another image
    assert other.code == 1 and "another image" in other.err and "--overwrite" in other.err
    assert {path: path.read_bytes() for path in (out / "fetal_head").iterdir()} == before
    assert usmt(*command, images[1], "--overwrite").code == 0
    assert usmt(*command, images[1]).code == 0  # the same image once more


def test_images_are_never_replaced(usmt: Usmt, trained: Path, images: list[Path], tmp_path: Path):
    place = tmp_path / "out" / "fetal_head"
    place.mkdir(parents=True)
    for image in images[1:]:
        shutil.copy(image, place / image.name)
    shutil.copy(images[0], place / "one.overlay.png")
    before = {path: path.read_bytes() for path in place.iterdir()}
    command = ("predict", trained, place, "--task", "fetal_head", "--out", tmp_path / "out")
    answer = usmt(*command, "--overwrite")
    assert answer.code == 1 and "among the images" in answer.err
    assert {path: path.read_bytes() for path in place.iterdir()} == before
