"""Tasks with known relations: their signs, sides and patients are what is said of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt

from usmt import DataError, Record, TaskSpec, load_catalogue, load_plugins
from usmt_phantom.anatomy.plan import Plan
from usmt_phantom.casting import can_draw
from usmt_phantom.dataset import Phantom, PhantomOptions
from usmt_phantom.family import members, write_family
from usmt_phantom.planted import Planted

PLUGINS = load_plugins()
BUILT_IN = load_catalogue(PLUGINS).tasks

MEAN_GREY = {
    "FUGC": 70.57,
    "IUGC": 100.22,
    "breast_2cls": 116.01,
    "breast_3cls": 120.56,
    "breast_lesion": 105.65,
    "cardiac_multi": 51.36,
    "carotid_artery": 95.35,
    "cervix": 79.60,
    "cervix_multi": 100.66,
    "fetal_abdomen_multi": 64.67,
    "fetal_femur": 75.96,
    "fetal_head": 84.75,
    "fetal_head_pos_cls": 101.84,
    "fetal_heart": 71.95,
    "fetal_plane_cls": 60.97,
    "fetal_sacral_pos_cls": 56.84,
    "head_symphysis_multi": 67.72,
    "liver_lesion_2cls": 91.81,
    "lung": 35.28,
    "lung_2cls": 57.61,
    "lung_disease_3cls": 89.68,
    "organ_cls": 62.23,
    "ovary_tumor": 71.93,
    "spinal_cord_injury_loc": 81.07,
    "thyroid_nodule": 82.48,
    "thyroid_nodule_det": 72.56,
    "uterine_fibroid_det": 83.21,
}
"""Of the image with index 7, 64 pixels wide. Options that are added later must not move it."""


@pytest.mark.parametrize("task", MEAN_GREY)
def test_images_of_the_tasks_of_the_paper_are_what_they_were(task: str):
    dataset = Phantom(PhantomOptions(images=10, size=64))
    image = dataset.read_image(dataset.records(BUILT_IN[task])[7])
    assert image.mean() == pytest.approx(MEAN_GREY[task], abs=0.1)


# Patients


@pytest.mark.parametrize("task", ["fetal_head", "lung_disease_3cls"])
def test_images_of_a_patient_show_one_scene_with_other_speckle(task: str):
    spec = BUILT_IN[task]
    single, several = Phantom(PhantomOptions()), Phantom(PhantomOptions(images_per_source=4))
    records = several.records(spec)
    assert Counter(Counter(record.source_id for record in records).values()) == {4: 20}
    for patient in (0, 5):
        its = records[4 * patient : 4 * patient + 4]
        labels = [several.read_label(record, spec) for record in its]
        images = [several.read_image(record) for record in its]
        assert all(np.array_equal(label, labels[0]) for label in labels)
        assert len({image.tobytes() for image in images}) == 4
        assert len({record.stratum for record in its}) == 1
        alone = single.records(spec)[patient]
        assert np.array_equal(images[0], single.read_image(alone))
        assert np.array_equal(labels[0], single.read_label(alone, spec))


def test_patients_of_planted_tasks_keep_to_one_side():
    dataset, spec = planted_task(images_per_source=2, asks="upright", train=20, val=10, test=10)
    sides: dict[str, set[Any]] = {}
    for record in dataset.records(spec):
        sides.setdefault(record.source_id, set()).add(record.split)
    assert len(sides) == 20
    assert all(len(its) == 1 for its in sides.values())
    with pytest.raises(ValueError, match=r"planted\.sign\.val: 11 images are no whole number"):
        planted_task(images_per_source=2, asks="upright", train=20, val=11, test=10)


# Signs


def planted_task(*, images_per_source: int = 1, **how: Any) -> tuple[Phantom, TaskSpec]:
    options = {"size": 64, "images_per_source": images_per_source, "planted": {"sign": how}}
    spec = PLUGINS.task_types["classification"].Spec.model_validate(
        {
            "id": "sign",
            "title": "A sign",
            "type": "classification",
            "organ": "planted",
            "dataset": "phantom",
            "flip": "horizontal",
            "classes": ["absent", "present"],
        }
    )
    return Phantom(PhantomOptions.model_validate(options)), spec


def is_upright(record: Record) -> bool:
    """Of the lesion: it is what was painted last."""
    outline: Any = record.payload.scene().structures[-1].shape
    return bool(outline.b > outline.a)


def is_bright(record: Record) -> bool:
    tissue = record.payload.scene().structures[-1].tissue
    return bool(tissue.echo > 0)


def has_shadow(record: Record) -> bool:
    tissue = record.payload.scene().structures[-1].tissue
    return bool(tissue.loss > 0)


SEEN = {"upright": is_upright, "bright": is_bright, "shadow": has_shadow}


def agreement(dataset: Phantom, spec: TaskSpec, sign: str, side: str) -> float:
    """Share of a side's images in which a sign goes with the label."""
    records = [record for record in dataset.records(spec) if record.split == side]
    return float(np.mean([SEEN[sign](r) == dataset.read_label(r, spec) for r in records]))


