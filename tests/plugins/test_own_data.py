"""The datasets `folder` and `csv`: a laboratory's own images, described in YAML alone."""

from __future__ import annotations

import csv
import io
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ConfigDict
from ruamel.yaml import YAML

from usmt import DataError, Dataset, Fault, Record, RootOptions, TaskSpec, read_table
from usmt.testing import check_dataset
from usmt_own_data import Csv, Folder

QUICK = (
    *("--set", "epochs=1", "--set", "image_size=64", "--set", "workers=0", "--set", "batch_size=4"),
    *("--set", "backbone.name=vit_tiny_patch16_dinov3_qkvb", "--set", "backbone.weights=none"),
    *("--set", "moe.experts=2", "--set", "task_types.segmentation={fusion_channels: 16}"),
)


class AnySpec(TaskSpec):
    """A spec with whatever fields its type would add."""

    model_config = ConfigDict(extra="allow", frozen=True)


def spec(kind: str, dataset: str, layout: Mapping[str, Any], **fields: Any) -> TaskSpec:
    known = {
        "classification": {"classes": ["benign", "malignant"]},
        "segmentation": {"classes": ["background", "lesion"]},
        "regression": {"points": ["left", "right"]},
        "detection": {"target": "lesion"},
    }
    return AnySpec(
        id="task",
        title="Task",
        type=kind,
        organ="breast",
        dataset=dataset,
        flip="none",
        layout=dict(layout),
        **{**known.get(kind, {}), **fields},
    )


