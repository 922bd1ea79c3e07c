"""The dataset `ddti`, on a folder laid out as its archive is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from hypothesis import assume, given
from hypothesis import strategies as st
from made_files import HEIGHT, WIDTH, write_image
from matplotlib.path import Path as MatplotlibPath
from reading import by_key, opened, task

from usmt.testing import check_dataset
from usmt_public_data import Ddti
from usmt_public_data.polygon import polygon_mask

Points = Sequence[tuple[float, float]]

SQUARE: Points = [(10, 5), (40, 5), (40, 35), (10, 35)]
TRIANGLE: Points = [(45, 10), (60, 10), (60, 40)]

CASE = """<?xml version="1.0" encoding="utf-8"?>
<case>
  <number>{number}</number>
  <age>49</age>
  <sex>F</sex>
  <composition>solid</composition>
  <echogenicity>hypoechogenicity</echogenicity>
  <margins>well defined smooth</margins>
  <calcifications>non</calcifications>
  <tirads>{tirads}</tirads>
  <reportbacaf/>
  <reporteco/>
{marks}</case>
"""
LINE = 13
"""Of the first mark."""


def svg(*outlines: Points) -> str:
    regions = [
        {
            "points": [{"x": x, "y": y} for x, y in outline],
            "annotation": {},
            "regionType": "freehand",
        }
        for outline in outlines
    ]
    return json.dumps(regions)


def mark(image: object, text: str) -> str:
    return f"  <mark>\n    <image>{image}</image>\n    <svg>{text}</svg>\n  </mark>\n"


def write_case(root: Path, number: int, tirads: str, *marks: str) -> Path:
    path = root / f"{number}.xml"
    path.write_text(CASE.format(number=number, tirads=tirads, marks="".join(marks)))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Cases of one image and of two; one without outlines, one without a level."""
    top = tmp_path / "ddti"
    for case, image in ((1, 1), (2, 1), (2, 2), (3, 1), (10, 1), (11, 1), (12, 1)):
        write_image(top / f"{case}_{image}.jpg")
    write_case(top, 1, "4a", mark(1, svg(SQUARE)))
    write_case(top, 2, "2", mark(1, svg(SQUARE, TRIANGLE, SQUARE)), mark(2, svg(TRIANGLE)))
    write_case(top, 3, "5", mark(1, ""))
    write_case(top, 10, "", mark(1, svg(TRIANGLE, TRIANGLE)))
    write_case(top, 11, "3", mark(1, svg(SQUARE)), mark(1, svg(TRIANGLE)))
    write_case(top, 12, "4a", mark(1, svg([(0.5, 2.25), (64, 0), (30.5, 48)])))
    return top


def keys(root: Path, name: str) -> list[str]:
    return list(by_key(opened("ddti", root), task(name)))


def test_it_keeps_the_contract_of_a_dataset(root: Path):
    tasks = [task("ddti_nodule"), task("ddti_nodule_box"), task("ddti_tirads")]
    unfit = [task("ddti_tirads", classes=["2", "4d"]), task("IUGC")]
    check_dataset(Ddti, root, tasks=tasks, unfit=unfit, defects=0)


def test_images_are_those_with_outlines_with_one_and_with_a_level(root: Path):
    names = ["1_1.jpg", "2_1.jpg", "2_2.jpg", "10_1.jpg", "11_1.jpg", "12_1.jpg"]
    assert keys(root, "ddti_nodule") == names
    assert keys(root, "ddti_nodule_box") == ["1_1.jpg", "2_2.jpg", "10_1.jpg", "12_1.jpg"]
    assert keys(root, "ddti_tirads") == [
        *("1_1.jpg", "2_1.jpg", "2_2.jpg", "3_1.jpg", "11_1.jpg", "12_1.jpg")
    ]


def test_images_of_a_case_are_of_one_source(root: Path):
    for name in ("ddti_nodule", "ddti_tirads"):
        records = by_key(opened("ddti", root), task(name))
        assert records["2_1.jpg"].source_id == records["2_2.jpg"].source_id == "case 2"
        assert records["1_1.jpg"].source_id == "case 1"


def test_several_outlines_are_one_mask(root: Path):
    ddti, spec = opened("ddti", root), task("ddti_nodule")
    for key in ("2_1.jpg", "11_1.jpg"):
        label = ddti.read_label(by_key(ddti, spec)[key], spec)
        assert label[5:35, 10:40].all() and label[12, 50] == 1 and label.sum() > 900
        assert not label[36:, :44].any() and not label[:5].any()


