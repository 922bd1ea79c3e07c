"""The dataset `uusic`, on folders in the universal-ultrasound layout."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from made_files import HEIGHT, WIDTH, disc, write_image, write_mask
from reading import by_key, catalogue, opened, plugins, task

from usmt import DataError, TaskSpec
from usmt.testing import check_dataset

SIDES = {"train": range(1, 7), "val": range(7, 9), "test": range(9, 11)}


def busi_file(n: int) -> str:
    return f"{'benign' if n % 2 else 'malignant'} ({n}).png"


def write_lists(folder: Path, names: dict[int, str]) -> None:
    for side, numbers in SIDES.items():
        (folder / f"{side}.txt").write_text("".join(f"{names[n]}\n" for n in numbers))


def three_structures(n: int) -> np.ndarray:
    """A mask with the values 0, 85, 170 and 255."""
    mask = np.where(disc(30, 20, 14) > 0, 170, 0).astype(np.uint8)
    mask[disc(30, 20, 6 + n % 4) > 0] = 85
    mask[disc(45, 40, 6) > 0] = 255
    return mask


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """BUSI has classes and masks, CAMUS masks of several structures, KidneyUS no lists."""
    top = tmp_path / "data"
    classes, masks = top / "classification/BUSI", top / "segmentation/BUSI"
    for n in range(1, 11):
        write_image(masks / "imgs" / busi_file(n), n)
        write_mask(masks / "masks" / busi_file(n), disc(20 + n))
        target = classes / str(1 - n % 2) / busi_file(n)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((masks / "imgs" / busi_file(n)).read_bytes())
    write_lists(classes, {n: f"{1 - n % 2}/{busi_file(n)}" for n in range(1, 11)})
    write_lists(masks, {n: busi_file(n) for n in range(1, 11)})
    (classes / "config.yaml").write_text("0:Benign\n1:Malignant\n")
    (masks / "config.yaml").write_text("0:background:0\n1:nodule:255\n")
    heart = top / "segmentation/CAMUS"
    for n in range(1, 11):
        write_image(heart / f"imgs/{n}.png", 100 + n)
        write_mask(heart / f"masks/{n}.png", three_structures(n))
    write_lists(heart, {n: f"{n}.png" for n in range(1, 11)})
    lines = "0:background:0\n1:ventricle:85\n2:myocardium:170\n3:atrium:255\n"
    (heart / "config.yaml").write_text(lines)
    for n in range(1, 4):
        write_image(top / f"segmentation/KidneyUS/imgs/{n}.png", 200 + n)
        write_mask(top / f"segmentation/KidneyUS/masks/{n}.png")
    return top


def chambers(**changes: object) -> TaskSpec:
    """CAMUS with its structures apart."""
    names = ["background", "ventricle", "myocardium", "atrium"]
    return task("uusic_camus_heart", **{"classes": names, "layout": {"folder": "CAMUS"}, **changes})


def only_defect(root: Path, name: str) -> tuple[str, str]:
    records = opened("uusic", root).records(task(name))
    (bad,) = (record for record in records if record.defect)
    return bad.place, str(bad.defect)


def test_it_is_a_dataset_as_usmt_expects_it(root: Path):
    names = ("busi_2cls", "busi_lesion", "camus_heart", "kidneyus_kidney")
    tasks = [*(task(f"uusic_{name}") for name in names), chambers(id="chambers")]
    check_dataset(opened("uusic", root), tasks=tasks, unfit=[task("FUGC")], defects=0)


def test_every_shipped_task_names_a_folder():
    shipped = [task(id) for id in catalogue().task_ids("uusic")]
    folders = Counter((spec.type, spec.layout["folder"]) for spec in shipped)
    assert len(folders) == len(shipped) == 11


def test_sides_are_those_of_the_lists(root: Path):
    for name in ("uusic_busi_2cls", "uusic_busi_lesion"):
        records = opened("uusic", root).records(task(name))
        assert Counter(record.split for record in records) == {"train": 6, "val": 2, "test": 2}
    record = records[-1]
    assert record.place == "segmentation/BUSI/test.txt:2"
    assert record.key == f"segmentation/BUSI/{busi_file(10)}"


def test_without_lists_every_image_is_read(root: Path):
    records = by_key(opened("uusic", root), task("uusic_kidneyus_kidney"))
    assert list(records) == [f"segmentation/KidneyUS/{n}.png" for n in (1, 2, 3)]
    assert {record.split for record in records.values()} == {None}
    for name in SIDES:
        (root / f"classification/BUSI/{name}.txt").unlink()
    assert len(opened("uusic", root).records(task("uusic_busi_2cls"))) == 10


def test_an_image_with_a_class_and_a_mask_is_one_source(root: Path):
    data = opened("uusic", root)
    classes = {each.source_id for each in data.records(task("uusic_busi_2cls"))}
    assert classes == {each.source_id for each in data.records(task("uusic_busi_lesion"))}
    assert len(classes) == 10


def test_classes_are_the_folders_numbers(root: Path):
    data, spec = opened("uusic", root), task("uusic_busi_2cls")
    labels = {each.stratum: data.read_label(each, spec) for each in data.records(spec)}
    assert labels == {"benign": 0, "malignant": 1}


def test_structures_are_read_apart_or_merged(root: Path):
    data = opened("uusic", root)
    (first, *_), spec = data.records(chambers()), chambers()
    expected = np.select([three_structures(1) == each for each in (85, 170, 255)], [1, 2, 3], 0)
    np.testing.assert_array_equal(data.read_label(first, spec), expected)
    merged = task("uusic_camus_heart")
    label = data.read_label(data.records(merged)[0], merged)
    np.testing.assert_array_equal(label, expected > 0)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("FUGC", {}, "no labels of type 'regression'"),
        ("uusic_busi_2cls", {"layout": {"folder": "BUSI", "merge": True}}, "is for segmentation"),
        ("uusic_camus_heart", {"classes": ["a", "b", "c"]}, "leaves two classes"),
    ],
)
def test_a_spec_that_the_files_cannot_serve(name: str, changes: dict[str, object], said: str):
    (misfit,) = plugins().datasets["uusic"].misfits(task(name, **changes))
    assert said in misfit


def test_a_mask_without_a_configuration_is_black_and_white(root: Path):
    path = root / "segmentation/KidneyUS/masks/1.png"
    write_mask(path, np.where(disc() > 0, 3, disc(10) // 255).astype(np.uint8))
    data, spec = opened("uusic", root), task("uusic_kidneyus_kidney")
    with pytest.raises(DataError, match=r"1.png: the mask's brightest pixel is 3, expected 255"):
        data.read_label(data.records(spec)[0], spec)


def test_the_patient_may_be_in_the_name(root: Path):
    layout = {"folder": "BUSI", "source": r"([0-9])\)"}
    for name in ("uusic_busi_2cls", "uusic_busi_lesion"):
        records = opened("uusic", root).records(task(name, layout=layout))
        assert not any(record.defect for record in records)
        assert {record.source_id for record in records} == {f"BUSI {n}" for n in range(10)}
    spec = task("uusic_busi_2cls", layout={"folder": "BUSI", "source": r"(benign .*)\.png"})
    bad = [record for record in opened("uusic", root).records(spec) if record.defect]
    assert len(bad) == 5 and all("finds no patient in 'malignant (" in each.defect for each in bad)


@pytest.mark.parametrize("hidden", ["__MACOSX", ".ipynb_checkpoints"])
def test_hidden_folders_are_no_datasets(root: Path, hidden: str):
    for place in (f"segmentation/{hidden}", f"classification/BUSI/{hidden}"):
        write_image(root / place / "imgs/1.png")
    assert opened("uusic", root).remarks() == []


def test_a_list_that_cannot_be_read_is_not_passed_over(root: Path):
    (root / "segmentation/BUSI/train.txt").unlink()
    (root / "segmentation/BUSI/train.txt").mkdir()
    with pytest.raises(DataError, match=r"train.txt: cannot be read: Is a directory"):
        opened("uusic", root).records(task("uusic_busi_lesion"))


def test_names_that_no_file_and_no_class_can_have(root: Path):
    with (root / "classification/BUSI/val.txt").open("a") as lines:
        lines.write(f"0/{'x' * 300}.png\n{'1' * 5000}/x.png\n")
    records = opened("uusic", root).records(task("uusic_busi_2cls"))
    long, number = (str(record.defect) for record in records if record.defect)
    assert "there is no file" in long and "is not CLASS/IMAGE" in number
    (root / "segmentation/BUSI/config.yaml").write_text(f"0:background:{'0' * 5000}\n")
    with pytest.raises(DataError, match=r"config.yaml:1: .* is no class"):
        opened("uusic", root).records(task("uusic_busi_lesion"))


SPEC = """id: mine
title: Mine
type: classification
organ: breast
dataset: uusic
flip: none
classes: [a, b]
"""


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("", "layout.folder"),
        ("layout: {folder: ../x}\n", "layout.folder"),
        ("layout: {folder: x, source: patient}\n", "layout.source"),
    ],
)
def test_a_spec_without_a_folder(usmt: Usmt, tmp_path: Path, layout: str, said: str):
    specs = tmp_path / "specs/tasks"
    specs.mkdir(parents=True)
    (specs / "mine.yaml").write_text(SPEC + layout)
    answer = usmt("tasks", "show", "mine", "--specs", tmp_path / "specs")
    assert answer.code == 1 and said in answer.err and "mine.yaml" in answer.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0/none.png", "there is no file 'classification/BUSI/0/none.png'"),
        ("benign (1).png", "'benign (1).png' is not CLASS/IMAGE"),
        ("../0/x.png", "'../0/x.png' is not CLASS/IMAGE"),
        ("/etc/x.png", "'/etc/x.png' is not CLASS/IMAGE"),
        (f"0/{busi_file(1)}", f"'0/{busi_file(1)}' is already in train.txt:1"),
    ],
)
def test_a_line_that_is_wrong_is_a_defect(root: Path, line: str, said: str):
    with (root / "classification/BUSI/val.txt").open("a") as lines:
        lines.write(f"\n{line}\n")
    place, reason = only_defect(root, "uusic_busi_2cls")
    assert place == "classification/BUSI/val.txt:4" and said in reason


def test_a_class_that_the_spec_does_not_have(root: Path):
    write_image(root / "classification/BUSI/2/normal (1).png")
    with (root / "classification/BUSI/test.txt").open("a") as lines:
        lines.write("2/normal (1).png\n")
    place, reason = only_defect(root, "uusic_busi_2cls")
    assert place == "classification/BUSI/test.txt:3" and "2 is not one of 0 to 1" in reason


def test_a_missing_mask(root: Path):
    (root / "segmentation/BUSI/masks" / busi_file(8)).unlink()
    place, reason = only_defect(root, "uusic_busi_lesion")
    assert place == "segmentation/BUSI/val.txt:2"
    assert f"no file 'segmentation/BUSI/masks/{busi_file(8)}'" in reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0:Malignant\n1:Benign\n", "has them in another order"),
        ("0:Benign\n1:Malignant\n2:Normal\n", r"3 classes \(Benign, Malignant, Normal\)"),
        ("0:Benign\n2:Malignant\n", ":2: '2:Malignant' is no class"),
        ("names: [Benign]\n", ":1: 'names: .Benign.' is no class"),
    ],
)
def test_a_configuration_that_contradicts_the_spec(root: Path, text: str, said: str):
    (root / "classification/BUSI/config.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"classification/BUSI/config.yaml.*{said}"):
        opened("uusic", root).records(task("uusic_busi_2cls"))


def test_masks_of_several_structures_need_their_configuration(root: Path):
    path = root / "segmentation/CAMUS/config.yaml"
    path.write_text(path.read_text().replace("atrium:255", "atrium:250"))
    data, spec = opened("uusic", root), chambers()
    with pytest.raises(DataError, match=r"1.png: mask has the values 255, expected 0, 85"):
        data.read_label(data.records(spec)[0], spec)
    path.write_text(path.read_text().replace("170", "85"))
    with pytest.raises(DataError, match=r"config.yaml: two classes have one value"):
        opened("uusic", root).records(spec)
    path.unlink()
    with pytest.raises(DataError, match=r"config.yaml: no such file"):
        opened("uusic", root).records(spec)


def test_a_folder_that_is_not_there(root: Path):
    with pytest.raises(DataError, match=r"no folder 'segmentation/BUSIS' \(did you mean 'BUSI'"):
        opened("uusic", root).records(task("uusic_busis_lesion"))
    with pytest.raises(DataError, match="neither a folder 'classification' nor 'segmentation'"):
        opened("uusic", root.parent)


def test_images_that_no_list_names_are_remarked_on(root: Path):
    assert opened("uusic", root).remarks() == []
    write_image(root / "classification/BUSI/1/malignant (77).png")
    write_mask(root / "segmentation/BUSI/masks/benign (99).png")
    (remark,) = opened("uusic", root).remarks()
    assert remark.place == "classification/BUSI/1/malignant (77).png" and ": 2;" in remark.reason
    (root / "segmentation/empty").mkdir()
    broken, _ = opened("uusic", root).remarks()
    assert (broken.place, broken.severity) == ("segmentation/empty", "error")


def test_data_check_names_what_is_damaged(usmt: Usmt, root: Path):
    write_mask(root / "segmentation/BUSI/masks" / busi_file(1), np.zeros((9, 7), np.uint8))
    write_mask(
        root / "segmentation/BUSI/masks" / busi_file(2), np.full((HEIGHT, WIDTH), 127, np.uint8)
    )
    image = root / "segmentation/BUSI/imgs" / busi_file(3)
    image.write_bytes(image.read_bytes()[:80])
    answer = usmt("data", "check", f"uusic={root}", "--task", "uusic_busi_lesion", "--json")
    assert answer.code == 1
    told = {
        (each["place"], each["kind"])
        for each in answer.data["defects"]
        if each["severity"] == "error"
    }
    assert told == {
        ("segmentation/BUSI/train.txt:1", "size mismatch"),
        ("segmentation/BUSI/train.txt:2", "mask values"),
        ("segmentation/BUSI/train.txt:3", "truncated file"),
    }
