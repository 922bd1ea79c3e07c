"""Measurements: their formulas, ellipses of known size, real heads, and how specs declare them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from contract import make_spec
from hypothesis import given, settings
from hypothesis import strategies as st

from usmt import Measurement, TaskSpec, TaskTypeOptions, load_catalogue, load_plugins
from usmt.errors import SpecError
from usmt.train.config import RunSettings
from usmt.train.finished import read_specs
from usmt.train.load_settings import preset_values
from usmt.train.run_folder import RunFolder
from usmt_detection import Detection, DetectionTaskType
from usmt_regression import Landmarks, RegressionTaskType
from usmt_segmentation import Segmentation, SegmentationOptions, SegmentationTaskType

POINTS = RegressionTaskType(RegressionTaskType.Options())
MASKS = SegmentationTaskType(SegmentationOptions())
BOXES = DetectionTaskType(TaskTypeOptions())
SETTINGS = RunSettings(group="all", **preset_values("small"))
PIXEL_SIZES = st.sampled_from([(1.0, 1.0), (0.2, 0.2), (0.5, 0.9), (1.2, 0.7)])
COORDINATES = st.floats(-200, 200)


def of_points(kind: str, points: Any, pixel_size: tuple[float, float] = (1, 1)) -> Measurement:
    names = [f"point_{number}" for number in range(len(points))]
    declared = {"one": {"kind": kind, "points": names}}
    spec = make_spec(RegressionTaskType, points=["other", *names], measurements=declared)
    result = Landmarks(np.array([(-7, -7), *points], np.float64), (100, 100))
    return POINTS.measure(spec, result, pixel_size)["one"]


def of_mask(kind: str, held: np.ndarray, pixel_size: tuple[float, float] = (1, 1)) -> Measurement:
    classes, declared = ["background", "other", "head"], {"one": {"kind": kind, "class": "head"}}
    spec = make_spec(SegmentationTaskType, classes=classes, measurements=declared)
    return MASKS.measure(spec, Segmentation(2 * held.astype(np.uint8)), pixel_size)["one"]


def circumference(a: float, b: float) -> float:
    """Of an ellipse with these half axes, by summing over a fine polygon."""
    t = np.linspace(0, 2 * np.pi, 200_001)
    return float(np.hypot(np.diff(a * np.cos(t)), np.diff(b * np.sin(t))).sum())


# -- landmarks


def test_by_hand():
    assert of_points("distance", [(1, 2), (4, 6)]) == Measurement(5, "length")
    assert of_points("distance", [(1, 2), (4, 6)], (2, 0.5)).value == pytest.approx(
        math.hypot(6, 2)
    )
    right = of_points("angle", [(5, 0), (0, 0), (0, 3)])
    assert right == Measurement(pytest.approx(90), "angle")
    assert of_points("angle", [(-5, 0), (0, 0), (1, 1)]).value == pytest.approx(135)
    assert of_points("angle", [(-5, 0), (0, 0), (1, 1)], (1, math.sqrt(3))).value == pytest.approx(
        120
    )
    assert of_points("angle", [(1, 1), (0, 0), (-2, -2)]).value == pytest.approx(180)
    assert of_points("angle", [(1, 1), (0, 0), (2, 2)]).value == pytest.approx(0)
    square = [(0, 0), (10, 0), (10, 10), (0, 10)]
    assert of_points("area", square) == Measurement(100, "area")
    assert of_points("area", square[::-1], (0.5, 0.1)).value == pytest.approx(5)
    assert of_points("area", [*square[:3], (9, 9), (0, 9)]).value == pytest.approx(90.5)
    circle = [(0, 5), (10, 5), (5, 0), (5, 10)]
    assert of_points("ellipse_circumference", circle) == Measurement(
        pytest.approx(10 * math.pi), "length"
    )


@given(
    a=st.floats(1, 200),
    ratio=st.floats(0.05, 1),
    degrees=st.floats(0, 360),
    centre=st.tuples(COORDINATES, COORDINATES),
    pixel_size=PIXEL_SIZES,
    physical=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_circumference_of_an_ellipse_from_the_ends_of_its_axes(
    a, ratio, degrees, centre, pixel_size, physical
):
    """Of axes that are at right angles where it is measured, and of ones that are so in the image,
    and are stretched with it."""
    t = np.deg2rad(degrees)
    turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    ends = np.array([(-a, 0), (a, 0), (0, -a * ratio), (0, a * ratio)]) @ turn.T + centre
    round_about = np.linspace(0, 2 * np.pi, 100_001)
    drawn = np.stack([a * np.cos(round_about), a * ratio * np.sin(round_about)], axis=1) @ turn.T
    points = ends / pixel_size if physical else ends
    sides = np.diff(drawn if physical else drawn * pixel_size, axis=0)
    expected = np.linalg.norm(sides, axis=1).sum()
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        found = of_points("ellipse_circumference", points[order], pixel_size)
        assert found.value == pytest.approx(expected, rel=1e-6)


@given(
    points=st.lists(st.tuples(COORDINATES, COORDINATES), min_size=4, max_size=4),
    degrees=st.floats(0, 360),
    by=st.floats(0.1, 10),
)
@settings(max_examples=100, deadline=None)
def test_turned_or_enlarged_points_measure_the_same_or_enlarged(points, degrees, by):
    t = np.deg2rad(degrees)
    turned = np.array(points) @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    for kind, count, scale in (
        ("distance", 2, by),
        ("ellipse_circumference", 4, by),
        ("area", 4, by**2),
        ("angle", 3, 1),
    ):
        plain = of_points(kind, points[:count])
        if (
            kind == "angle"
            and not min(math.dist(points[0], points[1]), math.dist(points[2], points[1])) > 1e-3
        ):
            continue
        assert of_points(kind, turned[:count] + 3).value == pytest.approx(plain.value, abs=1e-4)
        larger = of_points(kind, points[:count], (by, by))
        assert larger.value == pytest.approx(scale * plain.value, rel=1e-6, abs=1e-4)


def test_points_that_give_nothing():
    assert math.isnan(of_points("angle", [(1, 1), (1, 1), (2, 2)]).value)
    assert of_points("ellipse_circumference", [(1, 1)] * 4).value == 0
    assert of_points("ellipse_circumference", [(0, 0), (5, 0), (3, 0), (3, 0)]).value == 10
    for kind, count in (("distance", 2), ("angle", 3), ("ellipse_circumference", 4), ("area", 5)):
        broken = [(math.nan, 0), *[(number, 1) for number in range(count - 1)]]
        assert math.isnan(of_points(kind, broken).value)


# -- masks


def ellipse(
    a: float,
    b: float,
    degrees: float,
    offset: tuple[float, float] = (0, 0),
    pixel_size: tuple[float, float] = (1, 1),
) -> np.ndarray:
    """The pixels whose centres lie in an ellipse with these half axes, bool (H, W)."""
    width, height = (int(2 * a / side) + 6 for side in pixel_size)
    y, x = np.mgrid[:height, :width]
    x = (x - width / 2 + offset[0]) * pixel_size[0]
    y = (y - height / 2 + offset[1]) * pixel_size[1]
    t = np.deg2rad(degrees)
    along, across = x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)
    return (along / a) ** 2 + (across / b) ** 2 <= 1


@given(
    short=st.floats(20, 120),
    ratio=st.floats(1, 2),
    degrees=st.floats(0, 180),
    offset=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    pixel_size=PIXEL_SIZES,
)
@settings(max_examples=150, deadline=None)
def test_an_ellipse_is_measured_within_half_a_percent(short, ratio, degrees, offset, pixel_size):
    """From 40 pixels across on; without bias, whatever its angle."""
    b = short * max(pixel_size)
    a = b * ratio
    held = ellipse(a, b, degrees, offset, pixel_size)
    around = of_mask("ellipse_circumference", held, pixel_size)
    assert around == Measurement(pytest.approx(circumference(a, b), rel=0.005), "length")
    long, short = (
        of_mask(f"ellipse_{which}_axis", held, pixel_size) for which in ("long", "short")
    )
    assert long == Measurement(pytest.approx(2 * a, rel=0.01), "length")
    assert short == Measurement(pytest.approx(2 * b, rel=0.01), "length")
    area = of_mask("area", held, pixel_size)
    assert area == Measurement(pytest.approx(held.sum() * pixel_size[0] * pixel_size[1]), "area")
    assert area.value == pytest.approx(math.pi * a * b, rel=0.01)


def test_small_ellipses_are_measured_without_bias():
    """The outermost pixels' own centres would give a tenth too little at ten pixels across."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(300):
        a, b = np.sort(rng.uniform(4, 8, 2))[::-1]
        held = ellipse(a, b, rng.uniform(0, 180), tuple(rng.uniform(-0.5, 0.5, 2)))
        errors.append(of_mask("ellipse_circumference", held).value / circumference(a, b) - 1)
    assert abs(np.mean(errors)) < 0.005 and np.abs(errors).max() < 0.06


