"""The dataset `fetal_planes`, on a folder laid out as FETAL_PLANES_ZENODO is."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from command_line import Usmt
from made_files import write_image
from reading import TINY, by_key, opened, plugins, task

from usmt import DataError
from usmt.testing import check_dataset

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "
PLANES = [
    ("Fetal abdomen", "Not A Brain"),
    ("Fetal brain", "Trans-thalamic"),
    ("Fetal brain", "Trans-cerebellum"),
    ("Fetal brain", "Trans-ventricular"),
    ("Fetal brain", "Other"),
    ("Fetal femur", "Not A Brain"),
    ("Fetal thorax", "Not A Brain"),
    ("Maternal cervix", "Not A Brain"),
    ("Other", "Not A Brain"),
]
PATIENTS = 6


def name_of(patient: int, plane: int) -> str:
    return f"Patient{patient:05d}_Plane{plane}_1_of_1"


def rows() -> list[str]:
    """Each patient has each plane; the last two are the official test."""
    return [
        f"{name_of(patient, n)};{patient};{plane};{brain};Op. 1;Voluson E6;{int(patient <= 4)}"
        for patient in range(1, PATIENTS + 1)
        for n, (plane, brain) in enumerate(PLANES, 1)
    ]


def write_table(root: Path, lines: list[str], encoding: str = "utf-8") -> None:
    text = "\r\n".join([HEADER, *lines]) + "\r\n"
    (root / "FETAL_PLANES_DB_data.csv").write_bytes(text.encode(encoding))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "FETAL_PLANES_ZENODO"
    for patient in range(1, PATIENTS + 1):
        for n in range(1, len(PLANES) + 1):
            write_image(top / f"Images/{name_of(patient, n)}.png", mode="RGBA")
    write_table(top, rows())
    return top


def test_it_is_a_dataset_as_usmt_expects_it(root: Path):
    tasks = [task("fetal_planes_6cls"), task("fetal_brain_planes")]
    check_dataset(opened("fetal_planes", root), tasks=tasks, defects=0)


def test_a_row_is_a_record_of_its_patient_plane_and_side(root: Path):
    data, spec = opened("fetal_planes", root), task("fetal_planes_6cls")
    records = by_key(data, spec)
    assert len(records) == PATIENTS * len(PLANES)
    record = records[f"Images/{name_of(5, 7)}.png"]
    assert (record.source_id, record.stratum, record.split) == ("patient 5", "Fetal thorax", "test")
    assert record.place == f"FETAL_PLANES_DB_data.csv:{4 * len(PLANES) + 7 + 1}"
    assert data.read_label(record, spec) == spec.classes.index("Fetal thorax")
    sides = {(each.source_id, each.split) for each in records.values()}
    assert len(sides) == PATIENTS and ("patient 4", "train") in sides


def test_brain_planes_are_those_of_brains(root: Path):
    data, spec = opened("fetal_planes", root), task("fetal_brain_planes")
    records = data.records(spec)
    assert len(records) == 3 * PATIENTS
    labels = {record.stratum: data.read_label(record, spec) for record in records}
    assert labels == {"Trans-thalamic": 0, "Trans-cerebellum": 1, "Trans-ventricular": 2}
    all_four = task("fetal_brain_planes", classes=[*spec.classes, "Other"])
    others = [each for each in data.records(all_four) if each.stratum == "Other"]
    assert {Path(each.key).name[13:19] for each in others} == {"Plane5"}, "not those of Plane Other"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": ["Fetal brain", "Fetal femor"]}, "did you mean 'Fetal femur'?"),
        ({"classes": ["Other", "Trans-thalamic"]}, "no class 'Trans-thalamic'"),
    ],
)
def test_a_spec_that_the_files_cannot_serve(changes: dict[str, object], said: str):
    (misfit,) = plugins().datasets["fetal_planes"].misfits(task("fetal_planes_6cls", **changes))
    assert said in misfit


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (";1;Fetal brain;", ";1;Fetal brian;", "Plane is 'Fetal brian', expected Fetal abdomen"),
        (";Trans-thalamic;", ";Transthalamic;", "Brain_plane is 'Transthalamic'"),
        (";Trans-thalamic;", ";Not A Brain;", "Plane is 'Fetal brain', but Brain_plane is 'Not"),
        ("E6;1", "E6;2", "Train is '2', expected 1 or 0"),
        (";1;Fetal brain", ";;Fetal brain", "Patient_num is empty"),
        ("Plane2_1_of_1", "Plane1_1_of_1", "is already in FETAL_PLANES_DB_data.csv:2"),
        ("Plane2_1_of_1", "Plane2_1_of_2", "no file 'Images/Patient00001_Plane2_1_of_2.png'"),
        (";Op. 1;", ";", "6 cells, but the header has 7 columns"),
        (name_of(1, 2), "", "Image_name is empty"),
        (name_of(1, 2), "../scan", "Image_name '../scan' is not a name"),
    ],
)
def test_a_damaged_row_is_a_defect_with_its_line(root: Path, old: str, new: str, said: str):
    lines = rows()
    assert old in lines[1]
    lines[1] = lines[1].replace(old, new, 1)
    write_table(root, lines)
    records = opened("fetal_planes", root).records(task("fetal_planes_6cls"))
    (bad,) = (record for record in records if record.defect)
    assert bad.place == "FETAL_PLANES_DB_data.csv:3" and said in str(bad.defect)
    assert len(records) == len(lines)


def test_a_row_whose_class_cannot_be_told_is_every_tasks(root: Path):
    lines = rows()
    lines[0] = lines[0].replace("Fetal abdomen", "Fetal abdomin")
    write_table(root, lines)
    records = opened("fetal_planes", root).records(task("fetal_brain_planes"))
    assert [record.place for record in records if record.defect] == ["FETAL_PLANES_DB_data.csv:2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", ":1: no column 'Image_name'"),
        (HEADER.replace(";", ",").encode(), ":1: no column 'Image_name'"),
        (HEADER.replace("Patient_num", "Patient").encode(), r"did you mean 'Patient'\?"),
        (HEADER.encode() + b'\n"a;1\nb;2\n', ":2: not CSV"),
        (HEADER.encode() + b"\na;1;\xff;\n", ":2: not UTF-8"),
    ],
)
def test_a_table_that_is_none(root: Path, text: bytes, said: str):
    (root / "FETAL_PLANES_DB_data.csv").write_bytes(text)
    with pytest.raises(DataError, match=said):
        opened("fetal_planes", root).records(task("fetal_planes_6cls"))


def test_images_without_a_row_are_remarked_on(root: Path):
    assert opened("fetal_planes", root).remarks() == []
    write_image(root / "Images/Patient09999_Plane1_1_of_1.png")
    (remark,) = opened("fetal_planes", root).remarks()
    assert remark.place == "Images/Patient09999_Plane1_1_of_1.png"


def test_the_root_may_be_the_folder_above(root: Path):
    below, above = opened("fetal_planes", root), opened("fetal_planes", root.parent)
    spec = task("fetal_planes_6cls")
    assert [each.key for each in below.records(spec)] == [each.key for each in above.records(spec)]


def test_a_root_that_is_another_folder(root: Path):
    with pytest.raises(DataError, match=r"has no 'FETAL_PLANES_DB_data.csv'"):
        opened("fetal_planes", root / "Images")


def test_it_trains_and_keeps_the_official_test(usmt: Usmt, root: Path, tmp_path: Path):
    out = tmp_path / "run"
    data = ("--data", f"fetal_planes={root}")
    answer = usmt("train", "--task", "fetal_brain_planes", *data, *TINY, "--out", out)
    assert answer.code == 0, answer.err
    with (out / "split.csv").open(newline="") as file:
        sides = {(row["source_id"], row["side"]) for row in csv.DictReader(file)}
    assert {source for source, side in sides if side == "test"} == {"patient 5", "patient 6"}
    assert {source for source, side in sides if side != "test"} == {
        f"patient {n}" for n in (1, 2, 3, 4)
    }