def put(path: Path, value: int = 90, size: tuple[int, int] = (20, 24)) -> Path:
    """An image with its own noise, so that no two are near-duplicates."""
    seed = sum(ord(char) * (place + 1) for place, char in enumerate(str(path)))
    pixels = np.random.default_rng(seed).integers(value, value + 60, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def put_mask(path: Path, value: int = 1, size: tuple[int, int] = (20, 24)) -> Path:
    pixels = np.zeros(size, np.uint8)
    pixels[5:15, 6:18] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def opened(kind: type[Dataset], root: Path) -> Dataset:
    return kind(RootOptions(root=root))


def told(records: Sequence[Record]) -> dict[str, str]:
    """Defects by place."""
    return {record.place: str(record.defect) for record in records if record.defect}


def write_spec(folder: Path, task: TaskSpec, name: str) -> Path:
    path = folder / "tasks" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {**task.model_dump(exclude_defaults=True), "id": name}
    with path.open("w") as file:
        YAML().dump(data, file)
    return path


# -- folder: classes


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for name in ("benign", "malignant"):
        for number in (1, 2, 3):
            put(tmp_path / name / f"{number}.png")
    return tmp_path


BY_CLASS = spec("classification", "folder", {})


def test_a_folder_is_a_class(classes: Path) -> None:
    put(classes / "malignant" / "deep" / "er" / "4.JPG")
    (classes / ".DS_Store").write_bytes(b"x")
    (classes / "__MACOSX").mkdir()
    dataset = opened(Folder, classes)
    records = dataset.records(BY_CLASS)
    assert told(records) == {}
    labels = {record.key: dataset.read_label(record, BY_CLASS) for record in records}
    assert labels == {
        **{f"benign/{number}.png": 0 for number in (1, 2, 3)},
        **{f"malignant/{number}.png": 1 for number in (1, 2, 3)},
        "malignant/deep/er/4.JPG": 1,
    }
    for record in records:
        assert record.source_id == record.key == record.place
        assert record.stratum == record.key.partition("/")[0] and record.split is None
        assert dataset.read_image(record).shape == (20, 24)
        again = pickle.loads(pickle.dumps(record))
        assert dataset.fingerprint(again) == dataset.fingerprint(record) is not None


def test_the_fingerprint_changes_with_image_and_class(classes: Path) -> None:
    dataset = opened(Folder, classes)
    first = dataset.records(BY_CLASS)[0]
    turned = spec("classification", "folder", {}, classes=["malignant", "benign"])
    [other] = [one for one in dataset.records(turned) if one.key == first.key]
    before = dataset.fingerprint(first)
    assert dataset.fingerprint(other) != before
    put(classes / first.key, 10)
    assert dataset.fingerprint(first) != before


def test_what_is_no_class_and_what_is_missing_is_told(classes: Path) -> None:
    (classes / "benign").rename(classes / "bening")
    put(classes / "stray.png")
    defects = told(opened(Folder, classes).records(BY_CLASS))
    assert set(defects) == {"bening", "stray.png", "benign"}
    assert "'bening' is no class (did you mean 'benign'?)" in defects["bening"]
    assert "expected benign, malignant" in defects["bening"]
    assert "lies in no class folder" in defects["stray.png"]
    assert "no image of the class 'benign'" in defects["benign"]


def test_an_empty_class_says_what_lies_there(classes: Path) -> None:
    for path in (classes / "benign").iterdir():
        path.rename(path.with_suffix(".dcm"))
    defects = told(opened(Folder, classes).records(BY_CLASS))
    assert "which holds '1.dcm'; images are .png, " in defects["benign"]


def test_folders_may_have_other_names_and_be_left_out(classes: Path) -> None:
    (classes / "benign").rename(classes / "0")
    put(classes / "normal" / "1.png")
    layout = {"labels": {"0": "benign"}, "ignore": ["normal"]}
    task = spec("classification", "folder", layout)
    records = opened(Folder, classes).records(task)
    assert told(records) == {}
    assert {record.stratum for record in records if record.key.startswith("0/")} == {"benign"}
    assert not any(record.key.startswith("normal") for record in records)


def test_the_source_is_found_in_the_path(classes: Path) -> None:
    put(classes / "benign" / "P07" / "1.png")
    task = spec("classification", "folder", {"source": r"/(P[0-9]+)/"})
    records = opened(Folder, classes).records(task)
    [sound] = [record for record in records if record.defect is None]
    assert (sound.key, sound.source_id) == ("benign/P07/1.png", "P07")
    assert all("finds no patient in the path" in text for text in told(records).values())


def test_train_and_test_above_the_classes_are_official_sides(tmp_path: Path) -> None:
    for side in ("train", "test"):
        for name in ("benign", "malignant"):
            put(tmp_path / "ward" / side / name / "1.png")
    put(tmp_path / "ward" / "validation" / "benign" / "1.png")
    put(tmp_path / "ward" / "stray.png")
    task = spec("classification", "folder", {"folder": "ward"})
    records = opened(Folder, tmp_path).records(task)
    assert {record.key: record.split for record in records if not record.defect} == {
        f"ward/{side}/{name}/1.png": side
        for side in ("train", "test")
        for name in ("benign", "malignant")
    }
    assert set(told(records)) == {"ward/validation", "ward/stray.png"}
    assert "none of these sides" in told(records)["ward/validation"]


def test_unlabelled_images_need_no_class_folders(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    put(tmp_path / "somewhere" / "2.png")
    dataset = opened(Folder, tmp_path)
    records = dataset.unlabelled(BY_CLASS)
    assert [record.key for record in records] == ["1.png", "somewhere/2.png"]
    assert all(dataset.read_image(record).any() for record in records)
    with pytest.raises(DataError):
        dataset.read_label(records[0], BY_CLASS)


def test_files_that_are_no_images_are_remarked_on(classes: Path) -> None:
    (classes / "benign" / "1.dcm").write_bytes(b"x")
    (classes / "scan.mha").write_bytes(b"x")
    (classes / "old").mkdir()
    (classes / "old" / "scan.avi").write_bytes(b"x")
    put_mask(classes / "other" / "masks" / "1.png")
    put(classes / "other" / "images" / "1.png")
    (classes / "other" / "images" / "1.raw").write_bytes(b"x")
    (classes / "other" / "notes.doc").write_bytes(b"x")
    dataset = opened(Folder, classes)
    assert dataset.remarks() == []
    dataset.records(spec("classification", "folder", {"ignore": ["old", "other"]}))
    remarks = dataset.remarks()
    assert [(one.place, one.severity) for one in remarks] == [
        ("benign/1.dcm", "warning"),
        ("scan.mha", "warning"),
    ]
    dataset = opened(Folder, classes)
    dataset.records(spec("segmentation", "folder", {"folder": "other"}))
    assert [one.place for one in dataset.remarks()] == ["other/images/1.raw"]


def test_tables_and_texts_may_lie_beside_images(usmt: Usmt, table: Path) -> None:
    """One root may serve tasks of folders and of tables."""
    for name in ("benign", "malignant"):
        put(table / "own" / name / "1.png")
    (table / "own" / "README.TXT").write_text("x")
    write(table, HEAD, *ROWS)
    specs = table / "specs"
    write_spec(specs, spec("classification", "folder", {"folder": "own"}), "in_folders")
    write_spec(specs, of_table("classification"), "in_a_table")
    for dataset in ("folder", "csv"):
        answer = usmt("data", "check", f"{dataset}={table}", "--specs", specs, "--json")
        told = {defect["kind"] for defect in answer.data["defects"]}
        assert "file that is not read" not in told, answer.data["defects"]


# -- folder: masks


def pairs(root: Path, **layout: Any) -> tuple[Dataset, TaskSpec]:
    return opened(Folder, root), spec("segmentation", "folder", layout)


def test_images_and_masks_of_one_name(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a" / "1.jpg")
    put_mask(tmp_path / "masks" / "a" / "1.png")
    dataset, task = pairs(tmp_path)
    [record] = dataset.records(task)
    assert (record.key, record.source_id, record.defect) == ("images/a/1.jpg",) * 2 + (None,)
    mask = dataset.read_label(record, task)
    assert mask.dtype == np.uint8 and mask.sum() == 120 and mask.max() == 1
    before = dataset.fingerprint(record)
    put_mask(tmp_path / "masks" / "a" / "1.png", value=0)
    assert dataset.fingerprint(record) != before


@pytest.mark.parametrize("folder", [".", "both"])
def test_masks_beside_their_images(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    put(place / "case.1.png")
    put_mask(place / "case.1_mask.png")
    dataset, task = pairs(tmp_path, images=folder, masks=folder, suffix="_mask")
    [record] = dataset.records(task)
    assert record.defect is None and Path(record.key).name == "case.1.png"
    assert dataset.read_label(record, task).any()
    assert [one.key for one in dataset.unlabelled(task)] == [record.key]


@pytest.mark.parametrize(("images", "masks"), [(".", "masks"), ("images", ".")])
def test_one_folder_may_lie_in_the_other(tmp_path: Path, images: str, masks: str) -> None:
    put(tmp_path / images / "1.png")
    put_mask(tmp_path / masks / "1.png")
    dataset, task = pairs(tmp_path, images=images, masks=masks)
    [record] = dataset.records(task)
    assert record.defect is None
    assert dataset.read_label(record, task).max() == 1 < dataset.read_image(record).max()


@pytest.mark.parametrize("where", ["{side}/images", "images/{side}"])
def test_sides_above_or_below_the_images(tmp_path: Path, where: str) -> None:
    for side in ("train", "val"):
        place = where.format(side=side)
        put(tmp_path / place / "1.png")
        put_mask(tmp_path / place.replace("images", "masks") / "1.png")
    dataset, task = pairs(tmp_path)
    assert sorted((one.split, one.defect) for one in dataset.records(task)) == [
        ("train", None),
        ("val", None),
    ]


@pytest.mark.parametrize("where", ["{side}/images", "images/{side}"])
def test_what_lies_beside_the_sides_of_pairs_is_on_none(tmp_path: Path, where: str) -> None:
    for side in ("train", "test", "Val"):
        place = where.format(side=side)
        put(tmp_path / place / "1.png")
        put_mask(tmp_path / place.replace("images", "masks") / "1.png")
    dataset, task = pairs(tmp_path)
    records = dataset.records(task)
    lost = where.format(side="Val") + "/1.png" if where.startswith("images") else "Val"
    said = "beside train, val, test, and on none of these sides (did you mean 'val'?)"
    assert told(records) == {lost: said}
    assert sorted(each.split for each in records if not each.defect) == ["test", "train"]
    _, left_out = pairs(tmp_path, ignore=["Val"])
    assert sorted(str(each.split) for each in dataset.records(left_out)) == ["test", "train"]


def test_a_mask_without_the_suffix_is_told(tmp_path: Path) -> None:
    for name in ("1", "2"):
        put(tmp_path / f"images/{name}.png")
        put_mask(tmp_path / f"masks/{name}_seg.png")
    put_mask(tmp_path / "masks/3.png")
    dataset, task = pairs(tmp_path, suffix="_seg")
    said = "the name does not end in '_seg', as `suffix` says of masks"
    assert told(dataset.records(task)) == {"masks/3.png": said}


def test_links_to_folders_are_not_followed_round_in_circles(classes: Path) -> None:
    (classes / "benign/again").symlink_to(classes, target_is_directory=True)
    dataset, task = opened(Folder, classes), spec("classification", "folder", {})
    assert not any("again" in record.key for record in dataset.records(task))
    assert not any("again" in record.key for record in dataset.unlabelled(task))
    (link,) = (each for each in dataset.remarks() if each.kind == "link")
    assert link.place == "benign/again" and link.severity == "warning"


def test_a_name_that_is_no_text_is_a_defect(usmt: Usmt, tmp_path: Path) -> None:
    for place in ("benign", "malignant"):
        put(tmp_path / f"data/{place}/1.png")
    name = os.fsdecode(b"P\xff.png")
    put(tmp_path / "data/benign/2.png").rename(tmp_path / "data/benign" / name)
    put(tmp_path / "data/benign/2.txt.png").rename(tmp_path / "data/benign" / f"{name}.txt")
    specs = tmp_path / "specs/tasks"
    specs.mkdir(parents=True)
    lines = "id: mine\ntitle: Mine\ntype: classification\norgan: breast\ndataset: folder\n"
    (specs / "mine.yaml").write_text(f"{lines}flip: none\nclasses: [benign, malignant]\n")
    answer = usmt(
        *("data", "check", f"folder={tmp_path / 'data'}", "--specs", tmp_path / "specs", "--json")
    )
    assert answer.code == 1
    (bad,) = (each for each in answer.data["defects"] if each["severity"] == "error")
    assert (bad["place"], bad["kind"]) == ("benign/P\\xff.png", "file name")


def test_a_folder_that_may_not_be_read_is_an_error(
    classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    dataset = opened(Folder, classes)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        dataset.records(spec("classification", "folder", {}))


def test_pairs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    for name in ("alone.png", "twice.png", "twice.jpg", "two.png"):
        put(tmp_path / "images" / name)
    for name in ("twice.png", "two.png", "two.bmp", "lost.png"):
        put_mask(tmp_path / "masks" / name)
    dataset, task = pairs(tmp_path)
    records = dataset.records(task)
    assert told(records) == {
        "images/alone.png": "no mask, expected 'masks/alone.*'",
        "images/twice.jpg": "one name for twice.jpg, twice.png",
        "images/twice.png": "one name for twice.jpg, twice.png",
        "images/two.png": "several masks: two.bmp, two.png",
        "masks/lost.png": "a mask without an image, expected 'lost' in images/",
    }
    for record in records:
        with pytest.raises(DataError) as caught:
            dataset.read_label(record, task)
        assert caught.value.message == record.defect


@pytest.mark.parametrize(
    ("image", "mask", "hint"),
    [
        ("A_1", "a_1", "; there is 'a_1': capital and small letters differ"),
        ("m\u00fc", "mu\u0308", "; there is 'mu\u0308': accents are stored in another way"),
        ("img_1", "mask_1", ""),
        ("1.a", "1.b", ""),
    ],
)
def test_a_mask_of_nearly_that_name_is_told(
    tmp_path: Path, image: str, mask: str, hint: str
) -> None:
    put(tmp_path / f"images/{image}.png")
    put_mask(tmp_path / f"masks/{mask}.png")
    dataset, task = pairs(tmp_path)
    said = told(dataset.records(task))
    reason = said[f"images/{image}.png"]
    assert reason.startswith(f"no mask, expected 'masks/{image}.*'{hint}")
    assert hint or reason.endswith(".*'")
    assert f"masks/{mask}.png" in said


@pytest.mark.parametrize("values", ["ids", "binary"])
def test_a_coloured_mask_says_how_colours_are_named(tmp_path: Path, values: str) -> None:
    put(tmp_path / "images/1.png")
    (tmp_path / "masks").mkdir()
    pixels = np.zeros((20, 24, 3), np.uint8)
    pixels[5:15, 6:18] = 255, 0, 0
    Image.fromarray(pixels).save(tmp_path / "masks/1.png")
    dataset, task = pairs(tmp_path, values=values)
    [record] = dataset.records(task)
    with pytest.raises(DataError, match="mask is coloured") as bad:
        dataset.read_label(record, task)
    assert bad.value.message.endswith('layout: `values: {"#ff0000": CLASS, ...}`')
    assert isinstance(bad.value.message, Fault) and bad.value.message.kind == "mask format"


def test_a_missing_folder_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    put(tmp_path / "Images" / "1.png")
    dataset, task = pairs(tmp_path)
    with pytest.raises(DataError, match=r"has no folder 'images' \(did you mean 'Images'\?\)"):
        dataset.records(task)
    with pytest.raises(DataError, match="there is no folder"):
        opened(Folder, tmp_path / "nowhere")


def test_how_the_pixels_of_a_mask_stand_for_classes(tmp_path: Path) -> None:
    put(tmp_path / "images" / "1.png")
    mask = put_mask(tmp_path / "masks" / "1.png", value=255)

    def read(values: Any, *names: str) -> np.ndarray:
        task = spec("segmentation", "folder", {"values": values}, classes=["background", *names])
        [record] = opened(Folder, tmp_path).records(task)
        return opened(Folder, tmp_path).read_label(record, task)

    with pytest.raises(DataError, match="values: binary") as caught:
        read("ids", "lesion")
    assert isinstance(caught.value.message, Fault) and caught.value.message.kind.startswith("mask")
    assert read("binary", "lesion").max() == 1
    both = {"0": "background", "255": "right", "128": "left"}
    assert np.unique(read(both, "left", "right")).tolist() == [0, 2]
    with pytest.raises(DataError, match="has the values 255, expected 0, 128"):
        read({"0": "background", "128": "left"}, "left")
    colours = np.zeros((20, 24, 3), np.uint8)
    colours[3:6, 2:5] = (255, 128, 0)
    Image.fromarray(colours).save(mask)
    by_colour = {"#000000": "background", "#FF8000": "left"}
    assert read(by_colour, "left").sum() == 9
    with pytest.raises(DataError, match="has the values #ff8000, expected #000000, #0000ff"):
        read({"#000000": "background", "#0000ff": "left"}, "left")
    Image.fromarray(np.dstack([colours, np.full((20, 24), 90, np.uint8)])).save(mask)
    with pytest.raises(DataError, match="partly transparent"):
        read(by_colour, "left")


# -- csv


HEAD = "file,mask,kind,x1,y1,x2,y2,patient,fold,view,air"
ROWS = (
    "img/1.png,img/m1.png,benign,1,2,10.5,12,p1,train,long,0",
    "img/2.png,img/m2.png,malignant,3,4,11,13,p1,test,long,1",
    "img/3.png,img/m3.png,benign,5,6,12,14,p2,,short,true",
)
LABELS = {
    "segmentation": {"mask": "mask"},
    "classification": {"label": "kind"},
    "regression": {"points": [["x1", "y1"], ["x2", "y2"]]},
    "detection": {"box": ["x1", "y1", "x2", "y2"]},
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A root with a sound table."""
    for number in (1, 2, 3):
        put(tmp_path / "img" / f"{number}.png")
        put_mask(tmp_path / "img" / f"m{number}.png")
    write(tmp_path, HEAD, *ROWS)
    return tmp_path


def write(root: Path, *lines: str) -> None:
    (root / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def of_table(kind: str, **layout: Any) -> TaskSpec:
    base = {"table": "t.csv", "image": "file", **LABELS.get(kind, {})}
    return spec(kind, "csv", {**base, **layout})


@pytest.mark.parametrize("kind", LABELS)
def test_each_built_in_type(table: Path, kind: str) -> None:
    dataset, task = opened(Csv, table), of_table(kind)
    assert Csv.misfits(task) == []
    records = dataset.records(task)
    assert told(records) == {}
    assert [(one.key, one.place) for one in records] == [
        (f"img/{number}.png", f"t.csv:{number + 1}") for number in (1, 2, 3)
    ]
    label = dataset.read_label(records[0], task)
    expected = {
        "segmentation": lambda: label.shape == (20, 24) and label.max() == 1,
        "classification": lambda: label == 0 and records[1].stratum == "malignant",
        "regression": lambda: label.tolist() == [[1, 2], [10.5, 12]],
        "detection": lambda: label.tolist() == [1, 2, 10.5, 12],
    }
    assert expected[kind]()
    assert dataset.read_image(records[0]).shape == (20, 24)
    prints = {dataset.fingerprint(pickle.loads(pickle.dumps(one))) for one in records}
    assert len(prints) == 3 and None not in prints


def test_sources_sides_and_chosen_rows(table: Path) -> None:
    dataset = opened(Csv, table)
    task = of_table("classification", source="patient", split="fold")
    assert [(one.source_id, one.split) for one in dataset.records(task)] == [
        ("p1", "train"),
        ("p1", "test"),
        ("p2", None),
    ]
    numbers = of_table("classification", split="patient", splits={"p1": "test", "p2": "train"})
    assert [one.split for one in dataset.records(numbers)] == ["test", "test", "train"]
    for where, count in ({"view": "long"}, 2), ({"view": ["short", "long"], "x1": 5}, 1):
        assert len(dataset.records(of_table("detection", where=where))) == count
    with pytest.raises(DataError, match="in no row view is side"):
        dataset.records(of_table("detection", where={"view": "side"}))


def test_texts_that_stand_for_classes(table: Path) -> None:
    dataset = opened(Csv, table)
    task = of_table("classification", label="air", labels={"0": "benign", "1": "malignant"})
    *sound, odd = dataset.records(task)
    assert [dataset.read_label(one, task) for one in sound] == [0, 1]
    assert odd.defect == "air is 'true', expected 0, 1, benign, malignant"


def test_labels_of_other_task_types(table: Path) -> None:
    dataset = opened(Csv, table)
    number = of_table("quantity", value="x2")
    assert Csv.misfits(number) == []
    assert [dataset.read_label(one, number) for one in dataset.records(number)] == [10.5, 11, 12]
    names = of_table("findings", flags={"a_lines": "air", "effusion": "x1"}, where={"x1": 1})
    assert Csv.misfits(names) == []
    [record] = dataset.records(names)
    assert dataset.read_label(record, names) == frozenset({"effusion"})
    grade = spec(
        "grade", "csv", of_table("x", label="kind").layout, classes=["benign", "malignant"]
    )
    assert Csv.misfits(grade) == []
    assert [dataset.read_label(one, grade) for one in dataset.records(grade)] == [0, 1, 0]


def test_paths_are_relative_to_the_table_or_to_a_folder(table: Path) -> None:
    (table / "lists").mkdir()
    (table / "t.csv").rename(table / "lists" / "t.csv")
    dataset = opened(Csv, table)
    task = of_table("detection", table="lists/t.csv")
    assert all("no such file" in text for text in told(dataset.records(task)).values())
    task = of_table("detection", table="lists/t.csv", folder=".")
    records = dataset.records(task)
    assert told(records) == {}
    assert (records[0].key, records[0].place) == ("img/1.png", "lists/t.csv:2")


@pytest.mark.parametrize(
    ("name", "layout", "mark"),
    [("t.csv", {"delimiter": "semicolon"}, ";"), ("t.tsv", {}, "\t"), ("t.csv", {}, ",")],
)
def test_delimiters(table: Path, name: str, layout: dict[str, str], mark: str) -> None:
    text = (table / "t.csv").read_text()
    (table / name).write_bytes(("\ufeff" + text.replace(",", mark)).encode())
    task = of_table("classification", table=name, **layout)
    assert told(opened(Csv, table).records(task)) == {}


def test_images_alone_need_no_other_column(table: Path) -> None:
    write(table, "file", "img/1.png", "img/2.png")
    dataset = opened(Csv, table)
    task = of_table("classification", source="patient", split="fold")
    assert [record.key for record in dataset.unlabelled(task)] == ["img/1.png", "img/2.png"]
    with pytest.raises(DataError, match="no column 'kind'"):
        dataset.records(task)


def test_the_size_of_a_pixel(table: Path) -> None:
    write(table, "file,sx,sy", "img/1.png,0.1,0.25", "img/2.png,,0.25", "img/3.png,0,0.25")
    dataset = opened(Csv, table)
    task = of_table("classification", pixel_size=["sx", "sy"])
    known, unknown, odd = dataset.unlabelled(task)
    assert (dataset.pixel_size(known), dataset.pixel_size(unknown)) == ((0.1, 0.25), None)
    assert (known.defect, unknown.defect) == (None, None)
    assert odd.defect == "sx is '0', expected a number above 0"
    square = of_table("classification", pixel_size=["sy", "sy"])
    assert dataset.pixel_size(dataset.unlabelled(square)[2]) == (0.25, 0.25)
    with pytest.raises(DataError, match="no column 'size', which `pixel_size` in the layout names"):
        dataset.unlabelled(of_table("classification", pixel_size=["size", "size"]))


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("detection", ",m,k,1,2,3,4,p,,v,0", "file is empty"),
        ("detection", "img/9.png,m,k,1,2,3,4,p,,v,0", "file 'img/9.png': no such file"),
        ("detection", "../o.png,m,k,1,2,3,4,p,,v,0", "file '../o.png' leaves the dataset's folder"),
        ("detection", "/o.png,m,k,1,2,3,4,p,,v,0", "file '/o.png' is absolute"),
        ("detection", "C:\\o.png,m,k,1,2,3,4,p,,v,0", "file 'C:\\o.png' is absolute"),
        ("detection", "img,m,k,1,2,3,4,p,,v,0", "file 'img': no such file"),
        ("detection", "img/1.png,m,k,1,2,3,4,p,,v,0", "file 'img/1.png' is already in t.csv:2"),
        ("detection", "img/2.png,m,k,1,,3,nan,p,,v,0", "y1 is empty, expected a number; y2 is"),
        ("detection", 'img/2.png,m,k,"1,5",2,3,4,p,,v,0', "expected a number with a decimal point"),
        ("regression", "img/2.png,m,k,1,2,3,1e99,p,,v,0", "y2 is '1e99', expected a number"),
        ("classification", "img/2.png,m,bening,1,2,3,4,p,,v,0", "did you mean 'benign'?"),
        ("classification", "img/2.png,m,,1,2,3,4,p,,v,0", "kind is empty, expected benign, mal"),
        ("segmentation", "img/2.png,img/9.png,k,1,2,3,4,p,,v,0", "mask 'img/9.png': no such file"),
        ("detection", "img/2.png,m,k,1,2,3,4,p,trian,v,0", "did you mean 'train'?"),
        ("detection", "img/2.png,m,k,1,2,3,4,,,v,0", "patient is empty, expected the patient"),
        ("detection", "img/2.png,m,k,1,2,3,4,p", "8 cells, but the header has 11 columns"),
    ],
)
def test_a_bad_row_keeps_its_record_and_says_why(
    table: Path, kind: str, row: str, reason: str
) -> None:
    put(table.parent / "o.png")
    write(table, HEAD, ROWS[0], row)
    dataset, task = opened(Csv, table), of_table(kind, source="patient", split="fold")
    sound, bad = dataset.records(task)
    assert sound.defect is None and bad.place == "t.csv:3"
    assert reason in str(bad.defect)
    with pytest.raises(DataError):
        dataset.read_label(bad, task)
    put(table.parent / "o.png").unlink()


@pytest.mark.parametrize(
    ("there", "written", "hint"),
    [
        ("00.PNG", "img/00.png", "; there is '00.PNG': capital and small letters differ"),
        ("00.jpg", "img/00.png", "; there is '00.jpg': it has another ending"),
        ("00.png", r"img\00.png", "; a backslash is no separator here: write 'img/00.png'"),
        ("m\u00fc.png", "img/mu\u0308.png", "; there is 'm\u00fc.png': accents are stored"),
        ("00.png", "img/11.png", ""),
    ],
)
def test_a_file_of_nearly_that_name_is_told(
    table: Path, there: str, written: str, hint: str
) -> None:
    put(table / "img" / "x.png").rename(table / "img" / there)
    write(table, HEAD, ROWS[0].replace("img/1.png", written))
    [record] = opened(Csv, table).records(of_table("classification"))
    said = str(record.defect)
    assert f"'{written}': no such file{hint}" in said
    assert hint or said.endswith("no such file")


def test_a_link_out_of_the_root_is_not_followed(table: Path, tmp_path_factory: Any) -> None:
    outside = put(tmp_path_factory.mktemp("outside") / "o.png")
    (table / "img" / "link.png").symlink_to(outside)
    write(table, HEAD, ROWS[0].replace("img/1.png", "img/link.png"))
    [record] = opened(Csv, table).records(of_table("detection"))
    assert "leaves the dataset's folder" in str(record.defect)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"t\.csv:1: no column 'file'"),
        (b"file,kind\n", r"t\.csv: there are no rows"),
        (b"File,kind\nimg/1.png,benign\n", r"no column 'file' \(did you mean 'File'\?\), which"),
        (b"file;kind\nimg/1.png;benign\n", r"(?s)t\.csv:1: .*is `delimiter: semicolon` missing"),
        (b"file,kind,kind\nimg/1.png,benign,x\n", r"t\.csv:1: the column 'kind' is there twice"),
        (b'file,kind\nimg/1.png,"benign\nimg/2.png,benign\n', r"t\.csv:2: not CSV"),
        (b"file,kind\nimg/1.png,gutm\xfctig\n", r"t\.csv:2: not UTF-8 text"),
        ("file,kind\nimg/1.png,benign\n".encode("utf-16"), r"t\.csv:1: not UTF-8 text"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error(table: Path, data: bytes, message: str) -> None:
    (table / "t.csv").write_bytes(data)
    with pytest.raises(DataError) as caught:
        opened(Csv, table).records(of_table("classification"))
    assert caught.match(message)


def test_a_table_that_is_a_folder_and_a_line_of_excels(table: Path) -> None:
    layout = {"table": "t.csv", "image": "file", "label": "kind"}
    (table / "t.csv").write_text("sep=,\nfile,kind\n1.png,benign\n")
    with pytest.raises(DataError, match=r"t.csv:1: 'sep=' is no header") as caught:
        opened(Csv, table).records(spec("classification", "csv", layout))
    assert "Remove the first line" in str(caught.value)
    (table / "t.csv").unlink()
    (table / "t.csv").mkdir()
    with pytest.raises(DataError, match=r"has no file 't.csv', but a folder of this name"):
        opened(Csv, table).records(spec("classification", "csv", layout))


def test_a_mask_that_two_images_have_is_a_defect(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        put(tmp_path / name)
    put_mask(tmp_path / "m.png")
    (tmp_path / "t.csv").write_text("file,mask\n1.png,m.png\n2.png,m.png\n")
    layout = {"table": "t.csv", "image": "file", "mask": "mask"}
    records = opened(Csv, tmp_path).records(spec("segmentation", "csv", layout))
    assert told(records) == {"t.csv:3": "mask 'm.png' is already the mask of '1.png'"}


def test_a_table_that_is_not_there(table: Path) -> None:
    dataset = opened(Csv, table)
    with pytest.raises(DataError, match=r"has no file 'T\.csv' \(did you mean 't\.csv'\?\)"):
        dataset.records(of_table("classification", table="T.csv"))
    with pytest.raises(DataError, match="there is no folder"):
        opened(Csv, table / "nowhere")


# -- what every dataset must keep


def test_the_contract_is_kept_by_folders(tmp_path: Path) -> None:
    for number in range(1, 5):
        put(tmp_path / "birads" / ("benign", "malignant")[number % 2] / f"{number}.png")
        put(tmp_path / "nodules" / "images" / f"{number}.png")
        put_mask(tmp_path / "nodules" / "masks" / f"{number}.png", value=255)
    put(tmp_path / "nodules" / "images" / "alone.png")
    tasks = [
        spec("classification", "folder", {"folder": "birads"}),
        spec("segmentation", "folder", {"folder": "nodules", "values": "binary"}),
    ]
    named = [task.model_copy(update={"id": f"own_{task.type}"}) for task in tasks]
    unfit = [spec("detection", "folder", {})]
    check_dataset(Folder, tmp_path, tasks=named, unfit=unfit, defects=1)


def test_the_contract_is_kept_by_a_table(table: Path) -> None:
    write(table, HEAD, *ROWS, ROWS[0].replace("img/1", "img/9"))
    tasks = [of_table(kind, source="patient") for kind in LABELS]
    named = [task.model_copy(update={"id": f"own_{task.type}"}) for task in tasks]
    check_dataset(Csv, table, tasks=named, unfit=[of_table("quantity")], defects=4)


# -- specs that cannot be served


@pytest.mark.parametrize(
    ("task", "misfit"),
    [
        (spec("detection", "folder", {}), "use the dataset 'csv'"),
        (spec("quantity", "folder", {}), "no labels of type 'quantity'"),
        (spec("classification", "folder", {"masks": "m"}), "masks: is for segmentation"),
        (
            spec("classification", "folder", {"labels": {"0": "bening"}}),
            "labels: there is no class",
        ),
        (spec("segmentation", "folder", {"masks": "images"}), "suffix: is needed where"),
        (spec("segmentation", "folder", {"values": {"0": "background"}}), "stands for 'lesion'"),
        (
            spec("segmentation", "folder", {"values": "binary"}, classes=["background", "a", "b"]),
            "values: binary masks are of 2 classes, the task has 3",
        ),
        (of_table("segmentation", label="kind"), "label: is for no segmentation"),
        (of_table("regression", points=None), "points: is missing"),
        (of_table("regression", points=[["x1", "y1"]]), "1 pairs of columns for 2 points"),
        (
            of_table("detection", box=["x1", "y1", "x1", "y2"]),
            "box: the column 'x1' is named twice",
        ),
        (of_table("detection", labels={"0": "a"}), "labels: says how `label` is read"),
        (of_table("classification", labels={"0": "bening"}), "(did you mean 'benign'?)"),
        (of_table("quantity"), "one of mask, label, points, box, value, flags"),
        (of_table("quantity", label="kind"), "do not have"),
    ],
)
def test_misfits(task: TaskSpec, misfit: str) -> None:
    dataset = {"folder": Folder, "csv": Csv}[task.dataset]
    found = dataset.misfits(task)
    assert any(misfit in each for each in found), found


@pytest.mark.parametrize(
    ("dataset", "layout", "place", "said"),
    [
        ("folder", "{foldr: a}", "8:10", "(did you mean 'folder'?)"),
        ("folder", "{folder: /a}", "8:18", "'/a' is not below the dataset's root"),
        ("folder", "{folder: ../a}", "8:18", "is not below the dataset's root"),
        ("folder", "{source: 'p(1'}", "8:18", "is not a regular expression"),
        ("folder", "{source: p1}", "8:18", "has 0 groups, expected one"),
        ("folder", "{suffix: _m}", "8:18", "is for segmentation"),
        ("csv", "{table: t.csv}", "8:1", "missing, expected text"),
        ("csv", "{table: t.csv, image: file, box: [a, b, c]}", "8:", "box"),
        ("csv", "{table: t.csv, image: file, delimiter: '|'}", "8:48", "'comma'"),
        (
            "csv",
            "{table: t.csv, image: file, values: [1]}",
            "8:45",
            "'ids' or 'binary' or a mapping",
        ),
        ("csv", "{table: t.csv, image: file, labels: {1: benign}}", "8:46", "in quotes"),
    ],
)
def test_mistakes_have_their_place(
    usmt: Usmt, tmp_path: Path, dataset: str, layout: str, place: str, said: str
) -> None:
    (tmp_path / "tasks").mkdir()
    lines = ["id: own", "title: Own", "type: classification", "organ: breast", "flip: none"]
    lines += [f"dataset: {dataset}", "classes: [benign, malignant]", f"layout: {layout}"]
    (tmp_path / "tasks" / "own.yaml").write_text("\n".join(lines) + "\n")
    answer = usmt("tasks", "show", "own", "--specs", tmp_path)
    assert answer.code == 1 and "Traceback" not in answer.err
    assert f"own.yaml:{place}" in answer.err and said in answer.err, answer.err


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ('{"0": background, "#ff0000": lesion}', "grey values and colours are mixed"),
        ('{"0": background, "300": lesion}', "300 is no grey value"),
        ('{"1": background, "01": lesion}', "one value is there twice"),
        ('{"0": background, red: lesion}', "found 'red'"),
        ("{}", "at least 1"),
    ],
)
def test_mistakes_in_values(usmt: Usmt, tmp_path: Path, values: str, said: str) -> None:
    path = write_spec(tmp_path, spec("segmentation", "folder", {}), "own")
    path.write_text(f"{path.read_text()}layout: {{values: {values}}}\n")
    answer = usmt("tasks", "show", "own", "--specs", tmp_path)
    assert answer.code == 1 and said in answer.err, answer.err
    assert "layout.values" in answer.err


# -- through the command line


def test_an_official_test_side_is_kept_and_val_is_drawn_by_patient(
    usmt: Usmt, tmp_path: Path
) -> None:
    """Twenty patients for training and six for the test, with two images each; no `val`."""
    root = tmp_path / "data"
    for side, patients in (("train", 20), ("test", 6)):
        for patient in range(patients):
            name = ("benign", "malignant")[patient % 2]
            for number in (1, 2):
                put(
                    root / side / name / f"{side}{patient}" / f"{number}.png",
                    40 + 90 * (patient % 2),
                )
    task = spec("classification", "folder", {"source": "/([^/]+)/[^/]+$"})
    write_spec(tmp_path / "specs", task, "birads")
    own = ("--specs", tmp_path / "specs", "--data", f"folder={root}")
    answer = usmt("train", "--task", "birads", *own, "--out", tmp_path / "run", *QUICK)
    assert answer.code == 0, answer.err
    with (tmp_path / "run" / "split.csv").open() as file:
        rows = list(csv.DictReader(file))
    sides = {
        side: [row for row in rows if row["side"] == side] for side in ("train", "val", "test")
    }
    assert {row["key"].partition("/")[0] for row in sides["test"]} == {"test"}
    assert len(sides["test"]) == 12 and len(sides["val"]) == 8
    patients = {side: {row["source_id"] for row in its} for side, its in sides.items()}
    assert not patients["train"] & patients["val"]
    assert all(patient.startswith("train") for patient in patients["val"])
    scored = usmt("evaluate", tmp_path / "run", "--split", "test", "--specs", tmp_path / "specs")
    assert scored.code == 0, scored.err
    predicted = usmt("predict", tmp_path / "run", *own[2:], "--out", tmp_path / "predictions")
    assert predicted.code == 0, predicted.err


def test_bad_files_are_told_with_their_rows(usmt: Usmt, table: Path, tmp_path: Path) -> None:
    write(table, HEAD, *ROWS[:2], ROWS[2].replace("img/m3.png", "img/3.png"))
    (table / "img" / "1.png").write_bytes(b"no image")
    specs = tmp_path / "specs"
    write_spec(specs, of_table("segmentation"), "own")
    answer = usmt("data", "check", f"csv={table}", "--specs", specs, "--json")
    assert answer.code == 1
    places = {(one["place"], one["kind"]) for one in answer.data["defects"]}
    assert {("t.csv:2", "not an image"), ("t.csv:4", "mask values")} <= places
    shown = usmt("tasks", "show", "own", "--specs", specs)
    assert "layout.table" in shown.out and "t.csv" in shown.out


def test_all_four_types_train_from_one_table(usmt: Usmt, tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        put(tmp_path / "img" / f"{number}.png", 40 + 60 * (number % 2))
        kind = ("benign", "malignant")[number % 2]
        put_mask(tmp_path / "img" / f"m{number}.png")
        rows.append(f"img/{number}.png,img/m{number}.png,{kind},1,2,10.5,12,p{number},,v,0")
    write(tmp_path, HEAD, *rows)
    for kind in LABELS:
        write_spec(tmp_path / "specs", of_table(kind, source="patient"), f"own_{kind}")
    tasks = [word for kind in LABELS for word in ("--task", f"own_{kind}")]
    own = ("--specs", tmp_path / "specs", "--data", f"csv={tmp_path}")
    answer = usmt("train", *tasks, *own, "--out", tmp_path / "run", *QUICK)
    assert answer.code == 0, answer.err
    assert (tmp_path / "run" / "scores.csv").is_file()


# -- tables


CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
WIDTH = 3
TABLE = st.lists(st.lists(CELL, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(rows=TABLE, mark=st.sampled_from([",", ";", "\t"]), end=st.sampled_from(["\n", "\r\n"]))
def test_a_table_that_a_library_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], mark: str, end: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=mark, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [["a", "b", "c"], *rows]
    )
    path.write_bytes(text.getvalue().encode())
    table = read_table(path, delimiter=mark)
    assert table.damage is None and table.columns == ("a", "b", "c")
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert [list(row.cells.values()) for row in table.rows] == kept
    assert all(row.defect is None for row in table.rows)


@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=120))
def test_no_bytes_make_a_table_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(data)
    table = read_table(path)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    places = [row.place for row in table.rows]
    places += [table.damage.place] if table.damage else []
    assert all(1 <= int(place.rpartition(":")[2]) <= lines for place in places)


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(CELL, min_size=11, max_size=11))
def test_any_cells_give_a_label_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    root = tmp_path_factory.getbasetemp()
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([HEAD.split(","), cells])
    (root / "t.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    task = of_table("detection", source="patient", split="fold")
    if not any(cell.strip() for cell in cells):
        return
    [record] = opened(Csv, root).records(task)
    assert record.defect and "file " in record.defect
