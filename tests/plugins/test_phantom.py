"""The dataset `phantom`: repeatable images, sound labels that are really visible, and the physics
of the picture."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import Ridge

from usmt import DataError, Record, TaskSpec, TaskType, load_catalogue, load_plugins
from usmt_phantom.dataset import Phantom, PhantomOptions
from usmt_phantom.field import Field, Linear, Sector
from usmt_phantom.render import Machine, render
from usmt_phantom.scene import AIR, BONE, FLUID, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse, Every, Shape, Side

Grey = NDArray[np.floating[Any]]

PLUGINS = load_plugins()


def of_the_challenge(*folders: Path) -> dict[str, TaskSpec]:
    """Without the tasks of the public datasets, which are like them."""
    tasks = load_catalogue(PLUGINS, folders).tasks
    return {name: task for name, task in tasks.items() if task.dataset == "fmc_uia"}


BUILT_IN = of_the_challenge()
REALUS = of_the_challenge(Path(__file__).parents[1] / "realus_specs")


def made_up(kind: str, organ: str, count: int) -> TaskSpec:
    """A task that no anatomy is known for."""
    names = [f"name_{k}" for k in range(count)]
    fields = {
        "segmentation": {"classes": names},
        "classification": {"classes": names},
        "regression": {"points": names},
        "detection": {"target": "thing"},
    }[kind]
    return PLUGINS.task_types[kind].Spec.model_validate(
        {
            "id": f"{organ}_{kind}_{count}",
            "title": "made up",
            "type": kind,
            "organ": organ,
            "dataset": "any",
            "flip": "none",
            **fields,
        }
    )


UNKNOWN = [
    *(made_up("segmentation", "bladder", count) for count in range(2, 6)),
    *(made_up("classification", "spleen", count) for count in range(2, 11)),
    *(made_up("regression", "spine_of_a_cat", count) for count in range(1, 11)),
    made_up("detection", "eye", 1),
]
ALL = [*BUILT_IN.values(), *(t for t in REALUS.values() if t.id not in BUILT_IN), *UNKNOWN]


def of_type(*kinds: str) -> list[TaskSpec]:
    return [task for task in ALL if task.type in kinds]


def each(tasks: list[TaskSpec]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("task", tasks, ids=[task.id for task in tasks])


def phantom(**options: Any) -> Phantom:
    return Phantom(PhantomOptions(**{"images": 20, **options}))


def type_of(task: TaskSpec) -> TaskType:
    cls = PLUGINS.task_types[task.type]
    return cls(cls.Options())


@cache
def examples(task_id: str, images: int, size: int) -> tuple[list[np.ndarray], list[Any]]:
    """Images and labels of a task."""
    task = next(task for task in ALL if task.id == task_id)
    dataset = phantom(images=images, size=size)
    records = dataset.records(task)
    return (
        [dataset.read_image(record) for record in records],
        [dataset.read_label(record, task) for record in records],
    )


def seen(record: Record) -> np.ndarray:
    """The field of view (H, W)."""
    shot = record.payload
    return shot.scene().field.inside(shot.height, shot.width)


# Repeatable


def test_the_tasks_of_the_paper_are_there():
    assert len(BUILT_IN) == 27


@each(list(BUILT_IN.values()))
def test_other_order_other_batch_and_a_pickle_give_the_same(task: TaskSpec):
    few, many = phantom(images=10), phantom(images=50)
    first, others = few.records(task), many.records(task)
    assert [record.key for record in first] == [record.key for record in others[:10]]
    for k in (9, 0, 4):
        again = pickle.loads(pickle.dumps(others[k]))
        assert np.array_equal(few.read_image(first[k]), many.read_image(again))
        assert np.array_equal(few.read_label(first[k], task), many.read_label(again, task))


DIGESTS = """
import hashlib
from usmt import load_catalogue, load_plugins
from usmt_phantom import Phantom
for name, task in sorted(load_catalogue(load_plugins()).tasks.items()):
    dataset = Phantom(Phantom.Options(images=10))
    print(name, hashlib.sha256(dataset.read_image(dataset.records(task)[7])).hexdigest())
