"""The dataset `mmotu`, on a folder laid out as `OTU_2d` is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from made_files import disc, write_image, write_mask
from reading import by_key, opened, task

from usmt import DataError
from usmt.testing import check_dataset
from usmt_public_data import Mmotu
from usmt_public_data.mmotu import KINDS

TRAIN, VAL = (1, 2, 3, 5, 6, 8, 9, 10, 12, 13, 20, 21), (4, 7, 11, 14)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The unpacked folder; numbers go through the eight kinds."""
    top = tmp_path / "MMOTU" / "OTU_2d"
    for number in (*TRAIN, *VAL):
        write_image(top / "images" / f"{number}.JPG")
        mask = disc(20 + number)
        write_mask(top / "annotations" / f"{number}_binary.PNG", mask)
        coloured = np.where(mask[..., None] > 0, (64, 0, 64), 0).astype(np.uint8)
        write_mask(top / "annotations" / f"{number}.PNG", coloured, mode="RGB")
    for part, numbers in (("train", TRAIN), ("val", VAL)):
        (top / f"{part}.txt").write_text("".join(f"{number}\n" for number in numbers))
        lines = (f"{number}.JPG  {number % 8}\n" for number in numbers)
        (top / f"{part}_cls.txt").write_text("".join(lines))
    return top


def test_it_keeps_the_contract_of_a_dataset(root: Path):
    tasks = [task("mmotu_tumor"), task("mmotu_8cls"), task("mmotu_tumor_8")]
    unfit = [task("ovary_tumor", classes=["background", "cyst"], measurements={}), task("IUGC")]
    check_dataset(Mmotu, root, tasks=tasks, unfit=unfit, defects=0)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_root_may_be_a_folder_above(root: Path, above: int):
    place = [root, *root.parents][above]
    assert len(opened("mmotu", place).records(task("mmotu_tumor"))) == 16


@pytest.mark.parametrize("name", ["mmotu_tumor", "mmotu_8cls"])
def test_the_official_split_tests_on_the_list_val(root: Path, name: str):
    sides = {key: each.split for key, each in by_key(opened("mmotu", root), task(name)).items()}
    assert {key for key, side in sides.items() if side == "test"} == {
        f"images/{number}.JPG" for number in VAL
    }
    assert set(sides.values()) == {"train", "test"} and len(sides) == 16


def test_kinds_are_numbered_as_the_lists_number_them(root: Path):
    mmotu, spec = opened("mmotu", root), task("mmotu_8cls")
    for record in mmotu.records(spec):
        number = int(Path(record.key).stem) % 8
        assert mmotu.read_label(record, spec) == number and record.stratum == KINDS[number]
    some = task("mmotu_8cls", classes=["teratoma", "chocolate_cyst"])
    labels = {record.key: mmotu.read_label(record, some) for record in mmotu.records(some)}
    assert labels == {"images/10.JPG": 0, "images/2.JPG": 0, "images/8.JPG": 1}


def test_an_outline_gets_the_number_of_its_kind(root: Path):
    mmotu, spec = opened("mmotu", root), task("mmotu_tumor_8")
    for number in (8, 7):  # a chocolate cyst, 0; high-grade serous, 7
        label = mmotu.read_label(by_key(mmotu, spec)[f"images/{number}.JPG"], spec)
        np.testing.assert_array_equal(label, disc(20 + number) // 255 * (number % 8 + 1))


def no_mask(root: Path) -> None:
    (root / "annotations/2_binary.PNG").unlink()


def no_image(root: Path) -> None:
    (root / "images/2.JPG").unlink()


def half_an_image(root: Path) -> None:
    data = (root / "images/2.JPG").read_bytes()
    (root / "images/2.JPG").write_bytes(data[: len(data) // 2])


def small_mask(root: Path) -> None:
    write_mask(root / "annotations/2_binary.PNG", np.zeros((9, 7), np.uint8))


def grey_mask(root: Path) -> None:
    write_mask(root / "annotations/2_binary.PNG", np.full_like(disc(), 100))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_mask, "there is no file 'annotations/2_binary.PNG'"),
        (no_image, "there is no file 'images/2.JPG'"),
        (half_an_image, "2.JPG: image cannot be read"),
        (small_mask, "7 x 9"),
        (grey_mask, "brightest pixel is 100"),
    ],
)
def test_data_check_names_what_is_damaged(
    usmt: Usmt, root: Path, damage: Callable[[Path], None], said: str
):
    damage(root)
    answer = usmt("data", "check", f"mmotu={root}", "--task", "mmotu_tumor", "--json")
    errors = [each for each in answer.data["defects"] if each["severity"] == "error"]
    assert answer.code == 1 and {each["place"] for each in errors} == {"train.txt:2"}
    assert said in " ".join(each["reason"] for each in errors)


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("val_cls.txt", "30.JPG 8", "found '30.JPG 8', expected the name of an image and a number"),
        ("val_cls.txt", "30.JPG", "found '30.JPG'"),
        ("val.txt", "../30", "found '../30', expected the name"),
        ("val.txt", "2", "'2' is listed already, in train.txt:2"),
        ("val.txt", "9" * 300, "there is no file"),
    ],
)
def test_a_line_that_is_wrong_is_a_defect(root: Path, name: str, line: str, said: str):
    with (root / name).open("a") as file:
        file.write(line)
    records = by_key(opened("mmotu", root), task("mmotu_8cls" if "cls" in name else "mmotu_tumor"))
    (bad,) = (record for record in records.values() if record.defect)
    assert bad.place == f"{name}:5" and said in str(bad.defect)


def test_a_list_that_cannot_be_read(root: Path):
    with (root / "train.txt").open("ab") as file:
        file.write(b"\x80")
    with pytest.raises(DataError, match=r"train.txt:13: not UTF-8"):
        opened("mmotu", root).records(task("mmotu_tumor"))


def test_lists_that_put_an_image_on_two_sides(root: Path):
    path = root / "train_cls.txt"
    path.write_text(path.read_text().replace("2.JPG", "21.JPG", 1))
    (root / "val_cls.txt").write_text("2.JPG 2\n")
    for name, place in (("mmotu_tumor", "train.txt:2"), ("mmotu_8cls", "val_cls.txt:1")):
        records = opened("mmotu", root).records(task(name))
        (bad,) = (each for each in records if "another side" in str(each.defect))
        assert bad.place == place


def test_a_copy_without_lists_of_kinds_serves_the_outlines(root: Path):
    (root / "val_cls.txt").unlink()
    mmotu = opened("mmotu", root)
    assert len(mmotu.records(task("mmotu_tumor"))) == 16
    with pytest.raises(DataError, match=r"val_cls.txt: there is no such file"):
        mmotu.records(task("mmotu_8cls"))


def test_files_that_no_list_names_are_remarked_on(root: Path):
    assert opened("mmotu", root).remarks() == []
    write_mask(root / "annotations/2_binary_binary.PNG")  # the archive has such copies
    assert opened("mmotu", root).remarks() == []
    write_mask(root / "annotations/2_other.PNG")
    (remark,) = opened("mmotu", root).remarks()
    assert remark.place == "annotations/2_other.PNG" and remark.severity == "warning"
