"""The dataset `tn3k`, on a folder laid out as its archive is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from made_files import disc, write_image, write_mask
from reading import by_key, opened, task

from usmt import DataError
from usmt.testing import check_dataset
from usmt_public_data import Tn3k

TRAINVAL, TEST = 10, 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The unpacked folder. Image and mask have one name; masks are JPEG files."""
    top = tmp_path / "Thyroid Dataset" / "tn3k"
    for part, count in (("trainval", TRAINVAL), ("test", TEST)):
        for number in range(count):
            write_image(top / f"{part}-image" / f"{number:04d}.jpg")
            write_mask(top / f"{part}-mask" / f"{number:04d}.jpg", disc(20 + number))
    for fold in range(5):
        val = [2 * fold, 2 * fold + 1]
        train = [number for number in range(TRAINVAL) if number not in val]
        write_fold(top, fold, {"train": train, "val": val})
    return top


def write_fold(root: Path, fold: int, content: object) -> None:
    (root / f"tn3k-trainval-fold{fold}.json").write_text(json.dumps(content))


def sides(root: Path, **options: object) -> dict[str, str | None]:
    records = by_key(opened("tn3k", root, **options), task("tn3k_nodule"))
    return {key: record.split for key, record in records.items()}


@pytest.mark.parametrize("fold", [None, 3])
def test_it_keeps_the_contract_of_a_dataset(root: Path, fold: int | None):
    options = {"root": root, "fold": fold}
    unfit = [task("thyroid_nodule_det")]
    check_dataset(Tn3k, options, tasks=[task("tn3k_nodule")], unfit=unfit, defects=0)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_root_may_be_a_folder_above(root: Path, above: int):
    assert len(sides([root, *root.parents][above])) == TRAINVAL + TEST


def test_the_test_side_is_official_and_the_rest_is_drawn(root: Path):
    found = sides(root)
    assert {key for key, side in found.items() if side == "test"} == {
        f"test-image/{number:04d}.jpg" for number in range(TEST)
    }
    assert Counter(found.values()) == {"test": TEST, None: TRAINVAL}


def test_a_fold_validates_on_the_images_that_it_lists(root: Path):
    found = sides(root, fold=3)
    assert {key for key, side in found.items() if side == "val"} == {
        "trainval-image/0006.jpg",
        "trainval-image/0007.jpg",
    }
    assert Counter(found.values()) == {"test": TEST, "train": TRAINVAL - 2, "val": 2}


def test_the_fold_is_set_on_the_command_line(usmt: Usmt, root: Path):
    given = ("train", "--task", "tn3k_nodule", "--data", f"tn3k={root}", "--dry-run")
    answer = usmt(*given, "--set", "data.tn3k.fold=0")
    assert answer.code == 0, answer.err
    answer = usmt(*given, "--set", "data.tn3k.fold=5")
    assert answer.code == 1 and "fold" in answer.err


def test_masks_are_dark_and_bright(root: Path):
    tn3k, spec = opened("tn3k", root), task("tn3k_nodule")
    label = tn3k.read_label(by_key(tn3k, spec)["test-image/0002.jpg"], spec)
    np.testing.assert_array_equal(label, disc(22) // 255)


def no_mask(root: Path) -> None:
    (root / "trainval-mask/0004.jpg").unlink()


def half_an_image(root: Path) -> None:
    data = (root / "trainval-image/0004.jpg").read_bytes()
    (root / "trainval-image/0004.jpg").write_bytes(data[: len(data) // 2])


def small_mask(root: Path) -> None:
    write_mask(root / "trainval-mask/0004.jpg", np.zeros((16, 8), np.uint8))


def on_both_sides(root: Path) -> None:
    write_fold(root, 0, {"train": [*range(2, 10)], "val": [0, 1, 4]})


def on_no_side(root: Path) -> None:
    write_fold(root, 0, {"train": [2, 3, *range(5, 10)], "val": [0, 1]})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_mask, "there is no file 'trainval-mask/0004.jpg'"),
        (half_an_image, "0004.jpg: image cannot be read"),
        (small_mask, "8 x 16"),
        (on_both_sides, "tn3k-trainval-fold0.json lists it train and val, expected once"),
        (on_no_side, "tn3k-trainval-fold0.json lists it nowhere"),
    ],
)
def test_training_stops_at_what_is_damaged(
    usmt: Usmt, root: Path, damage: Callable[[Path], None], said: str
):
    damage(root)
    given = ("train", "--task", "tn3k_nodule", "--data", f"tn3k={root}", "--dry-run")
    answer = usmt(*given, "--set", "data.tn3k.fold=0")
    assert answer.code == 1 and "trainval-image/0004.jpg" in answer.err and said in answer.err


def test_a_number_of_a_fold_that_has_no_image(root: Path):
    write_fold(root, 0, {"train": [*range(2, 10), 12], "val": [0, 1]})
    record = by_key(opened("tn3k", root, fold=0), task("tn3k_nodule"))["trainval-image/0012.jpg"]
    assert record.defect == "there is no file 'trainval-image/0012.jpg'"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"train": [1, 2\n  "val"', r"fold0.json:2:3: Expecting ',' delimiter"),
        ('{"train": [1]}', r'fold0.json: expected \{"train"'),
        ('{"train": [1], "val": ["2"]}', "'val' is not a list of numbers"),
        ('{"train": [true], "val": []}', "'train' is not a list of numbers"),
        ("[]", "fold0.json: expected"),
        ('{"train": [%s], "val": []}' % ("9" * 9_999), "fold0.json: .* expected"),
        ("[" * 100_000, "fold0.json: .* expected"),
    ],
)
def test_a_fold_that_cannot_be_read(root: Path, text: str, said: str):
    (root / "tn3k-trainval-fold0.json").write_text(text)
    with pytest.raises(DataError, match=said):
        opened("tn3k", root, fold=0).records(task("tn3k_nodule"))


def test_a_fold_that_is_not_there(root: Path):
    (root / "tn3k-trainval-fold2.json").unlink()
    opened("tn3k", root, fold=1)
    with pytest.raises(DataError, match=r"has no 'tn3k-trainval-fold2.json'"):
        opened("tn3k", root, fold=2)


def test_a_mask_without_an_image_is_remarked_on(root: Path):
    assert opened("tn3k", root).remarks() == []
    (root / "test-image/0001.jpg").unlink()
    (remark,) = opened("tn3k", root).remarks()
    assert remark.place == "test-mask/0001.jpg" and remark.severity == "warning"