"""


def test_another_process_gives_the_same():
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = dict(line.split() for line in done.stdout.splitlines())
    dataset = phantom()
    for name, task in BUILT_IN.items():
        image = dataset.read_image(dataset.records(task)[7])
        assert theirs[name] == hashlib.sha256(image.tobytes()).hexdigest()


def test_index_seed_and_task_each_change_the_image():
    task, other = BUILT_IN["thyroid_nodule"], BUILT_IN["thyroid_nodule_det"]
    first, second = phantom(), phantom(seed=1)
    images = [
        first.read_image(first.records(task)[0]),
        first.read_image(first.records(task)[1]),
        second.read_image(second.records(task)[0]),
        first.read_image(first.records(other)[0]),
    ]
    assert len({image.tobytes() for image in images}) == 4


# Sound


@each(ALL)
def test_labels_are_accepted_and_images_have_contrast(task: TaskSpec):
    images, labels = examples(task.id, 20, 128)
    for record, image, label in zip(phantom().records(task), images, labels, strict=True):
        assert type_of(task).problems(task, label, image.shape) == []
        assert image.dtype == np.uint8
        height, width = image.shape
        assert width == 128
        assert 96 <= height <= 128
        inside = image[seen(record)]
        assert 22 < inside.std() < 75
        assert 18 < inside.mean() < 140
        assert np.mean(inside == 255) < 0.02, "much is saturated"
        assert np.mean(inside < 5) < 0.7, "most is black"


@each(ALL)
def test_outside_of_the_field_of_view_is_black(task: TaskSpec):
    records = phantom().records(task)[:4]
    for record in records:
        image, inside = phantom().read_image(record), seen(record)
        assert not image[~inside].any()


@each(of_type("segmentation"))
def test_every_class_has_some_area(task: TaskSpec):
    _, masks = examples(task.id, 20, 128)
    shares = np.array(
        [[np.mean(mask == k) for k in range(len(task.classes))] for mask in masks]  # type: ignore[attr-defined]
    )
    assert shares.min() > 0.002
    for record, mask in zip(phantom().records(task), masks, strict=True):
        assert not mask[~seen(record)].any()
    assert shares[:, 1:].sum(axis=1).max() < 0.6
    assert len({mask.tobytes() for mask in masks}) == 20


@each(of_type("regression", "detection"))
def test_points_and_boxes_lie_where_the_probe_sees(task: TaskSpec):
    _, labels = examples(task.id, 20, 128)
    for record, label in zip(phantom().records(task), labels, strict=True):
        inside = seen(record)
        height, width = inside.shape
        if task.type == "regression":
            columns, rows = np.round(label).astype(int).T
            assert inside[rows, columns].all()
        else:
            left, top, right, bottom = label
            assert left > 0
            assert right < width
            assert top > 0
            assert bottom < height
            assert min(right - left, bottom - top) > 0.08 * width
            assert inside[int(top + bottom) // 2, int(left + right) // 2]


@each(of_type("classification"))
def test_classes_are_balanced_and_stratify(task: TaskSpec):
    number = len(task.classes)  # type: ignore[attr-defined]
    dataset = phantom(images=5 * number)
    records = dataset.records(task)
    labels = [dataset.read_label(record, task) for record in records]
    assert Counter(labels) == dict.fromkeys(range(number), 5)
    assert [record.stratum for record in records] == [str(label) for label in labels]
    assert len({record.source_id for record in records}) == len(records)


# Visible


def edge(image: np.ndarray, region: np.ndarray, inside: np.ndarray) -> float:
    """Grey within a region along its edge, less that just outside of it."""
    band = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    filled = region.astype(np.uint8)
    inner = region & (cv2.erode(filled, band) == 0) & inside
    outer = (cv2.dilate(filled, band) > 0) & ~region & inside
    return float(image[inner].mean() - image[outer].mean())


def regions(task: TaskSpec, label: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """A mask's classes; for a box, the ellipse in it."""
    if task.type == "segmentation":
        return [label == k for k in range(1, len(task.classes))]  # type: ignore[attr-defined]
    left, top, right, bottom = label
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    across = (2 * x - left - right) / (right - left)
    down = (2 * y - top - bottom) / (bottom - top)
    return [across**2 + down**2 < 1]


@each(of_type("segmentation", "detection"))
def test_edges_of_the_label_are_edges_of_the_image(task: TaskSpec):
    images, labels = examples(task.id, 20, 128)
    records = phantom().records(task)
    own, foreign = [], []
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        inside = seen(records[k])
        own.append([edge(image, one, inside) for one in regions(task, label, image.shape)])
        # The same label on another image tells what chance gives.
        other, elsewhere = images[k - 1], seen(records[k - 1])
        h = min(len(image), len(other))
        cut = [one[:h] for one in regions(task, label, image.shape)]
        foreign.append([edge(other[:h], one, elsewhere[:h]) for one in cut])
    step = np.abs(np.median(own, axis=0))
    chance = np.median(np.abs(foreign), axis=0)
    assert (step > 10).all(), step
    assert (step > 1.5 * chance).all(), (step, chance)


