"""Every single thing that was harmed is found and named; on sound data nothing is invented."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from harmed_pack import Found, Table, harm
from PIL import Image
from real_pack import copy_pack, read_rows

from usmt.inspect.check import RARE_RECORDS

WARNINGS = {
    "burnt-in annotation",
    "empty side",
    "near-duplicate",
    "near-duplicate across tasks",
    "task left out",
    "task without a spec",
}
"""All that is odd about the real pack."""


def found_in(report: dict[str, Any]) -> set[Found]:
    return {Found(defect["place"], defect["kind"]) for defect in report["defects"]}


@pytest.fixture(scope="module")
def harmed(realus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Found]]:
    root = tmp_path_factory.mktemp("harmed") / "pack"
    return root, harm(realus, root)


@pytest.fixture
def report(harmed, usmt: Usmt, realus_specs: Path) -> dict[str, Any]:
    answer = usmt("data", "check", f"fmc_uia={harmed[0]}", "--specs", realus_specs, "--json")
    assert answer.code == 1
    return answer.data


def test_all_that_was_harmed_is_found_and_nothing_else(harmed, report):
    expected = Counter(harmed[1])
    found = Counter(Found(defect["place"], defect["kind"]) for defect in report["defects"])
    assert expected - found == Counter()
    others = found - expected
    # The pack's own marks and frames of one video, and what follows from what was harmed.
    follows = {"duplicate image", "image without a row", "class nearly never present"}
    assert {one.kind for one in others} <= {*WARNINGS, *follows}
    rows = {one.place for one in harmed[1]}
    copies = {one.place for one in found if one.kind == "duplicate image"}
    assert copies <= rows
    assert not copies & {one.place for one in found if one.kind == "duplicate row"}


def test_errors_are_what_harms_training(report):
    warnings = {
        *WARNINGS,
        *("byte order mark", "CRLF line ends", "GBK encoding", "misspelt column"),
        *("empty mask", "tiny box", "points in one place", "point at (0, 0)", "points as shares"),
        *("blank image", "odd image size", "duplicate image", "image without a row"),
        "unknown sources",
        *("class never present", "class nearly never present"),
    }
    for defect in report["defects"]:
        assert (defect["severity"] == "warning") == (defect["kind"] in warnings), defect
    counts = Counter(defect["severity"] for defect in report["defects"])
    assert (report["errors"], report["warnings"]) == (counts["error"], counts["warning"])
    kinds = [(row["kind"], row["severity"], row["count"]) for row in report["kinds"]]
    assert sum(count for _, _, count in kinds) == len(report["defects"])
    assert [severity for _, severity, _ in kinds] == sorted(severity for _, severity, _ in kinds)


def test_the_fix_of_a_mask_of_0_and_255_is_told(report):
    (reason,) = {d["reason"] for d in report["defects"] if d["kind"] == "mask of 0 and 255"}
    assert "divide it by 255" in reason


def test_the_table_and_the_list(harmed, usmt, realus_specs, tmp_path):
    root, expected = harmed
    path = tmp_path / "lists" / "defects.csv"
    answer = usmt("data", "check", f"fmc_uia={root}", "--specs", realus_specs, "--csv", path)
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[1].split() == ["kind", "severity", "count", "example"]
    truncated = next(line for line in lines if line.startswith("truncated file"))
    assert "csv_files/breast_2cls.csv:2: busi_" in truncated
    with path.open(newline="") as file:
        listed = [Found(row["place"], row["kind"]) for row in csv.DictReader(file)]
    assert not Counter(expected) - Counter(listed)
    assert f"error: {answer.err.split('error: ')[1].split()[0]} errors in the data" in answer.err
    assert f"{path} lists each with file and row" in answer.err
    assert "--skip-bad" in answer.err


def test_one_task_is_checked_alone(harmed, usmt, realus_specs):
    answer = usmt(
        *("data", "check", f"fmc_uia={harmed[0]}", "--task", "breast_lesion_det"),
        *("--specs", realus_specs, "--json"),
    )
    assert set(answer.data["records"]) == {"breast_lesion_det"}
    of_task = [one for one in harmed[1] if "breast_lesion_det" in one.place]
    assert not Counter(of_task) - Counter(found_in(answer.data))
    assert {defect["task"] for defect in answer.data["defects"]} <= {"breast_lesion_det", ""}


# -- sound data


def test_on_the_real_pack_nothing_is_invented(usmt, realus, realus_specs):
    answer = usmt("data", "check", f"fmc_uia={realus}", "--specs", realus_specs, "--json")
    assert answer.code == 0
    assert answer.data["errors"] == 0
    assert sum(answer.data["records"].values()) == 1165
    kinds = Counter(defect["kind"] for defect in answer.data["defects"])
    assert set(kinds) <= WARNINGS - {"task without a spec", "task left out"}
    # Frames of one video are nearly the same image; nothing else in the pack is.
    near = [d["reason"] for d in answer.data["defects"] if d["kind"].startswith("near-duplicate")]
    assert all(reason.endswith(", of the same source") for reason in near)
    # No scan of lung, nerve or fetal head has marks; every one that was found was looked at.
    marked = Counter(
        d["task"] for d in answer.data["defects"] if d["kind"] == "burnt-in annotation"
    )
    assert not {task for task in marked if task.startswith(("lung", "nerve", "fetal"))}
    assert 90 <= marked.total() <= 120


def test_tasks_without_a_spec_are_checked_as_far_as_possible(usmt, realus, tmp_path):
    root = copy_pack(realus, tmp_path / "pack", ["organ_5cls", "breast_2cls"], 20)
    table = Table(root, "organ_5cls")
    table.file(table.rows[3]).write_bytes(b"")
    table.write()
    answer = usmt("data", "check", f"fmc_uia={root}", "--json")
    assert answer.code == 1
    assert {
        Found("csv_files/organ_5cls.csv:2", "task without a spec"),
        Found("csv_files/organ_5cls.csv:5", "empty file"),
    } <= found_in(answer.data)


def test_synthetic_images_are_sound(usmt):
    answer = usmt(
        "data", "check", "phantom", "--task", "fetal_head", "--task", "breast_3cls", "--json"
    )
    assert answer.code == 0
    assert answer.data["defects"] == []
    assert answer.data["records"] == {"fetal_head": 80, "breast_3cls": 80}


# -- files as a whole


def file_case(change: str, realus: Path, root: Path) -> tuple[str, str]:
    """Spoils one table; the line and the kind that must be told."""
    copy_pack(realus, root, ["breast_lesion"], 12)
    table = Table(root, "breast_lesion")
    path = root / "csv_files" / "breast_lesion.csv"
    table.write()
    text = path.read_text()
    if change == "no header":
        path.write_text(text.partition("\n")[2])
    if change == "misspelt label column":
        table.write(mask_path="mask_pth")
        return "1", "misspelt column"
    if change == "misspelt common column":
        table.write(image_path="imagepath")
        return "1", "misspelt column"
    if change == "misspelt split":
        for row in table.rows:
            row["split"] = "train"
        table.write(split="splitt")
        return "1", "misspelt column"
    if change == "missing column":
        table.write(mask_path="")
    if change == "column twice":
        table.write(licence="task_id")
    if change == "unknown encoding":
        path.write_bytes(text.encode() + b"\xff\xfe\xff")
        return str(text.count("\n") + 1), change
    if change == "not CSV":
        path.write_text(text + '"never closed\n')
        return str(text.count("\n") + 1), change
    if change == "empty":
        path.write_bytes(b"")
        return "1", "no header"
    if change == "empty table":
        path.write_text(text.partition("\n")[0] + "\n")
    if change == "CR line ends":
        path.write_text(text.replace("\n", "\r"), newline="")
    return "1", change


@pytest.mark.parametrize(
    "change",
    [
        *("no header", "misspelt label column", "misspelt common column", "misspelt split"),
        *("missing column", "column twice", "unknown encoding", "not CSV", "empty", "empty table"),
        "CR line ends",
    ],
)
def test_tables_that_are_wrong_as_a_whole(usmt, realus, tmp_path, change):
    line, kind = file_case(change, realus, tmp_path / "pack")
    answer = usmt("data", "check", f"fmc_uia={tmp_path / 'pack'}", "--json")
    assert Found(f"csv_files/breast_lesion.csv:{line}", kind) in found_in(answer.data)
    harmless = kind in ("CR line ends",) or change == "misspelt split"
    assert answer.code == (0 if harmless else 1)


def test_a_file_that_may_hold_rows_of_any_task_is_told_once(usmt, realus, tmp_path):
    root = copy_pack(realus, tmp_path / "pack", ["breast_2cls", "breast_3cls"], 8)
    (root / "csv_files" / "zz.csv").write_bytes(b"")
    answer = usmt("data", "check", f"fmc_uia={root}", "--json")
    assert [d["place"] for d in answer.data["defects"] if d["kind"] == "no header"] == [
        "csv_files/zz.csv:1"
    ]


def test_images_that_no_row_names(usmt, realus, tmp_path):
    root = copy_pack(realus, tmp_path / "pack", ["breast_2cls"], 8)
    Image.new("L", (9, 9)).save(root / "Classification" / "forgotten.png")
    answer = usmt("data", "check", f"fmc_uia={root}", "--json")
    assert Found("Classification/forgotten.png", "image without a row") in found_in(answer.data)


# -- between records


@pytest.fixture
def pair(realus, tmp_path) -> tuple[Path, Table, Table]:
    """Two tasks of one type and the same classes."""
    root = copy_pack(realus, tmp_path / "pack", ["breast_2cls", "lung_abnormal_2cls"], 12)
    return root, Table(root, "breast_2cls"), Table(root, "lung_abnormal_2cls")


def specs_with_classes(folder: Path, classes: str) -> Path:
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "lung_abnormal_2cls.yaml").write_text(
        "id: lung_abnormal_2cls\ntitle: Same words\ntype: classification\norgan: lung\n"
        f"dataset: fmc_uia\nflip: none\nclasses: {classes}\n"
    )
    return folder


@pytest.mark.parametrize(
    ("classes", "told"), [("[benign, malignant]", True), ("[regular, diseased]", False)]
)
def test_one_image_with_two_labels_in_tasks_of_the_same_classes(
    usmt, pair, tmp_path, classes, told
):
    root, breast, lung = pair
    row = breast.rows[4]
    shutil.copy(breast.file(row), lung.file(lung.rows[2]))
    lung.rows[2]["mask"] = str(1 - int(row["mask"]))
    lung.write()
    specs = specs_with_classes(tmp_path / "specs", classes)
    answer = usmt("data", "check", f"fmc_uia={root}", "--specs", specs, "--json")
    found = found_in(answer.data)
    place = "csv_files/lung_abnormal_2cls.csv:4"
    assert (Found(place, "two labels of one image") in found) == told
    assert Found(place, "duplicate image across tasks") in found
    assert answer.code == int(told)


def test_images_on_two_sides_in_two_tasks(usmt, pair, tmp_path):
    root, breast, lung = pair
    for table, side in ((breast, "train"), (lung, "test")):
        for row in table.rows:
            row["split"] = side
    shutil.copy(breast.file(breast.rows[4]), lung.file(lung.rows[2]))
    lung.rows[5]["source_id"] = breast.rows[0]["source_id"]
    breast.write()
    lung.write()
    specs = specs_with_classes(tmp_path / "specs", "[regular, diseased]")
    answer = usmt("data", "check", f"fmc_uia={root}", "--specs", specs, "--json")
    crossing = {one for one in found_in(answer.data) if one.kind.endswith("on two sides")}
    at = "csv_files/lung_abnormal_2cls.csv"
    assert Found(f"{at}:4", "duplicate on two sides") in crossing
    assert Found(f"{at}:7", "source on two sides") in crossing
    assert answer.code == 1


def test_every_copy_on_another_side_is_named(usmt, realus, tmp_path):
    """However many copies there are, and whichever side most are on."""
    root = copy_pack(realus, tmp_path / "pack", ["breast_2cls"], 10)
    table = Table(root, "breast_2cls")
    for row in table.rows:
        row["split"] = "val"
    for name in ("one.jpg", "two.jpg"):
        row = table.copy_of(table.rows[0], name, split="train", source_id=name)
        image = Image.fromarray(np.array(Image.open(table.file(row))))
        image.save(table.file(row), quality=85 if name == "one.jpg" else 60)
    table.write()
    answer = usmt("data", "check", f"fmc_uia={root}", "--json")
    reasons = [
        d["reason"]
        for d in answer.data["defects"]
        if d["kind"].startswith("near") and d["severity"] == "error"
    ]
    assert reasons == [
        "on val in the official split, but nearly the same image as csv_files/breast_2cls.csv:12 "
        "(breast_2cls), on train"
    ]


# -- a frozen split


@pytest.fixture
def split(usmt, realus, tmp_path) -> tuple[Path, Path]:
    root = copy_pack(realus, tmp_path / "pack", ["breast_2cls", "breast_3cls"], 24)
    file = tmp_path / "split.csv"
    assert usmt("data", "split", f"fmc_uia={root}", "--out", file).code == 0
    return root, file


def test_data_that_fit_their_split(usmt, split):
    answer = usmt("data", "check", f"fmc_uia={split[0]}", "--split", split[1], "--json")
    assert (answer.code, answer.data["errors"]) == (0, 0)


def test_what_no_longer_fits_the_split(usmt, split):
    root, file = split
    table = Table(root, "breast_2cls")
    table.copy_of(table.rows[0], "new.png", source_id="somebody else")
    Image.open(table.file(table.rows[2])).rotate(90).save(table.file(table.rows[2]))
    gone = table.rows.pop(4)["image_path"]
    unread = table.file(table.rows[9])
    unread.write_bytes(b"")
    table.write()
    answer = usmt("data", "check", f"fmc_uia={root}", "--split", file, "--json")
    assert answer.code == 1
    told = [d for d in answer.data["defects"] if d["kind"].startswith("split: ")]
    assert {(d["place"], d["kind"]) for d in told} == {
        ("csv_files/breast_2cls.csv:25", "split: new record"),
        ("csv_files/breast_2cls.csv:4", "split: other pixels"),
        (str(file), "split: record gone"),
    }
    (reason,) = [d["reason"] for d in told if d["kind"] == "split: record gone"]
    assert gone in reason


def test_a_split_file_that_parts_what_belongs_together(usmt, split):
    root, file = split
    lines = file.read_text().splitlines()
    rows = read_rows(root, "breast_2cls")
    sources = Counter(row["source_id"] for row in rows)
    several = [row for row in rows if sources[row["source_id"]] > 1]
    moved = several[0]["image_path"]
    at = next(i for i, line in enumerate(lines) if f",{moved}," in line)
    side = lines[at].split(",")[2]
    lines[at] = lines[at].replace(f",{side},", f",{'val' if side != 'val' else 'test'},", 1)
    file.write_text("\n".join(lines) + "\n")
    answer = usmt("data", "check", f"fmc_uia={root}", "--split", file, "--json")
    told = [d for d in answer.data["defects"] if d["kind"] == "source on two sides"]
    assert told
    assert all(several[0]["source_id"] in d["reason"] for d in told)


# -- classes


@pytest.mark.parametrize("count", [0, 1, RARE_RECORDS - 1, RARE_RECORDS])
def test_a_class_that_is_hardly_there(usmt, realus, tmp_path, count):
    root = copy_pack(realus, tmp_path / "pack", ["breast_2cls"], 64)
    table = Table(root, "breast_2cls")
    rare = [row for row in table.rows if row["mask"] == "1"]
    table.rows = [row for row in table.rows if row["mask"] == "0"] + rare[:count]
    table.write()
    answer = usmt("data", "check", f"fmc_uia={root}", "--json")
    kinds = [d["kind"] for d in answer.data["defects"] if d["kind"].startswith("class")]
    expected = "class nearly never present" if count else "class never present"
    assert kinds == ([] if count >= RARE_RECORDS else [expected])