def test_the_largest_part_is_fitted_and_its_holes_do_not_count():
    held = ellipse(60, 40, 30)
    whole = of_mask("ellipse_circumference", held).value
    area = of_mask("area", held).value
    pierced = held.copy()
    pierced[55:65, 60:70] = False
    pierced[:3, :3] = pierced[-4:, -5:] = True
    assert of_mask("ellipse_circumference", pierced).value == whole
    assert of_mask("area", pierced).value == area - 100 + 9 + 20


@pytest.mark.parametrize("cut", [np.s_[:, 30:], np.s_[:90], np.s_[20:, 20:]])
def test_an_ellipse_goes_on_beyond_the_images_edge(cut):
    held = ellipse(60, 40, 30)
    part = held[cut]
    assert part.sum() < 0.97 * held.sum()
    found = of_mask("ellipse_circumference", part).value
    assert found == pytest.approx(circumference(60, 40), rel=0.01)


def some_masks() -> dict[str, np.ndarray]:
    masks = {name: np.zeros((20, 30), bool) for name in ("nothing", "a pixel", "half", "a row")}
    masks["a pixel"][5, 5] = masks["half"][:, 15:] = masks["a row"][0] = True
    return {**masks, "all": np.ones((20, 30), bool), "a corner": np.tri(20, 30, dtype=bool)}