def small(images: list[np.ndarray], side: int) -> np.ndarray:
    """Images at side x side, as rows."""
    shrunk = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(shrunk).reshape(len(images), -1) / 255


@each(of_type("classification"))
def test_a_simple_classifier_tells_the_classes_apart(task: TaskSpec):
    number = len(task.classes)  # type: ignore[attr-defined]
    half = 30 * number
    images, labels = examples(task.id, 2 * half, 64)
    rows = small(images, 16)
    trees = ExtraTreesClassifier(100, random_state=0).fit(rows[:half], labels[:half])
    right = trees.score(rows[half:], labels[half:])
    beyond_chance = (right - 1 / number) / (1 - 1 / number)
    assert beyond_chance > (0.45 if task in UNKNOWN else 0.5)


@each([task for task in of_type("regression") if task not in UNKNOWN])
def test_a_simple_regressor_finds_the_points(task: TaskSpec):
    half = 150
    images, labels = examples(task.id, 2 * half, 64)
    rows, points = small(images, 24), np.array(labels).reshape(2 * half, -1)
    ridge = Ridge(3.0).fit(rows[:half], points[:half])
    error = np.abs(ridge.predict(rows[half:]) - points[half:]).mean()
    without_looking = np.abs(points[:half].mean(axis=0) - points[half:]).mean()
    assert error < 0.85 * without_looking


@each(of_type("regression"))
def test_something_is_seen_at_the_points(task: TaskSpec):
    images, labels = examples(task.id, 20, 128)
    at_points, anywhere = [], []
    for record, image, points in zip(phantom().records(task), images, labels, strict=True):
        # Where grey bends: at bright and dark spots and beside edges, at the size of a landmark.
        smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2)
        bend = cv2.dilate(np.abs(cv2.Laplacian(smooth, cv2.CV_32F, ksize=3)), np.ones((5, 5)))
        columns, rows = np.round(points).astype(int).T
        at_points.append(bend[rows, columns])
        anywhere.append(np.median(bend[seen(record)]))
    for bends in np.transpose(at_points):  # one point of the task each
        assert np.median(bends) > 1.3 * np.median(anywhere)


# The physics of the picture, on scenes made by hand

STILL = Machine(gain=0, depth_loss=0, dynamic_range=80, noise=-80)
"""Loses nothing with depth, and leaves neither black nor white."""
PLAIN = Tissue(mottle=0)


def slab(left: float, right: float, top: float, bottom: float) -> Shape:
    x, y, a, b = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
    sides = (
        ((x - a, y), (0, 1)),
        ((x + a, y), (0, -1)),
        ((x, y - b), (-1, 0)),
        ((x, y + b), (1, 0)),
    )
    return Every(tuple(Side((px, py), (px + dx, py + dy)) for (px, py), (dx, dy) in sides))


def picture(*structures: Structure, machine: Machine = STILL, field: Field | None = None) -> Grey:
    """Grey levels (128, 128) of structures in tissue that is the same everywhere."""
    everywhere = Structure(slab(-1, 2, -1, 2), PLAIN)
    scene = Scene(field or Linear(1.0), (everywhere, *structures))
    return render(scene, 128, 128, machine, np.random.default_rng(5)).astype(float)


BEHIND, BESIDE = np.s_[70:120, 20:44], np.s_[70:120, 84:108]
"""What lies deeper than the slab below, and the same depth on the other side."""
SLAB = slab(0.1, 0.4, 0.3, 0.45)


def test_the_slab_lies_where_the_tests_think():
    bright = picture(Structure(SLAB, Tissue(echo=20, mottle=0)))
    assert bright[42:54, 18:46].mean() > bright[42:54, 84:108].mean() + 50


@pytest.mark.parametrize("tissue", [BONE, AIR])
def test_bone_and_air_are_bright_and_cast_a_shadow(tissue: Tissue):
    image = picture(Structure(SLAB, tissue, wall=16))
    assert image[37:41, 20:44].mean() > image[37:41, 84:108].mean() + 20
    assert image[BEHIND].mean() < 0.6 * image[BESIDE].mean()