def test_a_box_goes_around_the_outline(root: Path):
    ddti, spec = opened("ddti", root), task("ddti_nodule_box")
    records = by_key(ddti, spec)
    assert ddti.read_label(records["1_1.jpg"], spec).tolist() == [10, 5, 40, 35]
    assert ddti.read_label(records["12_1.jpg"], spec).tolist() == [0.5, 0, 64, 48]


def test_levels_are_in_the_official_order(root: Path):
    ddti, spec = opened("ddti", root), task("ddti_tirads")
    assert spec.model_dump()["classes"] == ["2", "3", "4a", "4b", "4c", "5"]
    labels = {record.key: ddti.read_label(record, spec) for record in ddti.records(spec)}
    assert labels["2_1.jpg"] == labels["2_2.jpg"] == 0
    assert (labels["11_1.jpg"], labels["1_1.jpg"], labels["3_1.jpg"]) == (1, 2, 5)


def defects(usmt: Usmt, root: Path, name: str = "ddti_nodule") -> list[tuple[str, str]]:
    answer = usmt("data", "check", f"ddti={root}", "--task", name, "--json")
    told = [each for each in answer.data["defects"] if each["severity"] == "error"]
    assert answer.code == (1 if told else 0)
    return [(each["place"], each["reason"]) for each in told]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{", "<svg> is not JSON"),
        ("{}", "<svg> is no list of regions"),
        ("[1]", "region 1 of <svg> has no list of points"),
        (svg(SQUARE, [(1, 2), (3, 4)]), "region 2 of <svg> is no outline"),
        (svg([(1, 2), (1, 2), (3, 4)]), "region 1 of <svg> is no outline"),
        ('[{"points": [{"x": 1}, {"x": 2, "y": 1}, {"x": 2, "y": 3}]}]', "no outline"),
        ('[{"points": [{"x": NaN, "y": 1}, {"x": 2, "y": 1}, {"x": 2, "y": 3}]}]', "no outline"),
        (f'[{{"points": [{{"x": {"9" * 400}, "y": 1}}]}}]', "no outline"),
        ("9" * 9_999, "<svg> is not JSON"),
        ("[" * 100_000, "<svg> is not JSON"),
    ],
)
def test_an_outline_that_cannot_be_read(usmt: Usmt, root: Path, text: str, said: str):
    write_case(root, 2, "2", mark(1, svg(SQUARE)), mark(2, text))
    ((place, reason),) = defects(usmt, root)
    assert place == f"2.xml:{LINE + 4}" and said in reason
    assert defects(usmt, root, "ddti_tirads") == [], "the level can be read still"


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("</composition>", "", "1.xml:17", "not XML: mismatched tag"),
        ("<tirads>", "<tirads", "1.xml:10", "not XML: not well-formed"),
        ("utf-8", "gbk", "1.xml:1", "not XML: multi-byte encodings"),
        ("utf-8", "foo", "1.xml:1", "not XML: unknown encoding"),
        ("<number>1<", "<number>7<", "1.xml:3", "number is '7', but the file is named '1'"),
        ("<image>1<", "<image>one<", "1.xml:13", "<image> of a <mark> is 'one'"),
        ("<case>", '<!DOCTYPE c [<!ENTITY a "b">]><case>', "1.xml:2", "a document type"),
    ],
)
def test_a_case_that_cannot_be_read(
    usmt: Usmt, root: Path, old: str, new: str, place: str, said: str
):
    text = (root / "1.xml").read_text()
    assert old in text
    (root / "1.xml").write_text(text.replace(old, new, 1))
    for name in ("ddti_nodule", "ddti_nodule_box", "ddti_tirads"):
        ((found, reason),) = defects(usmt, root, name)
        assert found == place and said in reason


def test_a_file_that_is_empty_or_of_something_else(usmt: Usmt, root: Path):
    (root / "1.xml").write_bytes(b"")
    (root / "2.xml").write_text("<html/>")
    (root / "12.xml").write_bytes(b"\xff\xd8\xff\x00")
    told = dict(defects(usmt, root))
    assert told["1.xml:1"] == "not XML: no element found"
    assert "expected <case>" in told["2.xml:1"] and "not XML" in told["12.xml:1"]


