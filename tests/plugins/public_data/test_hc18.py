"""The dataset `hc18`, on a folder laid out as the one on Zenodo is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Usmt
from hypothesis import given
from hypothesis import strategies as st
from made_files import write_image, write_mask
from reading import TINY, opened, task

from usmt import DataError, ellipse_circumference
from usmt.testing import check_dataset
from usmt_public_data import Hc18
from usmt_public_data.hc18 import drawn_ellipse

SIZE = (144, 192)
PIXEL = 0.5
HEADS = ("000_HC.png", "001_HC.png", "010_HC.png", "010_2HC.png", "010_3HC.png", "027_HC.png")
TABLE = "training_set_pixel_size_and_HC.csv"
HEADER = "filename,pixel size(mm),head circumference (mm)"

Axes = tuple[float, float]


def line(axes: Axes, centre: Axes = (96, 72), angle: float = 20, width: int = 3):
    """The line of an ellipse as a drawing program makes it: 255 on 0."""
    image = np.zeros(SIZE, np.uint8)
    fine = [round(each * 16) for each in (*centre, *axes)]
    cv2.ellipse(
        image, (fine[0], fine[1]), (fine[2], fine[3]), angle, 0, 360, 255, width, cv2.LINE_8, 4
    )
    return image


def millimetres(axes: Axes) -> float:
    return PIXEL * ellipse_circumference(2 * max(axes), 2 * min(axes))


def inside(axes: Axes, centre: Axes, angle: float) -> np.ndarray:
    """bool (H, W)."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    turn = np.exp(-1j * np.deg2rad(angle)) * ((columns - centre[0]) + 1j * (rows - centre[1]))
    return np.hypot(turn.real / axes[0], turn.imag / axes[1]) <= 1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [HEADER]
    for n, name in enumerate(HEADS):
        axes = (60.0 + n % 3, 45.0 + n % 2)
        write_image(tmp_path / "training_set" / name, mode="L", size=SIZE)
        outline = tmp_path / "training_set" / name.replace(".png", "_Annotation.png")
        write_mask(outline, line(axes))
        rows.append(f"{name},{PIXEL},{millimetres(axes):.2f}")
    (tmp_path / TABLE).write_text("\n".join(rows) + "\n")
    for name in ("000_HC.png", "001_HC.png"):
        write_image(tmp_path / "test_set" / name, seed=7, mode="L")
    (tmp_path / "test_set_pixel_size.csv").write_text(
        "filename,pixel size(mm)\n000_HC.png,0.1\n001_HC.png,0.2\n"
    )
    return tmp_path


def test_it_keeps_the_contract_of_a_dataset(root: Path):
    check_dataset(
        Hc18,
        root,
        tasks=[task("hc18_head")],
        unfit=[task("fetal_femur", dataset="hc18")],
        defects=0,
    )


def test_images_of_one_number_are_of_one_source(root: Path):
    records = opened("hc18", root).records(task("hc18_head"))
    assert [record.source_id for record in records] == ["000", "001", "010", "010", "010", "027"]
    assert [record.place for record in records] == [f"{TABLE}:{n}" for n in range(2, 8)]
    assert [Path(record.key).name for record in records] == list(HEADS)


def test_folders_that_were_unpacked_into_folders_of_their_names(root: Path):
    before = opened("hc18", root).records(task("hc18_head"))
    (root / "training_set").rename(root / "moved")
    (root / "training_set").mkdir()
    (root / "moved").rename(root / "training_set/training_set")
    after = opened("hc18", root).records(task("hc18_head"))
    assert not any(record.defect for record in after)
    assert [record.source_id for record in after] == [record.source_id for record in before]


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_root_may_be_a_folder_above(root: Path, above: int):
    deep = root / "downloads" / "hc18"
    deep.mkdir(parents=True)
    for path in [path for path in root.iterdir() if path != deep.parent]:
        path.rename(deep / path.name)
    place = [deep, *deep.parents][above]
    assert len(opened("hc18", place).records(task("hc18_head"))) == len(HEADS)


