"""The dataset `camus`, on folders laid out as CAMUS_public is, with NIfTI files written here."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from command_line import Usmt
from made_files import HEIGHT, WIDTH, disc, write_image
from reading import by_key, opened, plugins, task

from usmt import DataError
from usmt.testing import check_dataset

SIDES = {"training": (1, 2, 3), "validation": (4,), "testing": (5, 6)}
QUALITY = {1: "Good", 2: "Medium", 3: "Poor", 4: "Good", 5: "Medium", 6: "Poor"}
FRAMES = 5


def heart(n: int) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH): a mask with the four classes, unlike its mirror images."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[disc(30, 20, 14) > 0] = 2
    mask[disc(30, 20, 8 + n % 3) > 0] = 1
    mask[disc(40, 40, 6) > 0] = 3
    return mask


def scan(n: int) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH): noise."""
    return np.random.default_rng(n).integers(0, 256, (HEIGHT, WIDTH), np.uint8)


def write_nifti(path: Path, pixels: np.ndarray) -> None:
    """`pixels` (H, W) or (t, H, W) become (x, y) or (x, y, t), as ITK writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(pixels.T)
    image = nibabel.Nifti1Image(array, np.diag([0.3, 0.15, 1, 1]))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "CAMUS_public"
    for n, quality in QUALITY.items():
        patient = f"patient{n:04d}"
        folder = top / "database_nifti" / patient
        for v, view in enumerate(("2CH", "4CH")):
            seed = 100 * n + 10 * v
            images = np.stack([scan(seed + t) for t in range(FRAMES)])
            masks = np.stack([heart(t) for t in range(FRAMES)])
            for name, pixels in (("", images), ("_gt", masks)):
                stem = f"{patient}_{view}"
                write_nifti(folder / f"{stem}_ED{name}.nii.gz", pixels[0])
                write_nifti(folder / f"{stem}_ES{name}.nii.gz", pixels[-1])
                write_nifti(folder / f"{stem}_half_sequence{name}.nii.gz", pixels)
            info = f"ED: 1\nES: {FRAMES}\nNbFrame: {FRAMES}\nSex: F\nAge: 56\n"
            info += f"ImageQuality: {quality}\nEF: 54\nFrameRate: 45.2\n"
            (folder / f"Info_{view}.cfg").write_text(info)
    lists = top / "database_split"
    lists.mkdir()
    for side, patients in SIDES.items():
        lines = "".join(f"patient{n:04d}\n" for n in patients)
        (lists / f"subgroup_{side}.txt").write_text(lines)
    return top


def file(root: Path, name: str, n: int = 1) -> Path:
    return root / f"database_nifti/patient{n:04d}" / name.replace("*", f"patient{n:04d}")


def test_the_header_gives_the_size_of_a_pixel(root: Path):
    dataset = opened("camus", root)
    record = dataset.records(task("camus_heart"))[0]
    assert dataset.pixel_size(record) == pytest.approx((0.3, 0.15))
    image = nibabel.load(file(root, "*_2CH_ED.nii.gz"))
    image.header.set_xyzt_units("unknown")
    nibabel.save(image, file(root, "*_2CH_ED.nii.gz"))
    assert dataset.pixel_size(record) is None, "a unit is not guessed"
    image.header.set_xyzt_units("meter")
    nibabel.save(image, file(root, "*_2CH_ED.nii.gz"))
    with pytest.raises(DataError, match=r"patient0001_2CH_ED.nii.gz: pixels of .* meter"):
        dataset.pixel_size(record)


def only_defect(root: Path, name: str, **changes: object) -> tuple[str, str]:
    """Place and reason of the only record with a defect."""
    records = opened("camus", root).records(task(name, **changes))
    (bad,) = (record for record in records if record.defect)
    return bad.place, str(bad.defect)


def test_it_is_a_dataset_as_usmt_expects_it(root: Path):
    tasks = [task(name) for name in ("camus_heart", "camus_quality", "camus_view")]
    check_dataset(opened("camus", root), tasks=tasks, unfit=[task("FUGC")], defects=0)


def test_arrays_are_turned_upright(root: Path):
    data, spec = opened("camus", root), task("camus_heart")
    record = by_key(data, spec)["database_nifti/patient0001/patient0001_4CH_ES.nii.gz"]
    np.testing.assert_array_equal(data.read_image(record), scan(100 + 10 + FRAMES - 1))
    np.testing.assert_array_equal(data.read_label(record, spec), heart(FRAMES - 1))


def test_sides_are_those_of_the_patients_lists(root: Path):
    records = opened("camus", root).records(task("camus_heart"))
    assert len(records) == 6 * 4
    assert len(opened("camus", root.parent).records(task("camus_heart"))) == 6 * 4
    sides = {int(record.source_id.removeprefix("patient")): record.split for record in records}
    assert sides == {1: "train", 2: "train", 3: "train", 4: "val", 5: "test", 6: "test"}


def test_qualities_and_views(root: Path):
    data = opened("camus", root)
    quality, view = task("camus_quality"), task("camus_view")
    labels = {each.source_id: data.read_label(each, quality) for each in data.records(quality)}
    assert list(labels.values()) == [2, 1, 0, 2, 1, 0]
    for record in data.records(view):
        assert f"_{record.stratum}_" in record.key
        assert data.read_label(record, view) == view.classes.index(record.stratum)
    good = data.records(task("camus_quality", classes=["Medium", "Good"]))
    assert {each.source_id[-1] for each in good} == {"1", "2", "4", "5"}


def test_half_sequences(root: Path):
    data = opened("camus", root)
    spec = task("camus_heart", layout={"views": ["2CH"], "frames": "half_sequence"})
    check_dataset(data, tasks=[spec], defects=0)
    records = by_key(data, spec)
    assert len(records) == 6 * FRAMES
    record = records["database_nifti/patient0002/patient0002_2CH_half_sequence.nii.gz#3"]
    np.testing.assert_array_equal(data.read_image(record), scan(203))
    np.testing.assert_array_equal(data.read_label(record, spec), heart(3))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "camus_heart",
            {"classes": ["background", "left_ventricle"]},
            "the masks hold [background",
        ),
        ("camus_heart", {"layout": {"label": "view"}}, "`label` under `layout` is for"),
        ("camus_quality", {"layout": {}}, "classification needs `label`"),
        ("camus_quality", {"classes": ["Bad", "Good"]}, "no class 'Bad'"),
        ("FUGC", {}, "no labels of type 'regression'"),
    ],
)
def test_a_spec_that_the_files_cannot_serve(name: str, changes: dict[str, object], said: str):
    (misfit,) = plugins().datasets["camus"].misfits(task(name, **changes))
    assert said in misfit


@pytest.mark.parametrize("name", ["*_2CH_ED.nii.gz", "*_2CH_ED_gt.nii.gz"])
def test_a_missing_file_is_a_defect_of_its_image(root: Path, name: str):
    file(root, name).unlink()
    place, reason = only_defect(root, "camus_heart")
    assert place == "database_nifti/patient0001/patient0001_2CH_ED.nii.gz"
    assert f"no file 'database_nifti/patient0001/{name.replace('*', 'patient0001')}'" in reason


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ImageQuality: Good", "ImageQuality: Fine", ":6: ImageQuality is 'Fine', expected one of"),
        ("ImageQuality: Good\n", "", ": ImageQuality is missing"),
    ],
)
def test_a_quality_that_is_none(root: Path, old: str, new: str, said: str):
    info = file(root, "Info_4CH.cfg")
    info.write_text(info.read_text().replace(old, new))
    records = opened("camus", root).records(task("camus_quality"))
    reasons = [str(record.defect) for record in records if record.defect]
    assert len(reasons) == 2 and all(f"patient0001/Info_4CH.cfg{said}" in each for each in reasons)
    info.unlink()
    records = opened("camus", root).records(task("camus_quality"))
    assert sum("no file 'patient0001/Info_4CH.cfg'" in str(each.defect) for each in records) == 2


def test_a_sequence_of_unknown_or_other_length(root: Path):
    info = file(root, "Info_2CH.cfg")
    sound = info.read_text()
    layout = {"views": ["2CH"], "frames": "half_sequence"}
    info.write_text(sound.replace("NbFrame: 5", "NbFrame: five"))
    _, reason = only_defect(root, "camus_heart", layout=layout)
    assert "patient0001/Info_2CH.cfg:3: NbFrame is 'five', expected a number" in reason
    info.write_text(sound.replace("NbFrame: 5", "NbFrame: 7"))
    data, spec = opened("camus", root), task("camus_heart", layout=layout)
    with pytest.raises(
        DataError, match=r"half_sequence.nii.gz: .* \(64, 48, 5\), expected 7 images"
    ):
        data.read_image(data.records(spec)[0])


def test_patients_and_lists_that_do_not_agree(root: Path):
    lists = root / "database_split"
    with (lists / "subgroup_testing.txt").open("a") as testing:
        testing.write("patient0001\npatient0450\n")
    (lists / "subgroup_validation.txt").write_text("")
    reasons = {
        record.source_id: (record.split, str(record.defect))
        for record in opened("camus", root).records(task("camus_view"))
        if record.defect
    }
    side, both = reasons.pop("patient0001")
    assert side is None
    assert (
        "database_split/subgroup_training.txt:1 and database_split/subgroup_testing.txt:3" in both
    )
    assert "in no list of database_split" in reasons.pop("patient0004")[1]
    missing = reasons.pop("patient0450")[1]
    assert missing.startswith("database_split/subgroup_testing.txt:4: there is no folder")
    assert not reasons


def test_a_list_with_something_else(root: Path):
    (root / "database_split/subgroup_testing.txt").write_text("patient0005\npatient6\n")
    with pytest.raises(DataError, match=r"subgroup_testing.txt:2: 'patient6' is no patient"):
        opened("camus", root).records(task("camus_heart"))


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (scan(0).astype(np.float32) / 255, "no whole numbers"),
        (scan(0).astype(np.int16) + 1, "pixels are 1 to 256, expected 0 to 255"),
        (np.full((HEIGHT, WIDTH), np.nan, np.float32), "no whole numbers"),
        (np.stack([scan(0)] * 3), r"the array is \(64, 48, 3\), expected one image"),
    ],
)
def test_pixels_are_not_scaled(root: Path, pixels: np.ndarray, said: str):
    write_nifti(file(root, "*_2CH_ED.nii.gz"), pixels)
    data = opened("camus", root)
    with pytest.raises(DataError, match=rf"patient0001_2CH_ED.nii.gz: .*{said}"):
        data.read_image(data.records(task("camus_heart"))[0])


def test_whole_numbers_of_other_types_are_read(root: Path):
    write_nifti(file(root, "*_2CH_ED.nii.gz"), scan(7).astype(np.float64)[None])
    data = opened("camus", root)
    image = data.read_image(data.records(task("camus_heart"))[0])
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, scan(7))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:200],
        lambda data: data[:-8],
        lambda data: data[:-8] + b"\0\0\0\0" + data[-4:],
        lambda data: b"",
        lambda data: b"text",
    ],
    ids=["cut off", "without a checksum", "another checksum", "empty", "text"],
)
def test_data_check_names_a_file_that_is_damaged(usmt: Usmt, root: Path, damage):
    image = file(root, "*_4CH_ED.nii.gz", 3)
    image.write_bytes(damage(image.read_bytes()))
    answer = usmt("data", "check", f"camus={root}", "--task", "camus_heart", "--json")
    assert answer.code == 1
    (error,) = (each for each in answer.data["defects"] if each["severity"] == "error")
    assert error["place"] == "database_nifti/patient0003/patient0003_4CH_ED.nii.gz"
    assert "cannot be read as NIfTI" in error["reason"]


def test_a_sequence_is_unpacked_once_until_it_changes(root: Path, monkeypatch: pytest.MonkeyPatch):
    unpack, unpacked = gzip.decompress, []
    monkeypatch.setattr(gzip, "decompress", lambda data: unpacked.append(1) or unpack(data))
    data = opened("camus", root)
    layout = {"views": ["2CH"], "frames": "half_sequence"}
    records = data.records(task("camus_heart", layout=layout))
    images = [data.read_image(record) for record in records[:FRAMES]]
    assert len(unpacked) == 1
    images[0][:] = 0
    np.testing.assert_array_equal(data.read_image(records[0]), scan(100))
    path = file(root, "*_2CH_half_sequence.nii.gz")
    write_nifti(path, np.stack([scan(7)] * FRAMES))
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(data.read_image(records[0]), scan(7))


def test_folders_that_were_unpacked_into_folders_of_their_names(root: Path):
    before = opened("camus", root).records(task("camus_heart"))
    for name in ("database_nifti", "database_split"):
        (root / name).rename(root / "moved")
        (root / name).mkdir()
        (root / "moved").rename(root / name / name)
    data = opened("camus", root)
    after = data.records(task("camus_heart"))
    assert not any(record.defect for record in after)
    assert [(r.source_id, r.split) for r in after] == [(r.source_id, r.split) for r in before]
    assert data.remarks() == []


def test_strange_folders_are_remarked_on(root: Path):
    assert opened("camus", root).remarks() == []
    write_image(root / "database_nifti/patient1/scan.png")
    (remark,) = opened("camus", root).remarks()
    assert remark.place == "database_nifti/patient1"


def test_without_nibabel(usmt: Usmt, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    answer = usmt("data", "check", f"camus={root}")
    assert answer.code == 1
    assert "nibabel, which reads them, is not installed" in answer.err
    assert "pip install 'usmt[nifti]'" in answer.err


def test_the_lists_are_needed(root: Path):
    (root / "database_split/subgroup_testing.txt").unlink()
    with pytest.raises(DataError, match=r"database_split' has no 'subgroup_testing.txt'"):
        opened("camus", root)