@pytest.mark.parametrize("name", some_masks())
def test_no_ellipse_for_what_has_none(name):
    held = some_masks()[name]
    for kind in ("ellipse_circumference", "ellipse_long_axis", "ellipse_short_axis"):
        assert math.isnan(of_mask(kind, held).value)
    assert of_mask("area", held).value == pytest.approx(held.sum() or math.nan, nan_ok=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_images_can_be_measured(size):
    for held in (np.zeros(size, bool), np.ones(size, bool), np.eye(*size, dtype=bool)):
        found = of_mask("ellipse_circumference", held).value
        assert math.isnan(found) or 0 < found < 30


# -- boxes


def test_sides_of_a_box():
    declared = {"across": {"kind": "width"}, "deep": {"kind": "height"}}
    spec = make_spec(DetectionTaskType, target="nodule", measurements=declared)
    result = Detection(np.array([10, 20, 40, 30.5]), 0.5)
    assert BOXES.measure(spec, result, (0.5, 2)) == {
        "across": Measurement(15, "length"),
        "deep": Measurement(21, "length"),
    }
    empty = BOXES.measure(spec, Detection(np.array([0.0, 20, 0, 30]), 0.5), (1, 1))
    assert all(math.isnan(each.value) for each in empty.values())


# -- real heads


@pytest.fixture(scope="module")
def heads(realus: Path, realus_specs: Path) -> dict[str, list[tuple[Any, float, tuple[int, int]]]]:
    """By task: label, circumference measured from it, and size of each image."""
    plugins = load_plugins()
    catalogue = load_catalogue(plugins, [realus_specs])
    dataset = plugins.dataset("fmc_uia")
    data = dataset(dataset.Options(root=realus))
    found: dict[str, list[Any]] = {}
    for task in ("fetal_head", "fetal_head_axes_reg"):
        spec = catalogue.task(task)
        for record in data.records(spec):
            label, size = data.read_label(record, spec), data.read_image(record).shape[:2]
            if task == "fetal_head":
                measured = MASKS.measure(spec, Segmentation(label), (1, 1))
            else:
                measured = POINTS.measure(spec, Landmarks(label, size), (1, 1))
            around = measured["head_circumference"].value
            found.setdefault(task, []).append((label, around, size))
    return found


def test_real_heads_have_the_same_circumference_from_landmarks_and_from_their_mask(heads):
    """The mask of the ellipse that the landmarks mean, at the image's own size: within 0.1 %."""
    for points, around, (height, width) in heads["fetal_head_axes_reg"]:
        centre, half = points.mean(axis=0), (points[1::2] - points[::2]) / 2
        y, x = np.mgrid[:height, :width]
        shares = (np.stack([x, y], axis=-1) - centre) @ np.linalg.inv(half)
        found = of_mask("ellipse_circumference", (shares**2).sum(axis=-1) <= 1)
        assert found.value == pytest.approx(around, rel=0.001)


def test_the_fitted_ellipse_of_real_masks_has_their_area_and_spread(heads):
    """Half axes from the second moments of the pixels, which no outline is needed for."""
    for mask, around, _ in heads["fetal_head"]:
        y, x = np.nonzero(mask)
        half = 2 * np.sqrt(np.linalg.eigvalsh(np.cov(np.stack([x, y]), bias=True)))
        assert around == pytest.approx(circumference(*half), rel=0.001)


def test_real_heads_are_of_one_size_by_mask_and_by_landmarks(heads):
    """Other women's heads of the same study, in images of the same width."""
    masks, landmarks = ([around for _, around, _ in heads[task]] for task in heads)
    assert min(len(masks), len(landmarks)) > 80
    assert np.median(masks) == pytest.approx(np.median(landmarks), rel=0.05)


# -- declared in specs

REGRESSION = """\
id: head_axes
title: Axes of the head
type: regression
organ: head
dataset: ward
flip: none
points: [left, right, upper, lower]
measurements:
  around: {kind: ellipse_circumference, points: [left, right, upper, lower]}
"""
SEGMENTATION = """\
id: head_axes
title: Head
type: segmentation
organ: head
dataset: ward
flip: none
classes: [background, head]
measurements:
  around: {kind: ellipse_circumference, class: head}
"""
DETECTION = """\
id: head_axes
title: Head
type: detection
organ: head
dataset: ward
flip: none
target: head
measurements:
  across: {kind: width}
"""


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        (
            REGRESSION,
            "upper, lower]}",
            "uper, lower]}",
            "9:63: measurements.around.points[2]: there is no point 'uper' (did you mean 'upper'?)",
        ),
        (
            REGRESSION,
            "right, upper, lower]}",
            "right, upper]}",
            "9:49: measurements.around.points: found 3 points, expected 4 for kind "
            "ellipse_circumference",
        ),
        (
            REGRESSION,
            "upper, lower]}",
            "upper, upper]}",
            "9:49: measurements.around.points: two of the points are the same",
        ),
        (
            REGRESSION,
            "{kind: ellipse_circumference, points: [left, right, upper, lower]}",
            "{kind: area, points: [left, right]}",
            "9:32: measurements.around.points: found 2 points, expected 3 or more for kind area",
        ),
        (
            REGRESSION,
            "ellipse_circumference",
            "ellipse_circumferenc",
            "9:18: measurements.around.kind: found 'ellipse_circumferenc', expected 'distance', "
            "'angle', 'ellipse_circumference' or 'area' (did you mean 'ellipse_circumference'?)",
        ),
        (
            REGRESSION,
            "kind: ellipse_circumference, ",
            "",
            "9:3: measurements.around.kind: missing, expected 'distance' or 'angle' or "
            "'ellipse_circumference' or 'area'",
        ),
        (
            REGRESSION,
            "lower]}",
            "lower], class: head}",
            "9:78: measurements.around.class: unknown key, allowed: kind, points",
        ),
        (
            REGRESSION,
            "  around:",
            "  a round:",
            "9:3: measurements.a round: found 'a round', expected letters, digits and _, a letter "
            "first",
        ),
        (
            REGRESSION,
            "measurements:\n",
            "measurements:\n  around: {kind: distance, points: [left, right]}\n",
            "10:3: measurements.around: the key is there already, on line 9",
        ),
        (
            SEGMENTATION,
            "class: head",
            "class: haed",
            "9:48: measurements.around.class: there is no class 'haed' (did you mean 'head'?)",
        ),
        (
            SEGMENTATION,
            "ellipse_circumference, class: head",
            "distance, class: head",
            "9:18: measurements.around.kind: found 'distance', expected 'area', "
            "'ellipse_circumference', 'ellipse_long_axis' or 'ellipse_short_axis'",
        ),
        (
            SEGMENTATION,
            ", class: head",
            "",
            "9:3: measurements.around.class: missing, expected text",
        ),
        (
            DETECTION,
            "width",
            "widht",
            "9:18: measurements.across.kind: found 'widht', expected 'width' or 'height' "
            "(did you mean 'width'?)",
        ),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, text: str, old: str, new: str, expected: str):
    assert text.count(old) == 1
    found = told(tmp_path, text.replace(old, new))
    assert found.splitlines()[0] == f"tasks/head_axes.yaml:{expected}"


