"""The dataset `fmc_uia`, on folders written here and on the pack of real images."""

from __future__ import annotations

import csv
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ConfigDict
from ruamel.yaml import YAML

import usmt_fmc_uia
from usmt import DataError, Fault, Faults, Record, RootOptions, TaskSpec
from usmt_fmc_uia import FmcUia


class AnySpec(TaskSpec):
    """A spec with whatever fields its type would add."""

    model_config = ConfigDict(extra="allow", frozen=True)


def spec(task: str, kind: str, **fields: Any) -> TaskSpec:
    return AnySpec(
        id=task, title=task, type=kind, organ="x", dataset="fmc_uia", flip="none", **fields
    )


HEADS = {
    "seg": "image_path,mask_path,task_id,task_name,num_classes",
    "cls": "image_path,task_id,task_name,num_classes,mask",
    "reg": "image_path,task_id,task_name,num_classes,point_1_xy,point_2_xy",
    "det": "image_path,task_id,task_name,num_classes,x_min,y_min,x_max,y_max",
}
ROWS = {
    "seg": "../img/1.png,../img/mask.png,seg,segmentation,3",
    "cls": "../img/1.png,cls,classification,3,2",
    "reg": '../img/1.png,reg,Regression,2,"[1.5, 2]","[3, 4]"',
    "det": "../img/1.png,det,detection,1,1,2,5.5,6",
}
SPECS = {
    "seg": spec("seg", "segmentation", classes=["background", "a", "b"]),
    "cls": spec("cls", "classification", classes=["a", "b", "c"]),
    "reg": spec("reg", "regression", points=["a", "b"]),
    "det": spec("det", "detection", target="a"),
}


def write_csv(root: Path, name: str, *lines: str, encoding: str = "utf-8", end: str = "\n") -> None:
    path = root / "csv_files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(lines) + end).encode(encoding))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset with one sound row of each kind and three images."""
    top = tmp_path / "data"
    (top / "img").mkdir(parents=True)
    for i in (1, 2, 3):
        Image.fromarray(np.full((8, 10), i, np.uint8)).save(top / "img" / f"{i}.png")
    Image.fromarray(np.arange(80, dtype=np.uint8).reshape(8, 10) % 3).save(top / "img/mask.png")
    for kind, head in HEADS.items():
        write_csv(top, f"{kind}.csv", head, ROWS[kind])
    return top


def opened(root: Path) -> FmcUia:
    return FmcUia(RootOptions(root=root))


def only(records: list[Record]) -> Record:
    (record,) = records
    return record


# -- what is sound


def test_labels(root: Path) -> None:
    data = opened(root)
    labels = {}
    for kind, task in SPECS.items():
        record = pickle.loads(pickle.dumps(only(data.records(task))))
        assert record.defect is None
        assert (record.key, record.source_id) == ("../img/1.png", "../img/1.png")
        assert record.place == f"csv_files/{kind}.csv:2"
        assert (data.read_image(record) == np.full((8, 10), 1)).all()
        labels[kind] = data.read_label(record, task)
    assert labels["cls"] == 2
    assert isinstance(labels["cls"], int)
    np.testing.assert_array_equal(labels["reg"], [[1.5, 2], [3, 4]])
    np.testing.assert_array_equal(labels["det"], [1, 2, 5.5, 6])
    assert labels["seg"].dtype == np.uint8
    np.testing.assert_array_equal(labels["seg"], np.arange(80).reshape(8, 10) % 3)


def test_stratum_source_and_official_side(root: Path) -> None:
    head = f"{HEADS['cls']},source_id,split,note"
    write_csv(
        root,
        "cls.csv",
        head,
        "../img/1.png,cls,Classification,3,2.0,patient 1,train,x",
        "../img/2.png,cls,classification,3,+1,,Test,",
        "../img/3.png,cls,classification,3,0,patient 1,,",
    )
    records = opened(root).records(SPECS["cls"])
    assert [record.defect for record in records] == [None] * 3
    assert [record.stratum for record in records] == ["2", "1", "0"]
    assert [record.source_id for record in records] == ["patient 1", "../img/2.png", "patient 1"]
    assert [record.split for record in records] == ["train", "test", None]
    assert only(opened(root).records(SPECS["seg"])).stratum == ""


def test_rows_are_routed_by_task_id(root: Path) -> None:
    write_csv(
        root,
        "cls.csv",
        HEADS["cls"],
        "../img/1.png,one,classification,2,0",
        "../img/2.png,two,classification,2,1",
        "../img/3.png,one,classification,2,1",
    )
    data = opened(root)
    assert [r.key[-5] for r in data.records(spec("one", "classification"))] == ["1", "3"]
    everything = Counter(record.task for record in data.all_records([]))
    assert everything == {"one": 2, "two": 1, "seg": 1, "reg": 1, "det": 1}
    assert all(record.defect is None for record in data.all_records(list(SPECS.values())))