def test_a_missing_image_and_a_damaged_one(usmt: Usmt, root: Path):
    (root / "2_2.jpg").unlink()
    data = (root / "1_1.jpg").read_bytes()
    (root / "1_1.jpg").write_bytes(data[: len(data) // 2])
    told = dict(defects(usmt, root))
    assert told[f"2.xml:{LINE + 4}"] == "there is no file '2_2.jpg'"
    assert "1_1.jpg: image cannot be read" in told[f"1.xml:{LINE}"]


def test_outlines_off_the_image(usmt: Usmt, root: Path):
    write_case(root, 1, "4a", mark(1, svg([(100, 5), (140, 5), (140, 35)])))
    ((place, reason),) = defects(usmt, root)
    assert place == f"1.xml:{LINE}" and "around no pixel of 64 x 48" in reason
    ((place, reason),) = defects(usmt, root, "ddti_nodule_box")
    assert place == f"1.xml:{LINE}" and "outside" in reason


def test_remarks(root: Path):
    assert opened("ddti", root).remarks() == []
    write_image(root / "77_1.jpg")
    write_case(root, 1, "4d", mark(1, svg(SQUARE)))
    write_case(root, 20, "3")
    told = {(each.place, each.kind): each.reason for each in opened("ddti", root).remarks()}
    assert told["77_1.jpg", "image without a record"].startswith("images that belong to no case")
    assert "'4d'" in told["1.xml", "wrong value"]
    assert told["20.xml", "no image"] == "the case has no image"


def area(points: Points) -> float:
    """Gauss's formula."""
    x, y = np.array(points).T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


corners = st.lists(
    st.tuples(st.floats(0, 1).map(lambda share: share * 2 * np.pi), st.floats(4, 20)),
    min_size=3,
    max_size=40,
    unique_by=lambda corner: corner[0],
)


@given(corners=corners, turned=st.booleans())
def test_a_mask_has_the_pixels_and_the_area_of_its_polygon(
    corners: list[tuple[float, float]], turned: bool
):
    """Star-shaped about a point, so that the outline does not cross itself."""
    corners = sorted(corners)
    gaps = np.diff([t for t, _ in corners], append=corners[0][0] + 2 * np.pi)
    assume(gaps.max() < np.pi)  # else the point is outside
    star = [(30.123 + r * np.cos(t), 24.217 + r * np.sin(t)) for t, r in corners]
    mask = polygon_mask(star[::-1] if turned else star, (HEIGHT, WIDTH))
    centres = np.argwhere(np.ones_like(mask))[:, ::-1] + 0.5
    inside = MatplotlibPath(star).contains_points(centres).reshape(mask.shape)
    np.testing.assert_array_equal(mask, inside)
    length = np.hypot(*(np.array(star) - np.roll(star, -1, axis=0)).T).sum()
    assert abs(mask.sum() - area(star)) <= length + 1


def test_pixels_are_inside_where_their_centres_are():
    mask = polygon_mask([(1, 1), (4, 1), (4, 3), (1, 3)], (5, 6))
    np.testing.assert_array_equal(np.argwhere(mask), [[y, x] for y in (1, 2) for x in (1, 2, 3)])
    mask = polygon_mask([(1.6, 0.4), (3.4, 0.4), (3.4, 1.6), (1.6, 1.6)], (5, 6))
    np.testing.assert_array_equal(np.argwhere(mask), [[0, 2], [1, 2]])
    assert polygon_mask([(0.6, 0.6), (1.4, 0.6), (1.4, 1.4)], (5, 6)).sum() == 0
    assert polygon_mask([(-9, -9), (99, -9), (99, 99), (-9, 99)], (5, 6)).all()


def test_polygons_with_a_common_side_share_no_pixel():
    left = polygon_mask([(0, 0), (5.3, 0), (2.2, 10), (0, 10)], (10, 10))
    right = polygon_mask([(5.3, 0), (10, 0), (10, 10), (2.2, 10)], (10, 10))
    np.testing.assert_array_equal(left + right, np.ones((10, 10)))


def test_a_loop_whose_ends_overlap_has_no_hole():
    once = [(5, 5), (25, 5), (25, 25), (5, 25)]
    np.testing.assert_array_equal(
        polygon_mask([*once, *once[:3]], (30, 30)), polygon_mask(once, (30, 30))
    )
