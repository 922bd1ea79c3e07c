"""`usmt data show` and `usmt data split`, and training on a split that was drawn before."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from PIL import Image
from real_pack import copy_pack, read_rows, write_rows
from ruamel.yaml import YAML

from usmt.data.split import Split

TASKS = ("breast_2cls", "breast_lesion")
CHOSEN = [part for task in TASKS for part in ("--task", task)]
QUICK = (
    *("--set", "image_size=64", "--set", "epochs=1", "--set", "moe.experts=2"),
    *("--set", "backbone={name: vit_tiny_patch16_dinov3_qkvb, weights: none}"),
    "--set",
    "task_types.segmentation={fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}",
)


@pytest.fixture
def pack(realus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return copy_pack(realus, tmp_path / "pack", [*TASKS, "breast_3cls"], 32)


# -- show


class Page(HTMLParser):
    """The elements of a page, its images, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.images: list[np.ndarray] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("src", "href"):
                kind, _, data = value.partition(",")
                assert kind == "data:image/png;base64"
                self.images.append(np.array(Image.open(io.BytesIO(base64.b64decode(data)))))

    def handle_data(self, data):
        self.words += data


def test_a_page_that_needs_nothing_else(usmt: Usmt, pack: Path):
    answer = usmt(
        *("data", "show", f"fmc_uia={pack}", *CHOSEN, "--count", 5, "--out", "gallery.html")
    )
    assert (answer.code, answer.out) == (0, "gallery.html\n")
    text = Path("gallery.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags and "link" not in page.tags
    assert "http" not in re.sub(r'src="[^"]*"', "", text)
    assert len(page.images) == 2 * 5 * len(TASKS)
    for bare, labelled in zip(page.images[::2], page.images[1::2], strict=True):
        assert bare.shape == labelled.shape
        assert (bare != labelled).any()
    keys = [row["image_path"] for task in TASKS for row in read_rows(pack, task)]
    assert sum(key in page.words for key in keys) == 5 * len(TASKS)


def test_the_picture_is_in_this_folder_and_the_seed_decides(usmt, pack):
    show = ("data", "show", f"fmc_uia={pack}", "--task", "breast_lesion")
    pictures = []
    for seed in (1, 1, 2):
        answer = usmt(*show, "--seed", seed)
        assert (answer.code, answer.out) == (0, "labels-breast_lesion.png\n")
        pictures.append(Path("labels-breast_lesion.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]
    assert Image.open("labels-breast_lesion.png").format == "PNG"


def test_one_side_of_the_split(usmt, pack):
    assert usmt("data", "split", f"fmc_uia={pack}", "--out", "split.csv").code == 0
    held = {
        key
        for (task, key), place in Split.read(Path("split.csv")).places.items()
        if (task, place.side) == ("breast_2cls", "test")
    }
    show = ("data", "show", f"fmc_uia={pack}", "--task", "breast_2cls", "--count", 99)
    assert usmt(*show, "--side", "test", "--out", "test.html").code == 0
    words = Page(Path("test.html").read_text(encoding="utf-8")).words
    rows = read_rows(pack, "breast_2cls")
    assert {row["image_path"] for row in rows if row["image_path"] in words} == held


def test_synthetic_images_are_shown_too(usmt, pack):
    tasks = ("fetal_femur", "thyroid_nodule_det", "fetal_head", "breast_3cls")
    chosen = [part for task in tasks for part in ("--task", task)]
    assert usmt("data", "show", "phantom", *chosen, "--out", "all.png").code == 0
    assert max(Image.open("all.png").size) > 1000


def test_records_with_defects_are_not_shown(usmt, pack):
    rows = read_rows(pack, "breast_2cls")
    for row in rows[1:]:
        row["mask"] = "7"
    write_rows(pack, "breast_2cls", rows)
    show = ("data", "show", f"fmc_uia={pack}", "--task", "breast_2cls", "--out", "page.html")
    assert usmt(*show).code == 0
    page = Page(Path("page.html").read_text(encoding="utf-8"))
    assert len(page.images) == 2
    rows[0]["mask"] = "7"
    write_rows(pack, "breast_2cls", rows)
    answer = usmt(*show)
    assert answer.code == 1
    assert "'breast_2cls' has no record that can be shown" in answer.err


# -- split


def test_a_split_is_the_one_that_training_would_draw(usmt, pack):
    answer = usmt("data", "split", f"fmc_uia={pack}", "--out", "split.csv", "--json")
    assert answer.code == 0
    split = Split.read(Path("split.csv"))
    assert answer.data["fingerprint"] == split.fingerprint
    counts = Counter((task, place.side) for (task, _), place in split.places.items())
    assert answer.data["tasks"] == {
        task: {side: counts[task, side] for side in ("train", "val", "test")}
        for task in ("breast_2cls", "breast_3cls", "breast_lesion")
    }
    assert usmt(*("train", "--data", f"fmc_uia={pack}", *CHOSEN, *QUICK, "--out", "run")).code == 0
    assert Split.read(Path("run/split.csv")) == split


def test_the_tables_of_a_split(usmt, pack):
    answer = usmt("data", "split", f"fmc_uia={pack}", "--out", "split.csv", "--seed", 4)
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[1] == ["task", "train", "val", "test"]
    assert sum(map(int, lines[2][1:])) == 32
    assert "96 records in" in answer.err
    other = usmt("data", "split", f"fmc_uia={pack}", "--out", "other.csv", "--seed", 5)
    assert other.code == 0
    assert Path("split.csv").read_bytes() != Path("other.csv").read_bytes()


def test_shares_of_a_split(usmt, pack):
    split = ("data", "split", f"fmc_uia={pack}", "--out", "split.csv")
    assert usmt(*split, "--test", 0, "--val", 0.5).code == 0
    sides = Counter(place.side for place in Split.read(Path("split.csv")).places.values())
    assert sides["test"] == 0
    assert 40 <= sides["val"] <= 56
    assert usmt(*split, "--force", "--test", 0.6).code == 1


def test_a_file_that_is_there_is_kept(usmt, pack):
    Path("split.csv").write_text("a run's own")
    split = ("data", "split", f"fmc_uia={pack}", "--out", "split.csv")
    answer = usmt(*split)
    assert answer.code == 1
    assert "split.csv: exists" in answer.err and "--force" in answer.err
    assert Path("split.csv").read_text() == "a run's own"
    assert usmt(*split, "--force").code == 0
    assert Split.read(Path("split.csv")).places
    assert not list(Path.cwd().glob(".*"))


# -- train --split


@pytest.fixture
def frozen(usmt, pack) -> Path:
    """A split that training would not draw by itself."""
    out = pack.parent / "frozen.csv"
    split = ("data", "split", f"fmc_uia={pack}", "--out", out, "--seed", 7, "--test", 0.3)
    assert usmt(*split).code == 0
    return out


@pytest.mark.parametrize("form", ["{}", "fmc_uia={}"])
def test_a_run_keeps_to_a_frozen_split(usmt, pack, frozen, form, monkeypatch):
    train = ("train", "--data", f"fmc_uia={pack}", *CHOSEN, *QUICK, "--out", "run")
    assert usmt(*train, "--split", form.format("frozen.csv")).code == 0
    split = Split.read(frozen)
    assert Split.read(Path("run/split.csv")) == split
    settings = YAML(typ="safe").load(Path("run/config.yaml"))
    assert settings["split"]["files"] == {"fmc_uia": str(frozen)}
    scores = Path("run/scores.csv")
    with scores.open(newline="") as file:
        scored = {(row["task"], row["key"]) for row in csv.DictReader(file)}
    assert scored == {
        name for name, place in split.places.items() if name[0] in TASKS and place.side == "val"
    }
    frozen.unlink()  # the run has its own
    assert usmt("evaluate", "run").code == 0


def test_a_run_is_repeated_from_its_config(usmt, pack, frozen, monkeypatch):
    train = ("train", "--data", f"fmc_uia={pack}", "--task", "breast_2cls", *QUICK)
    assert usmt(*train, "--split", "frozen.csv", "--out", "run").code == 0
    monkeypatch.chdir("/")
    folder = pack.parent
    again = ("train", "--config", folder / "run/config.yaml", "--out", folder / "again")
    assert usmt(*again).code == 0
    assert Split.read(folder / "again/split.csv") == Split.read(frozen)


def dry(usmt: Usmt, pack: Path, *options: object):
    return usmt("train", "--data", f"fmc_uia={pack}", *CHOSEN, *QUICK, "--dry-run", *options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("gone", "1 record gone (e.g. '../Classification/breast_2cls/busi_"),
        (
            "new",
            "1 record new (e.g. '../Classification/breast_2cls/new.png' of task 'breast_2cls')",
        ),
        ("changed", "1 record with other pixels (e.g. '../Classification/breast_2cls/busi_"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--skip-bad",)])
def test_a_split_that_no_longer_fits(usmt, pack, frozen, change, said, options):
    rows = read_rows(pack, "breast_2cls")
    row = rows[5]
    image = pack / "csv_files" / row["image_path"]
    turned = Image.open(image).rotate(90)
    if change == "gone":
        rows.remove(row)
    elif change == "changed":
        turned.save(image)
    else:
        rows.append({**row, "image_path": "../Classification/breast_2cls/new.png"})
        turned.save(image.with_name("new.png"))
    write_rows(pack, "breast_2cls", rows)
    answer = dry(usmt, pack, "--split", frozen, *options)
    assert answer.code == 1
    assert f"the split {frozen} does not fit the data of fmc_uia: {said}" in answer.err
    assert "usmt data split" in answer.err


def test_damage_that_came_after_the_split(usmt, pack, frozen):
    """It is told as damage; without the damaged records the rest keeps its sides."""
    row = read_rows(pack, "breast_2cls")[4]
    (pack / "csv_files" / row["image_path"]).write_bytes(b"")
    answer = dry(usmt, pack, "--split", frozen)
    assert answer.code == 1
    assert "1 of the records cannot be used" in answer.err and "--skip-bad" in answer.err
    train = ("train", "--data", f"fmc_uia={pack}", *CHOSEN, *QUICK, "--split", frozen)
    assert usmt(*train, "--skip-bad", "--out", "run").code == 0
    places = dict(Split.read(frozen).places)
    del places["breast_2cls", row["image_path"]]
    assert Split.read(Path("run/split.csv")).places == places
    assert usmt("evaluate", "run").code == 0


def test_damage_to_a_task_that_is_not_trained(usmt, pack, frozen):
    row = read_rows(pack, "breast_3cls")[4]
    (pack / "csv_files" / row["image_path"]).write_bytes(b"")
    assert dry(usmt, pack, "--split", frozen).code == 0


def test_a_split_of_synthetic_images(usmt, pack):
    assert usmt("data", "split", "phantom", "--out", "phantom.csv", "--seed", 3).code == 0
    answer = usmt(*("train", "--task", "fetal_head", *QUICK, "--split", "phantom.csv", "--dry-run"))
    assert answer.code == 0
    counts = Counter(
        place.side
        for (task, _), place in Split.read(Path("phantom.csv")).places.items()
        if task == "fetal_head"
    )
    assert f"train {counts['train']}, val {counts['val']}, test {counts['test']}" in answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "fmc=frozen.csv"], "did you mean 'fmc_uia'?"),
        (["--split", "frozen.csv", "--split", "fmc_uia=frozen.csv"], "once a dataset"),
        (["--split", "none.csv"], "none.csv: cannot be read as a split"),
        (["--split", "pack/csv_files/breast_2cls.csv"], "expected the columns task, key, side"),
        (["--set", "split.files={other: frozen.csv}"], "split.files.other: no data of this name"),
        (["--split", "frozen.csv", "--data", "phantom"], "--split frozen.csv: expected NAME=FILE"),
    ],
)
def test_splits_that_cannot_be_used(usmt, pack, frozen, options, said):
    answer = dry(usmt, pack, *options)
    assert answer.code == 1
    assert said in answer.err


def test_a_resumed_run_takes_no_split(usmt):
    answer = usmt("train", "--resume", "run", "--split", "split.csv")
    assert answer.code == 1
    assert "--split cannot be given with --resume" in answer.err
