"""`usmt submission check`: each defect of a folder of predictions, once."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from made_predictions import (
    Entry,
    change_list,
    label_of,
    list_path,
    mask_of,
    of_task,
    predict_perfectly,
)
from PIL import Image

from usmt import RootOptions
from usmt_fmc_uia import FmcUia
from usmt_fmc_uia.prediction_files import mask_name
from usmt_fmc_uia.tables import Row

Defects = list[dict[str, Any]]


@pytest.fixture(scope="module")
def perfect(realus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predict_perfectly(realus, tmp_path_factory.mktemp("perfect") / "predictions")


@pytest.fixture
def spoilt(perfect: Path, tmp_path: Path) -> Path:
    """A copy of the perfect predictions, to be spoilt."""
    return Path(shutil.copytree(perfect, tmp_path / "predictions"))


@pytest.fixture
def check(usmt: Usmt, realus: Path) -> Callable[..., Defects]:
    """All defects; the exit code must be 1 if one of them is an error, else 0."""

    def run(folder: Path, *options: object, data: Path = realus) -> Defects:
        answer = usmt("submission", "check", folder, "--data", data, "--json", *options)
        found: Defects = answer.data["defects"]
        errors = sum(defect["severity"] == "error" for defect in found)
        assert answer.code == (1 if errors else 0)
        assert answer.data["errors"] == errors
        assert answer.data["warnings"] == len(found) - errors
        return found

    return run


def test_perfect_predictions_can_be_handed_in(realus: Path, perfect: Path, check, usmt: Usmt):
    assert check(perfect) == []
    answer = usmt("submission", "check", perfect, "--data", realus)
    assert answer.code == 0 and "can be handed in" in answer.out


def test_the_datasets_submission_is_checked_the_same_way(realus: Path, spoilt: Path):
    [row, *_] = of_task(realus, "fetal_head")
    mask_of(spoilt, row).unlink()
    submission = FmcUia(RootOptions(root=realus)).submission(spoilt)
    [defect] = submission.check()
    assert (defect.task, defect.kind) == ("fetal_head", "missing prediction")
    assert submission.check(["breast_lesion"]) == []


# -- lists


def first(kind: str, task: str, change: Callable[[Entry], Any]) -> Callable[[Path], str]:
    """Changes the first entry of a task; gives its place."""

    def spoil(folder: Path) -> str:
        numbers = []

        def change_one(entries: list[Entry]) -> None:
            number = next(i for i, entry in enumerate(entries) if entry["task_id"] == task)
            change(entries[number])
            numbers.append(number)

        change_list(folder, kind, change_one)
        return f"{kind}_predictions.json[{numbers[0]}]"

    return spoil


def of_class(**values: Any) -> Callable[[Path], str]:
    return first("classification", "breast_3cls", lambda entry: entry.update(values))


def of_box(change: Callable[[Entry], Any]) -> Callable[[Path], str]:
    return first("detection", "ovary_tumor_det", change)


def of_points(change: Callable[[Entry], Any]) -> Callable[[Path], str]:
    return first("regression", "fetal_head_minor_axis_reg", change)


def box(*pixels: float) -> Callable[[Path], str]:
    return of_box(lambda entry: entry.update(bbox_pixels=list(pixels)))


def both(name: str, change: Callable[[np.ndarray], Any]) -> Callable[[Entry], None]:
    """Changes pixels and shares alike, so that they do not disagree."""

    def change_both(entry: Entry) -> None:
        for key in (f"{name}_pixels", f"{name}_normalized"):
            entry[key] = change(np.array(entry[key])).tolist()

    return change_both


ONE = {
    "class beyond": (of_class(predicted_class=3), "class out of range", "expected 0 to 2"),
    "class as text": (of_class(predicted_class="1"), "form", "'1', expected a whole number"),
    "probability count": (
        of_class(predicted_probs=[0.5, 0.5]), "number of values", "2 numbers, expected 3",
    ),
    "no list": (of_class(predicted_probs=0.5), "form", "0.5, expected 3 numbers"),
    "nothing for a number": (of_class(predicted_probs=[1, 0, None]), "form", "holds None"),
    "not finite": (of_class(predicted_probs=[math.nan, 0, 1]), "not finite", "not finite"),
    "too large": (of_class(predicted_probs=[10**400, 0, 1]), "not finite", "not finite"),
    "negative": (
        of_class(predicted_probs=[1.2, -0.2, 0], predicted_class=0), "negative probability", "-0.2",
    ),
    "sum": (
        of_class(predicted_probs=[0.9, 0.05, 0.06], predicted_class=0),
        "sum of probabilities",
        "sums to 1.01",
    ),
    "no class": (
        first("classification", "breast_3cls", lambda entry: entry.pop("predicted_class")),
        "missing key",
        "has no predicted_class",
    ),
    "box of three": (box(1, 2, 30), "number of values", "3 numbers, expected 4"),
    "infinite box": (box(1, 2, math.inf, 40), "not finite", "not finite"),
    "inverted box": (
        of_box(both("bbox", lambda box: box[[2, 1, 0, 3]])), "inverted box", "inverted or empty",
    ),
    "box outside": (
        of_box(both("bbox", lambda box: box * [1, 1, 1, 9])), "outside the image", "is outside the",
    ),
    "box in other units": (
        of_box(lambda entry: entry.update(bbox_normalized=entry["bbox_pixels"])),
        "pixels and shares disagree",
        "pixels apart",
    ),
    "no shares": (
        of_box(lambda entry: entry.pop("bbox_normalized")), "missing key", "has no bbox_normalized",
    ),
    "three coordinates": (
        of_points(lambda entry: entry["predicted_points_pixels"].pop()),
        "number of values",
        "3 numbers, expected 4 numbers",
    ),
    "nested points": (
        of_points(lambda entry: entry.update(predicted_points_pixels=[[1, 2], [3, 4]])),
        "form",
        "holds [1, 2]",
    ),
    "points in other units": (
        of_points(
            lambda entry: entry.update(predicted_points_pixels=entry["predicted_points_normalized"])
        ),
        "pixels and shares disagree",
        "pixels apart",
    ),
    "unknown task": (
        first("detection", "ovary_tumor_det", lambda entry: entry.update(task_id="ovary_det")),
        "unknown task",
        "(did you mean 'ovary_tumor_det'?)",
    ),
    "task of another list": (
        of_class(task_id="ovary_tumor_det"), "unknown task", "of type detection",
    ),
    "no task": (
        first("detection", "ovary_tumor_det", lambda entry: entry.pop("task_id")),
        "missing key",
        "has no task_id",
    ),
    "path without its dots": (
        of_box(lambda entry: entry.update(image_path=entry["image_path"].removeprefix("../"))),
        "unknown image",
        "(did you mean '../Detection/ovary_tumor_det/",
    ),
    "path with a slip": (
        of_box(lambda entry: entry.update(image_path=entry["image_path"].replace(".png", "_.png"))),
        "unknown image",
        "(did you mean '../Detection/ovary_tumor_det/",
    ),
}  # fmt: skip
LOST = {"unknown task", "unknown image"}


@pytest.mark.parametrize("name", ONE)
def test_one_entry(spoilt: Path, check, name: str):
    spoil, kind, told = ONE[name]
    place = spoil(spoilt)
    found = check(spoilt)
    [defect] = [each for each in found if each["place"] == place]
    assert (defect["kind"], defect["severity"]) == (kind, "error")
    assert told in defect["reason"]
    # An entry that belongs to no image leaves its image without one.
    rest = {each["kind"] for each in found if each is not defect}
    assert rest == ({"missing prediction"} if kind in LOST or name == "no task" else set())


WARNINGS = {
    "not the likeliest": (
        of_class(predicted_class=0, predicted_probs=[0.2, 0.5, 0.3]),
        "not the arg max",
        "class 1 is the most probable",
    ),
    "extra key": (of_class(score=3), "extra key", "the extra key score"),
    "point far outside": (
        of_points(both("predicted_points", lambda points: points * [1, 1, 1, 9])),
        "outside the image",
        "point 2 at",
    ),
    "empty box": (
        of_box(both("bbox", lambda box: box[[0, 1, 0, 3]])), "inverted box", "inverted or empty",
    ),
    "point just outside": (
        of_points(both("predicted_points", lambda points: points * [-0.01, 1, 1, 1])),
        "outside the image",
        "point 1 at (-",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_one_odd_entry(spoilt: Path, check, usmt: Usmt, realus: Path, name: str):
    spoil, kind, told = WARNINGS[name]
    place = spoil(spoilt)
    [defect] = check(spoilt)
    assert (defect["place"], defect["kind"], defect["severity"]) == (place, kind, "warning")
    assert told in defect["reason"]
    answer = usmt("submission", "check", spoilt, "--data", realus)
    assert f"warning: {place}: " in answer.err


def test_rounding_is_no_defect(spoilt: Path, check):
    def rounded(entries: list[Entry]) -> None:
        for entry in entries:
            for key in entry.keys() - {"task_id", "image_path"}:
                digits = 3 if key.endswith("normalized") else 0
                entry[key] = [round(value, digits) for value in entry[key]]

    change_list(spoilt, "detection", rounded)
    change_list(spoilt, "regression", rounded)
    change_list(spoilt, "classification", lambda entries: [
        entry | {"predicted_probs": [round(p, 4) for p in entry["predicted_probs"]]}
        for entry in entries
    ])  # fmt: skip
    assert check(spoilt) == []


def test_repeated_and_missing_entries(realus: Path, spoilt: Path, check):
    change_list(spoilt, "detection", lambda entries: [*entries, entries[0]])
    change_list(spoilt, "regression", lambda entries: entries[1:])
    repeated, missing = check(spoilt)
    number = len(json.loads(list_path(spoilt, "detection").read_text())) - 1
    assert repeated["place"] == f"detection_predictions.json[{number}]"
    assert repeated["kind"] == "duplicate"
    assert "is already in detection_predictions.json[0]" in repeated["reason"]
    assert (missing["kind"], missing["severity"]) == ("missing prediction", "error")
    assert missing["place"] == "csv_files/fetal_head_axes_reg.csv:2"
    assert of_task(realus, "fetal_head_axes_reg")[0]["image_path"] in missing["reason"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[{", "not JSON"),
        (b'{"a": 1}', "holds a JSON dict, expected a list"),
        (b"\xef\xbb\xbf[]", "not JSON: Unexpected UTF-8 BOM"),
        (b'["\xff"]', "not UTF-8 text"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_lists_that_cannot_be_read(spoilt: Path, check, text: bytes, told: str):
    list_path(spoilt, "detection").write_bytes(text)
    [defect] = check(spoilt)
    assert (defect["place"], defect["kind"]) == ("detection_predictions.json", "unreadable list")
    assert told in defect["reason"]


def test_an_entry_that_is_no_object(spoilt: Path, check):
    change_list(spoilt, "detection", lambda entries: [*entries, 3])
    [defect] = check(spoilt)
    assert defect["kind"] == "form" and "JSON int, expected an object" in defect["reason"]


def test_a_list_that_is_not_there_is_told_of_each_task(realus: Path, spoilt: Path, check):
    list_path(spoilt, "detection").unlink()
    found = check(spoilt)
    assert [(d["task"], d["kind"]) for d in found] == [
        ("breast_lesion_det", "missing list"),
        ("ovary_tumor_det", "missing list"),
    ]
    assert f"{len(of_task(realus, 'breast_lesion_det'))} images" in found[0]["reason"]
    assert check(spoilt, "--task", "breast_lesion") == []
    assert len(check(spoilt, "--task", "breast_lesion", "--task", "ovary_tumor_det")) == 1


# -- masks


def saved(mask: np.ndarray) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(mask).save(path, "PNG")


def spoil_mask(kind: str, path: Path, label: np.ndarray) -> None:
    match kind:
        case "missing prediction":
            path.unlink()
        case "unreadable mask":
            path.write_bytes(path.read_bytes()[:200])
        case "size of the mask":
            saved(label[:-1])(path)
        case "values of the mask":
            saved(label * 255)(path)
        case "colour":
            saved(np.stack([label] * 3, axis=2))(path)
        case "16 bits":
            saved(label.astype(np.uint16))(path)
        case "one bit":
            Image.fromarray(label > 0).save(path)


@pytest.mark.parametrize(
    ("spoil", "kind", "told"),
    [
        ("missing prediction", "missing prediction", "there is no mask Segmentation/Two/hc18/"),
        ("unreadable mask", "unreadable mask", "cannot be read"),
        ("size of the mask", "size of the mask", "pixels, the image"),
        ("values of the mask", "values of the mask", "has the values 255, expected 0 to 1"),
        ("colour", "colour", "in colour"),
        ("16 bits", "unreadable mask", "not a grey PNG of 8 bits"),
        ("one bit", "unreadable mask", "not a grey PNG of 8 bits"),
    ],
)
def test_one_mask(realus: Path, spoilt: Path, check, spoil: str, kind: str, told: str):
    row = of_task(realus, "fetal_head")[4]
    spoil_mask(spoil, mask_of(spoilt, row), label_of(realus, row))
    [defect] = check(spoilt)
    assert (defect["task"], defect["kind"], defect["severity"]) == ("fetal_head", kind, "error")
    name = row["mask_path"].replace("../", "")
    there = "csv_files/fetal_head.csv:6" if spoil == "missing prediction" else name
    assert defect["place"] == there and told in defect["reason"]


def test_extra_files_are_odd(spoilt: Path, check):
    (spoilt / "Segmentation" / "notes.txt").write_text("x")
    (spoilt / ".predictions.jsonl").write_text("")  # hidden: passed over
    [defect] = check(spoilt)
    assert (defect["place"], defect["kind"]) == ("Segmentation/notes.txt", "extra file")
    assert defect["severity"] == "warning"


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ({"image_path": "../a/img/1.png", "mask_path": "../b/m/1.png"}, "b/m/1.png"),
        ({"image_path": "../a/imgs/img_1.png", "mask_path": ""}, "a/masks/mask_1.png"),
        ({"image_path": "../a/IMG/img.png"}, "a/MASK/mask.png"),
    ],
)
def test_where_masks_are_written(cells: dict[str, str], name: str):
    assert mask_name(Row("a.csv:2", cells)) == name


# -- data without labels


def test_labels_are_not_needed(realus: Path, perfect: Path, tmp_path: Path, check):
    """Only the columns that every row has; masks are then called like their images."""
    root = tmp_path / "data"
    (root / "csv_files").mkdir(parents=True)
    columns = ("image_path", "task_id", "task_name", "num_classes")
    tasks = ("fetal_head", "organ_5cls", "ovary_tumor_det", "fetal_head_axes_reg")
    for task in tasks:
        for row in of_task(realus, task):
            image = root / "csv_files" / row["image_path"]
            image.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(realus / "csv_files" / row["image_path"], image)
        with (root / "csv_files" / f"{task}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(of_task(realus, task))
    folder = tmp_path / "predictions"
    folder.mkdir()
    for kind in ("classification", "detection", "regression"):
        shutil.copy(list_path(perfect, kind), folder)
        change_list(
            folder, kind, lambda entries: [one for one in entries if one["task_id"] in tasks]
        )
    for row in of_task(realus, "fetal_head"):
        path = folder / row["image_path"].replace("../", "").replace("img", "mask")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(mask_of(perfect, row), path)
    assert check(folder, data=root) == []


def test_an_image_that_cannot_be_read_is_odd(tmp_path: Path, check):
    root = tmp_path / "data"
    (root / "csv_files").mkdir(parents=True)
    (root / "csv_files" / "a.csv").write_text(
        "image_path,task_id,task_name,num_classes\n../1.png,one,detection,1\n"
    )
    folder = tmp_path / "predictions"
    folder.mkdir()
    entry = {"image_path": "../1.png", "task_id": "one", "bbox_pixels": [1, 2, 3, 4]}
    entry["bbox_normalized"] = [0.1, 0.2, 0.3, 0.4]
    list_path(folder, "detection").write_text(json.dumps([entry]))
    [defect] = check(folder, data=root)
    assert (defect["place"], defect["severity"]) == ("csv_files/a.csv:2", "warning")
    assert "no such file" in defect["reason"]


# -- the command


def test_many_errors_are_counted_and_written(
    realus: Path, spoilt: Path, usmt: Usmt, tmp_path: Path
):
    shutil.rmtree(spoilt / "Segmentation" / "Two" / "busi")
    of_class(predicted_class=9)(spoilt)
    path = tmp_path / "defects.csv"
    answer = usmt("submission", "check", spoilt, "--data", realus, "--csv", path)
    count = len(of_task(realus, "breast_lesion"))
    assert answer.code == 1 and not answer.out
    assert f"{count + 1} errors (missing prediction {count}, class out of range 1)" in answer.err
    assert answer.err.count("there is no mask") == 19  # the class came first
    assert f"... and {count + 1 - 20} more" in answer.err
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["task", "place", "kind", "severity", "reason"]
    assert len(found) == count + 1


def test_wrong_arguments(realus: Path, perfect: Path, usmt: Usmt, tmp_path: Path):
    for arguments, told in (
        ((tmp_path / "none", "--data", realus), "there is no such folder"),
        ((perfect, "--data", tmp_path), "has no folder csv_files"),
        ((perfect, "--data", realus, "--task", "organ_5"), "did you mean 'organ_5cls'?"),
    ):
        answer = usmt("submission", "check", *arguments)
        assert answer.code == 1 and told in answer.err


def test_a_table_that_cannot_be_read(tmp_path: Path, perfect: Path, usmt: Usmt):
    (tmp_path / "csv_files").mkdir()
    (tmp_path / "csv_files" / "a.csv").write_text("image_path,task_id\n")
    answer = usmt("submission", "check", perfect, "--data", tmp_path)
    assert answer.code == 1 and "csv_files/a.csv:1: missing column" in answer.err