def test_fluid_is_dark_and_tissue_behind_it_bright():
    image = picture(Structure(SLAB, FLUID))
    assert image[42:54, 20:44].mean() < 0.4 * image[42:54, 84:108].mean()
    assert image[BEHIND].mean() > image[BESIDE].mean() + 8


def test_decibels_become_grey_in_a_straight_line():
    """Log compression: the dynamic range spans 255 grey levels."""
    plain = picture()
    for more in (-12, 6, 12):
        other = picture(Structure(slab(-1, 2, -1, 2), Tissue(echo=more, mottle=0)))
        step = other[64:].mean() - plain[64:].mean()
        assert step == pytest.approx(more * 255 / 80, rel=0.03)


def test_the_deep_is_darker_by_what_the_depth_loses():
    near, far = np.s_[40:50], np.s_[110:120]
    flat, sloped = picture(), picture(machine=replace(STILL, depth_loss=20))
    lost = (flat[far] - sloped[far]).mean() - (flat[near] - sloped[near]).mean()
    assert lost == pytest.approx(20 * 70 / 128 * 255 / 80, rel=0.05)


def test_speckle_is_fully_developed():
    """The envelope of many scatterers in a cell is Rayleigh: mean / deviation is 1.91."""
    envelope = 10 ** (picture()[64:] / 255 * 80 / 20)
    assert envelope.mean() / envelope.std() == pytest.approx(1.91, rel=0.06)


def test_speckle_is_wider_than_deep_and_grows_with_the_point_spread():
    def likeness(image: Grey, down: int, right: int) -> float:
        moved = image[64 + down :, right:]
        return float(
            np.corrcoef(image[64 : 128 - down, : 128 - right].ravel(), moved.ravel())[0, 1]
        )

    image, wide = picture(), picture(machine=replace(STILL, lateral=0.016))
    assert likeness(image, 0, 1) > likeness(image, 1, 0) + 0.1
    assert likeness(wide, 0, 2) > likeness(image, 0, 2) + 0.1


def test_a_wall_is_brightest_where_it_faces_the_beam():
    ring = Structure(Ellipse(0.5, 0.5, 0.2, 0.2), None, wall=30, diffuse=0.1)
    image = picture(ring)
    top, side = image[37:40, 60:68].mean(), image[60:68, 37:40].mean()
    assert top > side + 20


def test_a_sector_is_black_beside_its_beams_and_fades_along_them():
    field = Sector(1.0, near=0.2, spread=0.5)
    inside = field.inside(128, 128)
    rock = Structure(Ellipse(0.5, 0.4, 0.06, 0.06), BONE)
    image = picture(rock, field=field)
    assert not image[~inside].any()
    assert image[inside].min() >= 0
    assert not inside[10, 10]
    assert not inside[120, 3]
    assert image[80:110, 58:70].mean() < 0.6 * image[80:110, 84:92].mean()


@pytest.mark.parametrize("field", [Linear(0.9), Sector(0.9, 0.3, 0.6), Sector(0.8, 0.05, 1.0)])
def test_beam_and_scene_coordinates_are_inverse(field: Field):
    for lateral, depth in ((0.5, 0.1), (0.3, 0.4), (0.65, 0.6)):
        x, y = field.from_beam(lateral, depth)
        back = field.to_beam(np.float32(x), np.float32(y))
        assert np.allclose(back, (lateral, depth), atol=1e-5)


# What cannot be drawn, and what is not needed to look around


def test_a_task_of_another_type_is_refused():
    task = TaskSpec(id="flow", title="x", type="doppler", organ="heart", dataset="x", flip="none")
    with pytest.raises(DataError, match=r"'flow': its type is 'doppler'"):
        phantom().records(task)


@pytest.mark.parametrize(
    ("kind", "count"), [("segmentation", 38), ("classification", 61), ("regression", 65)]
)
def test_too_many_classes_or_points_are_refused_with_the_limit(kind: str, count: int):
    with pytest.raises(DataError, match=f"it has {count} .* to {count - 1} can be drawn"):
        phantom().records(made_up(kind, "spleen", count))
    most = made_up(kind, "spleen", count - 1)
    label = phantom().read_label(phantom().records(most)[0], most)
    if kind == "segmentation":
        assert len(np.unique(label)) == count - 1
    elif kind == "regression":
        assert len(label) == count - 1


def test_finding_the_plugin_imports_no_torch_and_no_opencv():
    code = (
        "import sys; from usmt import load_plugins; "
        "assert 'phantom' in load_plugins().datasets; "
        "print({'torch', 'cv2', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