@pytest.mark.parametrize("sign", SEEN)
def test_a_label_tells_its_sign_and_no_other(sign: str):
    others = [other for other in SEEN if other != sign]
    dataset, spec = planted_task(asks=sign, varies=others, train=400, val=40, test=400)
    for side in ("train", "val", "test"):
        assert agreement(dataset, spec, sign, side) == 1
    for other in others:
        assert agreement(dataset, spec, other, "train") == pytest.approx(0.5, abs=0.1)


def test_a_sign_that_does_not_vary_is_absent():
    dataset, spec = planted_task(asks="bright", train=40)
    assert not any(is_upright(record) or has_shadow(record) for record in dataset.records(spec))


@pytest.mark.parametrize(("strength", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_a_confounder_goes_with_the_label_in_training_alone(strength: float, share: float):
    dataset, spec = planted_task(
        asks="bright", confounder="upright", strength=strength, errors=0.2, train=600, test=600
    )
    assert agreement(dataset, spec, "upright", "train") == pytest.approx(share, abs=0.06)
    assert agreement(dataset, spec, "upright", "test") == pytest.approx(0.5, abs=0.06)
    assert agreement(dataset, spec, "bright", "train") == pytest.approx(0.8, abs=0.06)
    assert agreement(dataset, spec, "bright", "test") == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("sign", SEEN)
def test_signs_are_seen_in_the_image(sign: str):
    """The mean images of the two classes differ by more than those of two halves of one class."""
    dataset, spec = planted_task(asks=sign, train=120)
    records = [record for record in dataset.records(spec) if record.split == "train"]
    lowest = min(record.payload.height for record in records)
    images = np.array([dataset.read_image(record)[:lowest] for record in records], float)
    without, present = images[::2], images[1::2]
    between = np.abs(present.mean(axis=0) - without.mean(axis=0)).max()
    within = np.abs(present[::2].mean(axis=0) - present[1::2].mean(axis=0)).max()
    assert between > 1.5 * within


def test_planted_images_repeat_and_a_seed_changes_them():
    dataset, spec = planted_task(asks="bright", train=10)
    again, _ = planted_task(asks="bright", train=10)
    other = Phantom(dataset.options.model_copy(update={"seed": 1}))
    images = [each.read_image(each.records(spec)[3]) for each in (dataset, again, other)]
    assert np.array_equal(images[0], images[1])
    assert images[0].tobytes() != images[2].tobytes()


def test_a_sign_cannot_be_asked_for_and_come_by_chance():
    with pytest.raises(ValueError, match="'bright' is what the label tells already"):
        Planted(asks="bright", confounder="bright", train=10)
    with pytest.raises(ValueError, match="'bright' is what the label tells already"):
        Planted(asks="bright", varies=["bright"], train=10)


def test_a_planted_task_without_its_options_is_an_error():
    _, spec = planted_task(asks="bright", train=10)
    with pytest.raises(DataError, match=r"data\.phantom\.planted says nothing of it"):
        Phantom(PhantomOptions()).records(spec)
    assert not can_draw(spec)


def test_only_a_classification_of_two_classes_can_be_planted():
    options = PhantomOptions.model_validate({"planted": {"lung": {"asks": "bright", "train": 10}}})
    with pytest.raises(DataError, match=r"data\.phantom\.planted\.lung: the task is no class"):
        Phantom(options).records(BUILT_IN["lung"])


# The family


def test_a_family_shares_and_conflicts_as_it_says():
    family = {task: member.planted for task, member in members(320, 1.0, 120).items()}
    few, many = family["planted_few"], family["planted_many"]
    assert few.train * 8 == many.train
    assert few.model_copy(update={"train": many.train}) == many
    height = Plan(0.9)
    scenes = [
        each.casting(task_of("planted_few"), "train").draws[1][0](height, np.random.default_rng(3))
        for each in (few, many)
    ]
    assert scenes[0] == scenes[1]
    misled, misleading = family["planted_misled"], family["planted_misleading"]
    assert misled.confounder == misleading.asks
    assert misled.asks in misleading.varies
    apart = family["planted_apart"]
    assert all(apart.probe != other.probe for other in family.values() if other is not apart)


def task_of(name: str) -> TaskSpec:
    _, spec = planted_task(asks="bright", train=10)
    return spec.model_copy(update={"id": name})


def test_the_written_family_is_planned_and_leaves_the_known_tasks_alone(usmt: Usmt, tmp_path: Path):
    out = tmp_path / "family"
    made = usmt("phantom", "family", "--out", out, "--images", "80", "--strength", "0.5")
    assert made.code == 0
    assert made.out == f"{out / 'study.yaml'}\n"
    plan = usmt("study", "plan", out / "study.yaml", "--no-measure", "--json")
    assert plan.code == 0, plan.err
    known, both = load_catalogue(PLUGINS).tasks, load_catalogue(PLUGINS, [out]).tasks
    assert len(both) == len(known) + 5
    assert all(both[name] == spec for name, spec in known.items())


def test_what_is_in_a_folder_is_not_written_over(usmt: Usmt, tmp_path: Path):
    write_family(tmp_path / "a", images=80, strength=1, test=20, epochs=2, seed=0)
    mine = tmp_path / "a" / "study.yaml"
    mine.write_text("mine")
    answer = usmt("phantom", "family", "--out", tmp_path / "a")
    assert answer.code == 1
    assert "is not empty" in answer.err
    assert mine.read_text() == "mine"
