"""The dataset `busi`, on a folder laid out as `Dataset_BUSI_with_GT` is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from made_files import HEIGHT, WIDTH, disc, write_image, write_mask
from reading import TINY, by_key, opened, task

from usmt import DataError
from usmt.testing import check_dataset
from usmt_public_data import Busi

COUNTS = {"benign": 10, "malignant": 9, "normal": 8}
FOLDERS = tuple(COUNTS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The unpacked folder. Masks are of several pixel formats, as they are in the original."""
    top = tmp_path / "Dataset_BUSI_with_GT"
    for folder, count in COUNTS.items():
        for n in range(1, count + 1):
            write_image(top / folder / f"{folder} ({n}).png")
            mask = np.zeros_like(disc()) if folder == "normal" else disc(20 + n)
            write_mask(top / folder / f"{folder} ({n})_mask.png", mask, mode="1" if n % 2 else "L")
    write_mask(top / "benign/benign (2)_mask_1.png", disc(50, 10, 5), mode="RGB")
    write_mask(top / "benign/benign (2)_mask_2.png", disc(5, 40, 3), mode="LA")
    return top


def test_it_keeps_the_contract_of_a_dataset(root: Path):
    tasks = [task("busi_lesion"), task("busi_3cls"), task("busi_2cls")]
    check_dataset(Busi, root, tasks=tasks, unfit=[task("thyroid_nodule_det")], defects=0)


def test_images_are_those_of_the_folders_in_the_order_of_their_numbers(root: Path):
    keys = list(by_key(opened("busi", root), task("busi_3cls")))
    assert keys == [
        f"{each}/{each} ({n}).png" for each in FOLDERS for n in range(1, COUNTS[each] + 1)
    ]


def test_the_root_may_be_the_folder_above(root: Path):
    below, above = opened("busi", root), opened("busi", root.parent)
    assert list(by_key(below, task("busi_3cls"))) == list(by_key(above, task("busi_3cls")))


def test_several_masks_are_joined(root: Path):
    busi, spec = opened("busi", root), task("busi_lesion")
    label = busi.read_label(by_key(busi, spec)["benign/benign (2).png"], spec)
    several = np.maximum.reduce([disc(22), disc(50, 10, 5), disc(5, 40, 3)])
    np.testing.assert_array_equal(label, several // 255)


def test_classes_are_numbered_as_the_spec_lists_them(root: Path):
    busi, other = opened("busi", root), task("busi_3cls", classes=["normal", "malignant"])
    records = busi.records(other)
    labels = {record.stratum: busi.read_label(record, other) for record in records}
    assert labels == {"normal": 0, "malignant": 1} and len(records) == 17
    assert all(record.key.startswith(record.stratum) for record in records)


def test_images_without_a_lesion_are_in_where_the_layout_says_so(root: Path):
    busi = opened("busi", root)
    assert len(busi.records(task("busi_lesion"))) == 19
    everything = task("busi_lesion", layout={})
    assert len(busi.records(everything)) == 27
    label = busi.read_label(by_key(busi, everything)["normal/normal (3).png"], everything)
    assert label.shape == (HEIGHT, WIDTH) and not label.any()


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("busi_3cls", {"classes": ["benign", "malignent"]}, "did you mean 'malignant'?"),
        ("busi_lesion", {"classes": ["lesion", "background"]}, "[background, lesion]"),
        ("busi_2cls", {"layout": {"folders": ["benign"]}}, "has the images of its classes"),
        ("thyroid_nodule_det", {}, "no labels of type 'detection'"),
    ],
)
def test_a_spec_that_the_files_cannot_serve(name: str, changes: dict[str, object], said: str):
    (misfit,) = Busi.misfits(task(name, **changes))
    assert said in misfit


def test_a_folder_that_is_not_there(root: Path):
    for image in (root / "normal").iterdir():
        image.unlink()
    (root / "normal").rmdir()
    with pytest.raises(DataError, match="has no 'normal'"):
        opened("busi", root)


@pytest.mark.parametrize("name", ["benign (3)_mask", "benign (2)_mask", "benign (2)_mask_1"])
def test_a_missing_mask_is_a_defect_that_names_it(root: Path, name: str):
    """One of several, too: the label would lack a lesion."""
    (root / "benign" / f"{name}.png").unlink()
    busi, spec = opened("busi", root), task("busi_lesion")
    record = by_key(busi, spec)[f"benign/{name.split('_')[0]}.png"]
    assert record.defect == f"there is no file 'benign/{name}.png'"
    with pytest.raises(DataError, match="there is no file"):
        busi.read_label(record, spec)
    assert busi.read_image(record).shape[:2] == (HEIGHT, WIDTH), "the image can be read still"
    assert all(each.defect is None for each in busi.records(task("busi_3cls")))


def test_masks_of_two_sizes_are_not_joined(root: Path):
    write_mask(root / "benign/benign (2)_mask_1.png", np.zeros((9, 7), np.uint8))
    busi, spec = opened("busi", root), task("busi_lesion")
    with pytest.raises(DataError, match=r"benign \(2\)_mask_1.png: .* 7 x 9 pixels"):
        busi.read_label(by_key(busi, spec)["benign/benign (2).png"], spec)


def test_files_that_no_task_reads_are_remarked_on(root: Path):
    assert opened("busi", root).remarks() == []
    write_image(root / "benign/malignant (77).png")
    write_mask(root / "normal/normal (99)_mask.png")
    write_image(root / "benign/._benign (1).png")
    (remark,) = opened("busi", root).remarks()
    assert remark.place == "benign/malignant (77).png" and ": 2;" in remark.reason
    assert remark.severity == "warning"


def test_data_check_names_what_is_damaged(usmt: Usmt, root: Path):
    (root / "malignant/malignant (2)_mask.png").unlink()
    write_mask(root / "benign/benign (1)_mask.png", np.zeros((9, 7), np.uint8))
    image = root / "normal/normal (5).png"
    image.write_bytes(image.read_bytes()[:80])
    answer = usmt("data", "check", f"busi={root}", "--json")
    assert answer.code == 1
    told = {(each["place"], each["kind"]) for each in answer.data["defects"]}
    assert ("malignant/malignant (2).png", "missing file") in told
    assert ("benign/benign (1).png", "size mismatch") in told
    assert ("normal/normal (5).png", "truncated file") in told


def test_it_trains(usmt: Usmt, root: Path, tmp_path: Path):
    out = tmp_path / "run"
    answer = usmt(
        "train", "--group", "public_breast", "--data", f"busi={root}", *TINY, "--out", out
    )
    assert answer.code == 0, answer.err
    assert (out / "best").is_dir()