def test_lines_are_counted_as_an_editor_does(root: Path) -> None:
    write_csv(
        root,
        "cls.csv",
        HEADS["cls"] + ",note",
        '../img/1.png,cls,classification,3,0,"two\nlines"',
        "",
        "../img/2.png,cls,classification,3,0,",
        ",,,,,",
        "../img/3.png,cls,classification,3,oops,",
    )
    records = opened(root).records(SPECS["cls"])
    assert [record.place for record in records] == [f"csv_files/cls.csv:{n}" for n in (2, 5, 7)]
    assert [record.defect is None for record in records] == [True, True, False]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings(root: Path, encoding: str, end: str) -> None:
    (root / "img/1.png").rename(root / "img/胎儿.png")
    row = ROWS["cls"].replace("1.png", "胎儿.png")
    write_csv(root, "cls.csv", HEADS["cls"], row, encoding=encoding, end=end)
    data = opened(root)
    record = only(data.records(SPECS["cls"]))
    assert (record.key, record.defect) == ("../img/胎儿.png", None)
    assert data.read_label(record, SPECS["cls"]) == 2


# -- what is not: one row each, with the text that must be found in the defect

BAD_ROWS = [
    ("cls", ",cls,classification,3,0", "image_path is empty"),
    ("cls", "../img/9.png,cls,classification,3,0", "image_path '../img/9.png': no such file"),
    ("cls", "../img,cls,classification,3,0", "no such file"),
    ("cls", "../../outside.png,cls,classification,3,0", "leaves the dataset's folder"),
    ("cls", "../link.png,cls,classification,3,0", "leaves the dataset's folder"),
    ("cls", "../linked/outside.png,cls,classification,3,0", "leaves the dataset's folder"),
    ("cls", "/img/1.png,cls,classification,3,0", "is absolute"),
    ("cls", "C:\\img\\1.png,cls,classification,3,0", "is absolute"),
    ("cls", "../img/\0.png,cls,classification,3,0", "no such file|not a path"),
    ("cls", f"../{'x' * 5000},cls,classification,3,0", "no such file|not a path"),
    ("cls", "../img/1.png,cls,,3,0", "task_name is empty"),
    ("cls", "../img/1.png,cls,clasification,3,0", "did you mean 'classification'"),
    ("cls", "../img/1.png,cls,detection,3,0", "the task's spec says classification"),
    ("cls", "../img/1.png,cls,classification,,0", "num_classes is empty"),
    ("cls", "../img/1.png,cls,classification,2,0", "num_classes is 2, .* spec has 3 classes"),
    ("cls", "../img/1.png,cls,classification,0,0", "num_classes is 0"),
    ("cls", "../img/1.png,cls,classification,3,", "mask is empty"),
    ("cls", "../img/1.png,cls,classification,3,1.5", "mask is '1.5'"),
    ("cls", "../img/1.png,cls,classification,3,benign", "mask is 'benign'"),
    ("cls", "../img/1.png,cls,classification,3,1_0", "mask is '1_0'"),
    ("cls", "../img/1.png,cls,classification,3", "4 cells, but the header has 5"),
    ("cls", "../img/1.png,cls,classification,3,0,0", "6 cells, but the header has 5"),
    ("cls", "../img/1.png,,classification,3,0", "task_id is empty"),
    ("seg", "../img/1.png,,seg,segmentation,3", "mask_path is empty"),
    ("seg", "../img/1.png,../img/no.png,seg,segmentation,3", "mask_path '../img/no.png': no such"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, 2]",', "point_2_xy is empty"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, 2]","[1]"', "point_2_xy is '\\[1\\]'"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, 2]","[1, 2, 3]"', "point_2_xy"),
    ("reg", '../img/1.png,reg,Regression,2,"(1, 2)","[1, 2]"', "point_1_xy"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, NaN]","[1, 2]"', "point_1_xy"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, Infinity]","[1, 2]"', "point_1_xy"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, 1e999]","[1, 2]"', "point_1_xy"),
    ("reg", '../img/1.png,reg,Regression,2,"[1, true]","[1, 2]"', "point_1_xy"),
    ("reg", f'../img/1.png,reg,Regression,2,"{"[" * 9999}","[1, 2]"', "point_1_xy"),
    ("reg", '../img/1.png,reg,Regression,1,"[1, 2]","[1, 2]"', "spec has 2 points"),
    ("reg", "../img/1.png,reg,Regression,2,,", "point_1_xy is empty.*; point_2_xy is empty"),
    ("det", "../img/1.png,det,detection,1,1,2,3,", "y_max is empty"),
    ("det", "../img/1.png,det,detection,1,nan,2,3,4", "x_min is 'nan'"),
    ("det", "../img/1.png,det,detection,1,1,2px,3,4", "y_min is '2px'"),
    ("det", "../img/1.png,det,detection,1,1,2,inf,1e999", "x_max is 'inf'.*; y_max is '1e999'"),
]