@given(
    axes=st.tuples(st.floats(45, 70), st.floats(40, 50)),
    angle=st.floats(0, 180),
    x=st.floats(90, 100),
    width=st.integers(1, 3),
)
def test_the_label_is_the_inside_of_the_ellipse_through_the_line(
    axes: Axes, angle: float, x: float, width: int
):
    ellipse = drawn_ellipse(line(axes, (x, 72.0), angle, width) // 255, "a line")
    assert ellipse.circumference * PIXEL == pytest.approx(millimetres(axes), rel=0.01)
    expected = inside(axes, (x, 72.0), angle)
    wrong = (ellipse.mask(SIZE) == 1) != expected
    assert wrong.sum() < 0.02 * expected.sum()


def test_a_head_that_the_edge_cuts_off_is_filled(root: Path):
    """Filling what a line encloses would leave it empty: nothing is enclosed."""
    axes, centre = (66.0, 45.0), (150.0, 72.0)
    write_mask(root / "training_set/000_HC_Annotation.png", line(axes, centre, 0))
    rows = (root / TABLE).read_text().splitlines()
    rows[1] = f"000_HC.png,{PIXEL},{millimetres(axes):.2f}"
    (root / TABLE).write_text("\n".join(rows))
    hc18, spec = opened("hc18", root), task("hc18_head")
    label = hc18.read_label(hc18.records(spec)[0], spec)
    expected = inside(axes, centre, 0)
    assert ((label == 1) != expected).sum() < 0.02 * expected.sum()


def disc_instead(root: Path) -> None:
    write_mask(root / "training_set/001_HC_Annotation.png", inside((60, 45), (96, 72), 0))


def straight_line(root: Path) -> None:
    write_mask(root / "training_set/001_HC_Annotation.png", 255 * np.eye(*SIZE, dtype=np.uint8))


def nothing(root: Path) -> None:
    write_mask(root / "training_set/001_HC_Annotation.png", np.zeros(SIZE, np.uint8))


def other_circumference(root: Path) -> None:
    replace(root, "001_HC.png,0.5", "001_HC.png,0.55")


def no_outline(root: Path) -> None:
    (root / "training_set/001_HC_Annotation.png").unlink()


def no_image(root: Path) -> None:
    (root / "training_set/001_HC.png").unlink()


def no_number(root: Path) -> None:
    replace(root, "001_HC.png,0.5", "001_HC.png,-")


def odd_name(root: Path) -> None:
    replace(root, "001_HC.png,", "../001_HC.png,")


def twice(root: Path) -> None:
    replace(root, "001_HC.png,", "000_HC.png,")


def a_cell_more(root: Path) -> None:
    replace(root, "001_HC.png,0.5", "001_HC.png,0.5,1")


def replace(root: Path, old: str, new: str) -> None:
    text = (root / TABLE).read_text()
    assert text.count(old) == 1
    (root / TABLE).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (disc_instead, "001_HC_Annotation.png: not the line of an ellipse"),
        (straight_line, "001_HC_Annotation.png: "),
        (nothing, "001_HC_Annotation.png: not the line of an ellipse"),
        (other_circumference, "mm, the table says"),
        (no_outline, "there is no file 'training_set/001_HC_Annotation.png'"),
        (no_image, "there is no file 'training_set/001_HC.png'"),
        (no_number, "pixel size(mm) is '-', expected a number of mm"),
        (odd_name, "filename is '../001_HC.png', expected a name such as 010_HC.png"),
        (twice, f"filename '000_HC.png' is already in {TABLE}:2"),
        (a_cell_more, "4 cells"),
    ],
)
def test_data_check_names_what_is_damaged(
    usmt: Usmt, root: Path, damage: Callable[[Path], None], said: str
):
    damage(root)
    answer = usmt("data", "check", f"hc18={root}", "--json")
    errors = [each for each in answer.data["defects"] if each["severity"] == "error"]
    assert answer.code == 1 and [each["place"] for each in errors] == [f"{TABLE}:3"] * len(errors)
    assert said in " ".join(each["reason"] for each in errors)


@pytest.mark.parametrize("table", [HEADER.replace("filename", "file"), ""])
def test_a_table_without_its_columns(root: Path, table: str):
    (root / TABLE).write_text(table)
    with pytest.raises(DataError, match=f"{TABLE}:1: .*'filename'"):
        opened("hc18", root).records(task("hc18_head"))


def test_the_test_set_is_predicted_and_has_no_labels(root: Path):
    hc18, spec = opened("hc18", root), task("hc18_head")
    records = hc18.unlabelled(spec)
    assert [record.key for record in records] == ["test_set/000_HC.png", "test_set/001_HC.png"]
    assert not any(record.defect for record in records) and hc18.read_image(records[0]).any()
    assert math.isnan(records[0].payload.circumference)
    with pytest.raises(DataError, match="not given away"):
        hc18.read_label(records[0], spec)
    (root / "test_set_pixel_size.csv").unlink()
    assert hc18.unlabelled(spec) == []


def test_images_that_no_table_names_are_remarked_on(root: Path):
    assert opened("hc18", root).remarks() == []
    write_image(root / "training_set/805_HC.png")
    (remark,) = opened("hc18", root).remarks()
    assert remark.place == "training_set/805_HC.png" and remark.severity == "warning"


def test_it_trains_and_predicts_the_test_set(usmt: Usmt, root: Path, tmp_path: Path):
    run, data = tmp_path / "run", f"hc18={root}"
    answer = usmt("train", "--task", "hc18_head", "--data", data, *TINY, "--out", run)
    assert answer.code == 0, answer.err
    answer = usmt("predict", run, "--data", data, "--out", tmp_path / "predictions")
    assert answer.code == 0, answer.err
    assert len(list((tmp_path / "predictions").rglob("*.png"))) >= 2
    listed = json.loads((tmp_path / "predictions/predictions.json").read_text())
    assert [one["pixel_size"] for one in listed] == [[0.1, 0.1], [0.2, 0.2]]
    for one in listed:
        area, side = one["measurements"]["head_area"], one["pixel_size"][0]
        assert area["mm²"] == pytest.approx(area["px²"] * side**2)


def test_the_real_heads_of_the_pack_are_those_ellipses(realus: Path):
    """Their masks are ellipses that were fitted to the original lines; lines around them lead
    back to them."""
    masks = sorted((realus / "Segmentation/Two/hc18/masks").glob("*.png"))[::9]
    assert len(masks) >= 10
    for path in masks:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        edge = mask - cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1)
        label = drawn_ellipse(edge, path.name).mask(mask.shape)
        dice = 2 * (label & mask).sum() / (label.sum() + mask.sum())
        assert dice > 0.97, path.name