def test_all_unknown_names_are_told(tmp_path: Path):
    both = REGRESSION + "  wide: {kind: distance, points: [lift, right]}\n"
    found = told(tmp_path, both.replace("[left, right, upper, lower]}", "[left, rihgt, upper, x]}"))
    heads = [line for line in found.splitlines() if line.startswith("tasks/")]
    assert [head.split(": ")[1] for head in heads] == [
        "measurements.around.points[1]",
        "measurements.around.points[3]",
        "measurements.wide.points[0]",
    ]


def test_a_mistake_in_the_points_themselves_is_told_alone(tmp_path: Path):
    found = told(tmp_path, REGRESSION.replace("points: [left, right, upper, lower]\n", ""))
    assert found.count("head_axes.yaml") == 1 and "points: missing" in found


def told(folder: Path, text: str) -> str:
    (folder / "tasks").mkdir()
    (folder / "tasks" / "head_axes.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_catalogue(load_plugins(), [folder])
    return str(caught.value).replace(f"{folder}/", "")


# -- the specs that are there


@pytest.fixture(scope="module")
def declared(realus_specs: Path) -> list[TaskSpec]:
    return list(load_catalogue(load_plugins(), [realus_specs]).tasks.values())


def test_a_runs_own_specs_keep_them(declared: list[TaskSpec], tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    folder.begin(SETTINGS, declared, {}, [])
    assert read_specs(folder, load_plugins()) == declared
    assert sum(len(spec.model_dump().get("measurements", {})) for spec in declared) > 20


def test_specs_of_runs_that_began_without_them_are_read(declared: list[TaskSpec], tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    bare = [spec.model_copy(update={"measurements": {}}) for spec in declared]
    folder.begin(SETTINGS, bare, {}, [])
    for path in (folder.specs / "tasks").iterdir():
        path.write_text(path.read_text().replace("measurements: {}\n", ""))
    assert all(not getattr(spec, "measurements", {}) for spec in read_specs(folder, load_plugins()))


def test_tasks_show(usmt: Usmt):
    text = usmt("tasks", "show", "IUGC").out
    [line] = [line for line in text.splitlines() if line.startswith("measurements")]
    assert line.split(maxsplit=1) == [
        "measurements.angle_of_progression",
        "kind angle, points symphysis_end_1, symphysis_end_2, head_tangent",
    ]
    data = usmt("tasks", "show", "fetal_head", "--json").data
    assert data["measurements"]["head_area"] == {"kind": "area", "class": "head"}
    assert usmt("tasks", "show", "lung", "--json").data["measurements"] == {}
    assert "measurements  -" in usmt("tasks", "show", "lung").out


PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "measurements.md"


def test_the_page_lists_those_of_the_built_in_specs():
    table = PAGE.read_text().split("## Those of the built-in tasks")[1]
    cells = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    listed = [tuple(cell.strip("| `") for cell in row[:3]) for row in cells]
    declared = [
        (task, name, each["kind"])
        for task, spec in load_catalogue(load_plugins()).tasks.items()
        for name, each in spec.model_dump().get("measurements", {}).items()
    ]
    assert sorted(listed) == sorted(declared)