@pytest.mark.parametrize(("kind", "row", "reason"), BAD_ROWS)
def test_bad_rows(root: Path, kind: str, row: str, reason: str) -> None:
    outside = root.parent / "outside.png"
    Image.new("L", (3, 3)).save(outside)
    (root / "link.png").symlink_to(outside)
    (root / "linked").symlink_to(root.parent)
    write_csv(root, f"{kind}.csv", HEADS[kind], ROWS[kind].replace("1.png", "2.png", 1), row)
    data = opened(root)
    sound, bad = data.records(SPECS[kind])
    assert sound.defect is None
    assert bad.place == f"csv_files/{kind}.csv:3"
    assert bad.defect is not None
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(bad.defect)


def test_a_label_is_read_whatever_else_is_wrong_with_its_row(root: Path) -> None:
    head = HEADS["cls"] + ",split"
    write_csv(root, "cls.csv", head, "../no.png,cls,classification,x,2,dev")
    write_csv(root, "reg.csv", HEADS["reg"], '../img/1.png,reg,Regression,2,"[1, 2]",')
    data = opened(root)
    assert data.read_label(only(data.records(SPECS["cls"])), SPECS["cls"]) == 2
    bad = only(data.records(SPECS["reg"]))
    with pytest.raises(DataError, match="point_2_xy is empty"):
        data.read_label(bad, SPECS["reg"])


def test_all_that_is_wrong_with_a_row_is_said(root: Path) -> None:
    write_csv(root, "cls.csv", HEADS["cls"] + ",split", "../no.png,cls,classification,x,0,dev")
    defect = only(opened(root).records(SPECS["cls"])).defect
    assert defect is not None
    assert [part in defect for part in ("image_path", "num_classes", "split is 'dev'")] == [
        True
    ] * 3


def test_what_is_wrong_with_a_row_has_kinds(root: Path) -> None:
    row = '../no.png,reg,Regression,3,,"[1]"'
    write_csv(root, "reg.csv", HEADS["reg"] + ",split", f"{row},dev")
    defect = only(opened(root).records(SPECS["reg"])).defect
    assert isinstance(defect, Faults)
    kinds = [fault.kind for fault in defect.each if isinstance(fault, Fault)]
    assert kinds == ["missing file", "num_classes", "wrong value", "missing point", "wrong value"]


def test_an_image_twice_in_a_task(root: Path) -> None:
    write_csv(root, "cls.csv", HEADS["cls"], ROWS["cls"])
    write_csv(root, "more.csv", HEADS["cls"], ROWS["cls"])
    first, second = opened(root).records(SPECS["cls"])
    assert first.defect is None
    assert second.place == "csv_files/more.csv:2"
    assert second.defect == "image_path '../img/1.png' is already in csv_files/cls.csv:2"


def test_points_beyond_num_classes(root: Path) -> None:
    row = ROWS["reg"].replace("Regression,2", "Regression,1")
    write_csv(root, "reg.csv", HEADS["reg"], row)
    record = only(opened(root).records(spec("reg", "regression")))
    assert record.defect == "point_2_xy is filled, but num_classes is 1"


def test_the_image_of_a_bad_row_can_be_read(root: Path) -> None:
    write_csv(root, "cls.csv", HEADS["cls"], "../img/1.png,cls,classification,3,oops")
    data = opened(root)
    assert data.read_image(only(data.records(SPECS["cls"]))).shape == (8, 10)


# -- files that are wrong as a whole


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (b"", ":1", "no header"),
        (
            b"image_path,task_id,task_nam,num_classes,mask\n",
            ":1",
            "task_name' .did you mean 'task_nam",
        ),
        (b"image_path,task_id,task_name,num_classes,mask,mask\n", ":1", "'mask' is there twice"),
        (b"a;b;c\n1;2;3\n", ":1", "missing columns 'task_id', 'task_name'"),
        (b"image_path,\xff\xff\xff\n", ":1", "neither UTF-8 nor GBK"),
        (HEADS["cls"].encode() + b'\n"x,cls,classification,3,0\ny\n', ":2", "not CSV"),
    ],
)
def test_unreadable_files_stop_every_task_they_may_hold(
    root: Path, content: bytes, place: str, reason: str
) -> None:
    (root / "csv_files" / "zz.csv").write_bytes(content)
    for task in SPECS.values():
        sound, bad = opened(root).records(task)
        assert sound.defect is None
        assert bad.place == f"csv_files/zz.csv{place}"
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(bad.defect)


