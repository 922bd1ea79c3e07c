"""What usmt asks of a dataset and of specs; the labels, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import usmt_wardbook
from make_wardbook import make_wardbook
from usmt_wardbook import Wardbook

from usmt import DataError, load_catalogue, load_plugins
from usmt.testing import check_dataset, check_spec_dir

CATALOGUE = load_catalogue(load_plugins())
TASKS = [CATALOGUE.task(name) for name in ("ward_lesion", "ward_diagnosis", "ward_calipers")]
LESION, DIAGNOSIS, CALIPERS = TASKS


@pytest.fixture
def book(tmp_path: Path) -> Path:
    make_wardbook(tmp_path, patients=5)
    return tmp_path


def opened(book: Path) -> Wardbook:
    return Wardbook(Wardbook.Options(root=book))


def test_the_dataset_keeps_its_contract(book: Path):
    unfit = [CATALOGUE.task("thyroid_nodule_det"), CATALOGUE.task("fetal_femur")]
    check_dataset(Wardbook, book, tasks=TASKS, unfit=unfit, defects=0)


def test_a_spec_that_does_not_fit_is_told_with_the_key_of_its_layout():
    (misfit,) = Wardbook.misfits(CALIPERS.model_copy(update={"layout": {"calipers": ["length"]}}))
    assert misfit == "calipers: 1 names, two points each, but the task has 4 points"


def test_patients_and_the_official_split(book: Path):
    records = opened(book).records(DIAGNOSIS)
    assert [record.key for record in records[:3]] == [
        "P000/left.png",
        "P000/right.tif",
        "P001/left.png",
    ]
    assert {r.source_id: r.split for r in records} == {
        "P000": "train",
        "P001": "train",
        "P002": "val",
        "P003": "test",
        "P004": "train",
    }
    (book / "split.csv").unlink()
    assert {record.split for record in opened(book).records(DIAGNOSIS)} == {None}


def test_the_labels_are_those_of_the_file(book: Path):
    dataset = opened(book)
    labels = {
        task.id: dataset.read_label(dataset.records(task)[2], task) for task in TASKS
    }  # of P001, which is malignant
    annotation = json.loads((book / "P001" / "left.json").read_text())
    assert labels["ward_diagnosis"] == 1
    length, depth = (annotation["calipers"][name]["ends"] for name in ("length", "depth"))
    assert labels["ward_calipers"].tolist() == [*length, *depth]
    mask = labels["ward_lesion"]
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
    x, y = np.mean(length, axis=0).round().astype(int)
    assert mask.shape == (72, 96) and mask[y, x] == 1 and mask[2, 2] == 0
    outline = np.array(annotation["outlines"]["lesion"][0])
    x, y = outline[:, 0], outline[:, 1]
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2  # the shoelace formula
    assert mask.sum() == pytest.approx(area, rel=0.15)


def test_pixel_sizes_are_those_of_the_files(book: Path):
    change(book, lambda a: a.update(pixel_mm=[0.2, 0.202]))
    dataset = opened(book)
    first, second, *_ = dataset.records(LESION)
    assert dataset.pixel_size(first) == (0.2, 0.202) and dataset.pixel_size(second) == (0.2, 0.2)


def test_what_was_not_annotated_is_no_record_and_what_is_not_there_is_empty(book: Path):
    change(book, lambda a: a.pop("diagnosis"))
    change(book, lambda a: a["outlines"].update(lesion=[]))
    dataset = opened(book)
    assert len(dataset.records(DIAGNOSIS)) == 9 and len(dataset.records(CALIPERS)) == 10
    assert not dataset.read_label(dataset.records(LESION)[0], LESION).any()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda a: a["calipers"]["length"]["ends"].pop(), "left.json: calipers.length.ends: "),
        (lambda a: a["calipers"]["length"].update(mm=50), "the caliper 'length' is 50 mm long"),
        (lambda a: a.update(pixel_mm=[0.2, 0]), "left.json: pixel_mm.1: "),
        (lambda a: a.update(pixel_mm="0.2"), "left.json: pixel_mm: "),
        (lambda a: a.update(colour=1), "left.json: colour: "),
        (lambda a: a.pop("image"), "left.json: image: "),
        (lambda a: a.update(image="right.tif"), "'right.tif' is not the file beside 'left.json'"),
        (lambda a: a.update(image="left.bmp"), "no such file"),
        (lambda a: a["outlines"]["lesion"][0].append([1, "2"]), "outlines.lesion.0.48.1: "),
        (lambda a: a["outlines"]["lesion"][0].append([1, float("nan")]), "outlines.lesion.0.48"),
    ],
)
def test_an_annotation_that_cannot_be_used_says_where(book: Path, damage: Callable, reason: str):
    change(book, damage)
    bad, *good = opened(book).records(CALIPERS)
    assert reason in str(bad.defect) and bad.place == "P000/left.json"
    assert bad.source_id == "P000" and not any(record.defect for record in good)


def test_an_unknown_diagnosis_is_told(book: Path):
    change(book, lambda a: a.update(diagnosis="cyst"))
    assert "'cyst' is none of benign, malignant" in opened(book).records(DIAGNOSIS)[0].defect
    assert opened(book).records(CALIPERS)[0].defect is None


def test_a_cut_off_file_is_told_with_its_line(book: Path):
    path = book / "P000" / "left.json"
    path.write_text(path.read_text()[:40])
    for task in TASKS:
        defect = opened(book).records(task)[0].defect
        assert "left.json" in defect and "at line 4" in defect


def test_a_patient_whom_the_split_does_not_know_is_told(book: Path):
    sides = book / "split.csv"
    sides.write_text(sides.read_text().replace("P003,test\n", ""))
    told = [record for record in opened(book).records(DIAGNOSIS) if record.defect]
    assert [record.source_id for record in told] == ["P003", "P003"]
    sides.write_text("patient,side\nP000,training\n")
    with pytest.raises(DataError, match=r"split\.csv:2: 'P000,training'"):
        opened(book)


def test_images_that_nobody_annotated_are_remarked(book: Path):
    (book / "P000" / "left.json").unlink()
    (remark,) = opened(book).remarks()
    assert remark.place == "P000/left.png" and remark.severity == "warning"


def test_a_folder_of_something_else_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"no PATIENT/\*\.json"):
        opened(tmp_path)


def test_the_specs_are_sound():
    check_spec_dir(Path(usmt_wardbook.__file__).parent / "specs")


def change(book: Path, damage: Callable[[dict[str, Any]], object]) -> None:
    path = book / "P000" / "left.json"
    annotation = json.loads(path.read_text())
    damage(annotation)
    path.write_text(json.dumps(annotation, indent=1))
