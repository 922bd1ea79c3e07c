"""What `usmt data check`, `stats` and `split` say of tasks that they cannot look at, of files that
tasks share, and of records that are at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from PIL import Image

LAYOUT = "layout: {table: t.csv, image: file, label: kind, source: patient}\n"


def spec(folder: Path, task: str, rest: str = LAYOUT, kind: str = "classification") -> None:
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    (folder / "tasks" / f"{task}.yaml").write_text(
        f"id: {task}\ntitle: T\ntype: {kind}\norgan: breast\ndataset: csv\nflip: none\n"
        f"classes: [benign, malignant]\n{rest}"
    )


def rows(count: int = 40) -> list[str]:
    return [f"{i}.png,p{i // 2},{('benign', 'malignant')[i % 2]}" for i in range(count)]


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """A table of 40 images, and the spec of one task that reads it."""
    for i in range(40):
        pixels = np.random.default_rng(i).integers(50, 200, (24, 20), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    write(tmp_path / "t.csv", rows())
    spec(tmp_path / "specs", "ward")
    return tmp_path


def write(table: Path, lines: list[str], header: str = "file,patient,kind") -> None:
    table.write_text("\n".join([header, *lines, ""]))


def check(usmt: Usmt, ward: Path, *more: Any, code: int = 0) -> list[dict[str, str]]:
    answer = usmt("data", "check", f"csv={ward}", "--specs", ward / "specs", "--json", *more)
    assert answer.code == code
    found: list[dict[str, str]] = answer.data["defects"]
    return found


# -- tasks that are not looked at


def test_the_hint_of_a_table_that_cannot_be_read(usmt: Usmt, ward: Path) -> None:
    write(ward / "t.csv", [row.replace(",", ";") for row in rows()], "file;patient;kind")
    hint = "its columns: file;patient;kind; is `delimiter: semicolon` missing in the layout?"
    (told,) = check(usmt, ward, code=1)
    assert told["kind"] == "no records"
    assert "no column 'file', which `image` in the layout names; " in told["reason"]
    assert hint in told["reason"]
    for command in (("stats",), ("split", "--out", ward / "split.csv")):
        answer = usmt("data", command[0], f"csv={ward}", *command[1:], "--specs", ward / "specs")
        assert answer.code == 1
        assert hint in answer.err


def test_one_of_the_users_tasks_that_cannot_be_read(usmt: Usmt, ward: Path) -> None:
    spec(ward / "specs", "other", LAYOUT.replace("t.csv", "u.csv"))
    (told,) = check(usmt, ward)
    assert (told["task"], told["kind"], told["severity"]) == ("other", "task left out", "warning")
    said = "has no file 'u.csv' (did you mean 't.csv'?) (`table` in the spec's layout names it)"
    assert said in told["reason"]
    assert check(usmt, ward, "--task", "ward") == []
    answer = usmt("data", "stats", f"csv={ward}", "--specs", ward / "specs")
    assert answer.code == 0
    assert f"warning: task other: {told['reason']}" in answer.err


PLUGIN = """\
from pathlib import Path

from usmt import hookimpl


@hookimpl
def usmt_spec_dirs():
    return [Path(__file__).parent / "its_specs"]
"""


def test_tasks_of_a_plugin_whose_task_type_is_missing(usmt: Usmt, ward: Path) -> None:
    loose = ward / "loose"
    loose.mkdir()
    (loose / "grading.py").write_text(PLUGIN)
    for task in ("grade_a", "grade_b"):
        spec(loose / "its_specs", task, kind="grade")
    (told,) = check(usmt, ward, "--plugins-dir", loose)
    assert (told["place"], told["kind"]) == ("tasks grade_a, grade_b", "task left out")
    assert told["severity"] == "warning"
    assert "no plugin gives the task type 'grade'" in told["reason"]


# -- between tasks


def across(usmt: Usmt, ward: Path) -> list[str]:
    found = check(usmt, ward)
    kinds = [d["kind"] for d in found]
    assert set(kinds) <= {"duplicate image across tasks", "duplicate image"}
    return [f"{d['place']} {d['reason']}" for d in found if d["kind"].endswith("across tasks")]


def test_a_file_that_tasks_share_is_no_duplicate(usmt: Usmt, ward: Path) -> None:
    spec(ward / "specs", "again")
    assert across(usmt, ward) == []


def test_a_copy_names_all_tasks_that_have_the_image(usmt: Usmt, ward: Path) -> None:
    spec(ward / "specs", "again")
    spec(ward / "specs", "ward_copy", LAYOUT.replace("t.csv", "u.csv"))
    (ward / "copy.png").write_bytes((ward / "3.png").read_bytes())
    write(ward / "u.csv", ["copy.png,p1,malignant", *rows()[20:]])
    assert across(usmt, ward) == [
        "u.csv:2 the same pixels as t.csv:5 (again), t.csv:5 (ward)",
    ]


# -- records at fault

DATASET = """\
import numpy as np

from usmt import DataError, Dataset, DatasetCard, DatasetOptions, Record, hookimpl

STRATA = ["benign"] * 30 + ["malignant"] * 2 + ["unclear"]


class Ward(Dataset):
    name = "ward_images"
    Options = DatasetOptions
    card = DatasetCard(title="Ward")

    def records(self, task):
        return [
            Record(task.id, f"{i}", f"p{i}", f"ward.csv:{i}", stratum, payload=i)
            for i, stratum in enumerate(STRATA)
        ]

    def read_image(self, record):
        return np.random.default_rng(record.payload).integers(50, 200, (24, 20), np.uint8)

    def read_label(self, record, task):
        if record.stratum not in task.classes:
            raise DataError(f"the class is {record.stratum}")
        return task.classes.index(record.stratum)


@hookimpl
def usmt_datasets():
    return [Ward]
"""


def test_sides_are_counted_of_sound_records(usmt: Usmt, tmp_path: Path) -> None:
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "ward_plugin.py").write_text(DATASET)
    spec(tmp_path / "specs", "ward", "")
    file = tmp_path / "specs" / "tasks" / "ward.yaml"
    file.write_text(file.read_text().replace("dataset: csv", "dataset: ward_images"))
    options = ("--specs", tmp_path / "specs", "--plugins-dir", tmp_path / "loose")
    answer = usmt("data", "check", "ward_images", "--json", *options)
    assert answer.code == 1
    told = {defect["kind"]: defect["reason"] for defect in answer.data["defects"]}
    assert told["label"] == "the class is unclear"
    assert "1 of 2 classes has no image on " in told["empty side"]
    assert ": malignant (" in told["empty side"] and "unclear" not in told["empty side"]