def test_damage_further_down_stops_the_tasks_of_the_file(root: Path) -> None:
    write_csv(root, "cls.csv", HEADS["cls"], ROWS["cls"], '"../img/2.png,cls,classification,3,0')
    data = opened(root)
    assert {(r.place, r.defect is None) for r in data.records(SPECS["cls"])} == {
        ("csv_files/cls.csv:2", True),
        ("csv_files/cls.csv:3", False),
    }
    assert only(data.records(SPECS["det"])).defect is None


def test_a_missing_label_column_is_said_once(root: Path) -> None:
    rows = [f"../img/{i}.png,seg,segmentation,3" for i in (1, 2, 3)]
    write_csv(root, "seg.csv", HEADS["seg"].replace("mask_path,", ""), *rows)
    bad = only(opened(root).records(SPECS["seg"]))
    assert bad.place == "csv_files/seg.csv:1"
    assert bad.defect == "missing column 'mask_path', which rows of task 'seg' need (3 of them)"


def test_an_unknown_task(root: Path) -> None:
    with pytest.raises(DataError, match=r"'clss' \(did you mean 'cls'\?\)") as error:
        opened(root).records(spec("clss", "classification"))
    assert "cls, det, reg, seg" in str(error.value)


def test_a_type_without_columns(root: Path) -> None:
    with pytest.raises(DataError, match="no columns for labels of type 'counting'"):
        opened(root).records(spec("cls", "counting"))


@pytest.mark.parametrize("made", ["", "data", "data/csv_files"])
def test_a_root_that_is_none(tmp_path: Path, made: str) -> None:
    (tmp_path / made).mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataError, match="expected the challenge's layout"):
        opened(tmp_path / "data")


def test_remarks_on_files(root: Path) -> None:
    assert [remark.kind for remark in opened(root).remarks()] == ["image without a row"]
    (root / "csv_files" / "zz.csv").write_bytes(b"")  # it may have named the images
    assert [remark.kind for remark in opened(root).remarks()] == ["no header"]
    (root / "csv_files" / "zz.csv").unlink()
    write_csv(root, "cls.csv", HEADS["cls"] + ",Split", ROWS["cls"] + ",train", end="\r\n")
    write_csv(root, "det.csv", HEADS["det"] + ",注", ROWS["det"] + ",好", encoding="gbk")
    write_csv(root, "reg.csv", HEADS["reg"], encoding="utf-8-sig")
    write_csv(root, "seg.csv", HEADS["seg"], ROWS["seg"], ROWS["seg"].replace(",seg,", ",,"))
    for i in (2, 3):
        (root / "img" / f"{i}.png").unlink()
    assert [(one.task, one.place, one.kind, one.severity) for one in opened(root).remarks()] == [
        ("cls", "csv_files/cls.csv:1", "CRLF line ends", "warning"),
        ("cls", "csv_files/cls.csv:1", "misspelt column", "warning"),
        ("det", "csv_files/det.csv:1", "GBK encoding", "warning"),
        ("", "csv_files/reg.csv:1", "byte order mark", "warning"),
        ("", "csv_files/reg.csv:1", "empty table", "warning"),
        ("", "csv_files/seg.csv:3", "missing value", "error"),
    ]


# -- pixels


def image_of(root: Path) -> np.ndarray:
    data = opened(root)
    return data.read_image(only(data.records(SPECS["cls"])))


def test_modes_of_images(root: Path) -> None:
    path = root / "img/1.png"
    grey = np.arange(80, dtype=np.uint8).reshape(8, 10)
    rgb = np.stack([grey, grey + 1, grey + 2], axis=-1)
    Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    np.testing.assert_array_equal(image_of(root), grey)
    Image.fromarray(grey).convert("LA").save(path)
    np.testing.assert_array_equal(image_of(root), grey)
    Image.fromarray(grey > 40).save(path)
    np.testing.assert_array_equal(image_of(root), np.where(grey > 40, 255, 0))
    Image.fromarray(rgb).save(path)
    np.testing.assert_array_equal(image_of(root), rgb)
    Image.fromarray(rgb).convert("RGBA").save(path)
    np.testing.assert_array_equal(image_of(root), rgb)
    palette = Image.fromarray(grey % 4)
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(path)
    np.testing.assert_array_equal(image_of(root)[0, :3], [[0, 0, 0], [255, 0, 0], [0, 255, 0]])


def test_orientation_is_applied(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(np.zeros((8, 10), np.uint8)).save(root / "img/1.png", exif=exif)
    assert image_of(root).shape == (10, 8)


def test_images_that_cannot_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "img/1.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:20], b"", b"not an image at all"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"1\.png"):
            image_of(root)
    frames = [Image.new("L", (4, 4), i) for i in (0, 255)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="several images"):
        image_of(root)
    Image.fromarray(noise.astype(np.float32)).save(path, format="TIFF")
    with pytest.raises(DataError, match="floats"):
        image_of(root)
    monkeypatch.setattr("usmt.data.image_file.MAX_PIXELS", 100)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="64 x 64 pixels, expected at most 100"):
        image_of(root)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged tags
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(form=st.sampled_from(["PNG", "JPEG", "BMP", "TIFF"]), data=st.data())
def test_damaged_files_are_read_or_reported(root: Path, form: str, data: st.DataObject) -> None:
    path = root / "img/1.png"
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(path, format=form)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        image = image_of(root)
    except DataError:
        return
    assert image.dtype == np.uint8


def mask_of(root: Path) -> np.ndarray:
    data = opened(root)
    return data.read_label(only(data.records(SPECS["seg"])), SPECS["seg"])


def with_palette(indexes: np.ndarray, palette: list[int]) -> Image.Image:
    image = Image.fromarray(indexes)
    image.putpalette(palette)
    return image


def test_modes_of_masks(root: Path) -> None:
    path = root / "img/mask.png"
    ids = np.arange(80, dtype=np.uint8).reshape(8, 10) % 3
    colours = [0, 0, 0, 255, 0, 0, 0, 255, 0]
    for sound in (
        Image.fromarray(ids),
        Image.fromarray(ids.astype(np.uint16)),
        Image.fromarray(np.stack([ids] * 3, axis=-1)),
        Image.fromarray(ids).convert("RGBA"),
        with_palette(ids, colours),
        with_palette(ids, [0, 0, 0, 127, 127, 127, 255, 255, 255]),
    ):
        sound.save(path)
        np.testing.assert_array_equal(mask_of(root), ids)
    Image.fromarray(ids > 0).save(path)
    np.testing.assert_array_equal(mask_of(root), ids > 0)


def test_masks_that_are_none(root: Path) -> None:
    path = root / "img/mask.png"
    ids = np.arange(80, dtype=np.uint8).reshape(8, 10) % 3
    for bad, reason in (
        (Image.fromarray(np.stack([ids, ids, ids + 1], axis=-1)), "coloured"),
        (Image.fromarray(np.stack([ids, ids], axis=-1)), "transparent"),
        (Image.fromarray(ids.astype(np.uint16) * 300), "beyond 0 to 255"),
        (with_palette(np.minimum(ids, 1), [0, 0, 0, 2, 2, 2]), "index 1 is the grey value 2"),
    ):
        bad.save(path)
        with pytest.raises(DataError, match=reason):
            mask_of(root)


# -- as a plugin, and on real images


def test_discovery_imports_nothing_slow() -> None:
    code = "import sys, usmt_fmc_uia; print({'torch', 'PIL', 'cv2', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_hooks() -> None:
    assert usmt_fmc_uia.usmt_datasets() == [FmcUia]
    (folder,) = usmt_fmc_uia.usmt_spec_dirs()
    assert (folder / "tasks").is_dir()
    assert (folder / "groups").is_dir()


def test_the_real_pack(realus: Path, realus_specs: Path) -> None:
    built_in = usmt_fmc_uia.usmt_spec_dirs()[0]
    group = YAML(typ="safe").load(realus_specs / "groups" / "realus.yaml")
    data = opened(realus)
    counts = {}
    for name in group["tasks"]:
        folders = (realus_specs / "tasks", built_in / "tasks")
        file = next(path for path in (f / f"{name}.yaml" for f in folders) if path.exists())
        task = AnySpec(**YAML(typ="safe").load(file))
        records = data.records(task)
        assert [record.defect for record in records if record.defect] == []
        counts[name] = len(records)
        image = data.read_image(records[0])
        label = data.read_label(records[0], task)
        if task.type == "segmentation":
            assert label.shape == image.shape[:2]
            assert label.max() < len(task.classes)
    rows = {
        path.stem: len(list(csv.DictReader(path.open()))) for path in realus.glob("csv_files/*.csv")
    }
    assert counts == rows
    assert len(data.all_records([])) == sum(rows.values()) == 1165
