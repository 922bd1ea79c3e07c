"""`usmt score`: official figures by the published rules, strict ones beside them.

What is expected is computed here in other ways: SimpleITK, scikit-learn, loops, or by hand.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import SimpleITK
from command_line import Answer, Usmt
from made_predictions import (
    Entry,
    change_list,
    label_of,
    list_path,
    mask_of,
    of_task,
    predict_perfectly,
    rows_of,
)
from PIL import Image
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

DSC_TASK, TYPES_TASK = "breast_lesion", "ovary_tumor_type_multi"


@pytest.fixture(scope="module")
def perfect(realus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return predict_perfectly(realus, tmp_path_factory.mktemp("perfect") / "predictions")


@pytest.fixture
def spoilt(perfect: Path, tmp_path: Path) -> Path:
    """A copy of the perfect predictions, to be spoilt."""
    return Path(shutil.copytree(perfect, tmp_path / "predictions"))


@pytest.fixture
def score(usmt: Usmt, realus: Path) -> Callable[..., dict[str, Any]]:
    """The JSON of one task of the pack, or of all."""

    def run(folder: Path, *tasks: str, root: Path = realus) -> dict[str, Any]:
        chosen = [word for task in tasks for word in ("--task", task)]
        answer: Answer = usmt("score", root, folder, "--json", *chosen)
        assert answer.code == 0, answer.err
        return answer.data

    return run


def reasons(data: dict[str, Any], task: str, metric: str | None) -> str:
    """What is said of one figure; it must be said in one line."""
    [line] = [d for d in data["differences"] if (d["task"], d["metric"]) == (task, metric)]
    if metric is not None and " " not in metric:
        both = data["tasks"][task]
        assert (line["official"], line["strict"]) == (
            both["official"][metric],
            both["strict"][metric],
        )
    return line["reason"]


# -- perfect predictions


def test_perfect_predictions_are_perfect_everywhere(realus: Path, perfect: Path, score):
    data = score(perfect)
    best = {"DSC": 1, "HD": 0, "AUC": 1, "Accuracy": 1, "F1_macro": 1, "F1_weighted": 1, "MCC": 1}
    best |= {"IoU": 1, "MRE": 0}
    assert set(data["tasks"]) == {row["task_id"] for row in rows_of(realus)}
    for task, found in data["tasks"].items():
        for side in ("official", "strict"):
            figures = found[side]
            assert figures["num_samples"] == len(of_task(realus, task))
            for name in figures.keys() - {"num_samples", "per_class"}:
                assert figures[name] == best[name]
            for of_class in figures.get("per_class", {}).values():
                assert all(of_class[name] == best.get(name, 1) for name in of_class)
    assert data["differences"] == []
    counts = {"segmentation": 5, "classification": 6, "detection": 2, "regression": 2}
    for kind, sides in data["means"].items():
        for figures in sides.values():
            assert figures.pop("num_tasks") == counts[kind]
            assert all(figures[name] == best[name] for name in figures)


def test_the_keys_are_those_of_the_published_scorer(perfect: Path, score):
    data = score(perfect)["tasks"]
    assert data["nerve_vessel_multi"]["type"] == "segmentation"
    segmentation = data["nerve_vessel_multi"]["official"]
    assert list(segmentation) == ["DSC", "HD", "num_samples", "per_class"]
    assert list(segmentation["per_class"]) == ["class_0", "class_1", "class_2"]
    assert list(segmentation["per_class"]["class_0"]) == ["DSC", "HD"]
    classification = data["organ_5cls"]["official"]
    names = ["AUC", "Accuracy", "F1_macro", "F1_weighted", "MCC", "num_samples", "per_class"]
    assert list(classification) == names
    assert list(classification["per_class"]["class_4"]) == ["F1"]
    assert list(data["ovary_tumor_det"]["official"]) == ["IoU", "num_samples"]
    assert list(data["fetal_head_axes_reg"]["official"]) == ["MRE", "num_samples"]
    assert data["fetal_head_axes_reg"]["type"] == "regression"


# -- masks


def itk_scores(mask: np.ndarray, label: np.ndarray, k: int) -> tuple[float, float]:
    """DSC and HD of one class by the published rules."""
    held = [(each == k).astype(np.uint8) for each in (mask, label)]
    if not held[0].any() and not held[1].any():
        return 1.0, 0.0
    if not held[0].any() or not held[1].any():
        return 0.0, math.sqrt(label.shape[0] ** 2 + label.shape[1] ** 2)
    images = [SimpleITK.GetImageFromArray(each) for each in held]
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    distance = SimpleITK.HausdorffDistanceImageFilter()
    distance.Execute(*images)
    return overlap.GetDiceCoefficient(1), distance.GetHausdorffDistance()


def expected_official(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> dict[str, Any]:
    scores = np.array([[itk_scores(*pair, k) for k in range(classes)] for pair in pairs])
    dsc, hd = scores.mean(axis=0).T
    return {
        "DSC": dsc[1:].mean(),
        "HD": hd[1:].mean(),
        "num_samples": len(pairs),
        "per_class": {f"class_{k}": {"DSC": dsc[k], "HD": hd[k]} for k in range(classes)},
    }


def flat(figures: dict[str, Any]) -> dict[str, float]:
    per_class = figures.get("per_class", {})
    named = {f"{k} {name}": v for k, each in per_class.items() for name, v in each.items()}
    return {name: v for name, v in figures.items() if name != "per_class"} | named


def same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    return flat(found) == pytest.approx(flat(expected), abs=1e-9, rel=0)


@pytest.mark.parametrize(("task", "classes"), [("nerve_vessel_multi", 3), (TYPES_TASK, 5)])
def test_shifted_masks(realus: Path, spoilt: Path, score, task: str, classes: int):
    pairs, held = [], []
    for number, row in enumerate(of_task(realus, task)):
        label = label_of(realus, row)
        mask = np.roll(label, (number % 7, 2 * number % 11), axis=(0, 1))
        Image.fromarray(mask).save(mask_of(spoilt, row))
        pairs.append((mask, label))
        held.append([k for k in range(classes) if k in label])
    data = score(spoilt, task)
    found = data["tasks"][task]
    assert same(found["official"], expected_official(pairs, classes))
    each = {
        k: np.mean(
            [itk_scores(*pair, k) for pair, ks in zip(pairs, held, strict=True) if k in ks], 0
        )
        for k in range(classes)
    }
    foreground = np.mean([each[k] for k in range(1, classes)], axis=0)
    strict = found["strict"]
    assert (strict["DSC"], strict["HD"]) == pytest.approx(tuple(foreground), abs=1e-9)
    assert strict["per_class"]["class_0"]["DSC"] == pytest.approx(each[0][0])
    absent = sum(k not in ks for ks in held for k in range(1, classes))
    if task == TYPES_TASK:
        assert found["official"]["DSC"] > strict["DSC"]
        expected = f"{absent} pairs are in neither label nor prediction: "
        assert reasons(data, task, "DSC").startswith(expected)


def test_missing_masks(realus: Path, spoilt: Path, score):
    rows = of_task(realus, DSC_TASK)
    for row in rows[:3]:
        mask_of(spoilt, row).unlink()
    data = score(spoilt, DSC_TASK)
    official, strict = data["tasks"][DSC_TASK]["official"], data["tasks"][DSC_TASK]["strict"]
    assert official["num_samples"] == len(rows) - 3 and strict["num_samples"] == len(rows)
    assert (official["DSC"], official["HD"]) == (1, 0)
    holding = [row for row in rows if label_of(realus, row).any()]
    lost = [math.hypot(*label_of(realus, row).shape) for row in rows[:3] if row in holding]
    assert strict["DSC"] == pytest.approx(1 - len(lost) / len(holding), abs=1e-12)
    assert strict["HD"] == pytest.approx(sum(lost) / len(holding), abs=1e-9)
    for metric in ("DSC", "HD", "num_samples"):
        assert reasons(data, DSC_TASK, metric).startswith("3 masks are missing: left out by the")


def test_masks_of_another_size_are_stretched_or_missing(realus: Path, spoilt: Path, score):
    pairs = []
    rows = of_task(realus, DSC_TASK)
    for number, row in enumerate(rows):
        label = label_of(realus, row)
        mask = label
        if number < 5:
            small = cv2.resize(label, None, fx=0.37, fy=0.61, interpolation=cv2.INTER_NEAREST)
            Image.fromarray(small).save(mask_of(spoilt, row))
            size = (label.shape[1], label.shape[0])
            mask = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
        pairs.append((mask, label))
    data = score(spoilt, DSC_TASK)
    assert same(data["tasks"][DSC_TASK]["official"], expected_official(pairs, 2))
    assert 0.9 < data["tasks"][DSC_TASK]["official"]["DSC"] < 1
    strict = data["tasks"][DSC_TASK]["strict"]["DSC"]
    assert strict == pytest.approx(1 - 5 / len(rows), abs=1e-12)
    assert "5 masks have another size than their labels" in reasons(data, DSC_TASK, "DSC")


def test_files_that_are_no_grey_masks(realus: Path, spoilt: Path, score):
    rows = of_task(realus, DSC_TASK)
    labels = [label_of(realus, row) for row in rows]
    mask_of(spoilt, rows[0]).write_bytes(b"no image")
    cv2.imwrite(str(mask_of(spoilt, rows[1])), labels[1].astype(np.uint16) * 257)
    palette = Image.fromarray(labels[2]).convert("P")
    palette.putpalette([0, 0, 0, 200, 200, 200])
    palette.save(mask_of(spoilt, rows[2]))
    coloured = np.stack([labels[3], labels[3], 0 * labels[3]], axis=2) * 3
    Image.fromarray(coloured).save(mask_of(spoilt, rows[3]))
    data = score(spoilt, DSC_TASK)
    pairs = [
        (cv2.imread(str(mask_of(spoilt, row)), cv2.IMREAD_GRAYSCALE), label)
        for row, label in zip(rows, labels, strict=True)
    ]
    assert pairs[0][0] is None and set(np.unique(pairs[2][0])) == {0, 200}
    assert same(data["tasks"][DSC_TASK]["official"], expected_official(pairs[1:], 2))
    # By its indexes the third is right; the others count as missing.
    assert data["tasks"][DSC_TASK]["strict"]["DSC"] == pytest.approx(1 - 3 / len(rows))
    told = reasons(data, DSC_TASK, "DSC")
    assert "1 mask cannot be read" in told and "1 mask or label has a palette" in told
    assert "2 masks are damaged or no grey PNGs of 8 bits" in told


# -- classes


def random_probabilities(realus: Path, task: str, classes: int) -> np.ndarray:
    labels = [int(row["mask"]) for row in of_task(realus, task)]
    rng = np.random.default_rng(7)
    found = rng.dirichlet(np.ones(classes), len(labels))
    found[np.arange(len(labels)), labels] += 0.3
    return found / found.sum(axis=1, keepdims=True)


def predict_classes(folder: Path, task: str, probabilities: np.ndarray) -> None:
    """Replaces the predictions of a task, whose order in the list is that of its rows."""

    def change(entries: list[Entry]) -> None:
        mine = [entry for entry in entries if entry["task_id"] == task]
        for entry, each in zip(mine, probabilities, strict=True):
            entry["predicted_probs"] = each.tolist()
            entry["predicted_class"] = int(each.argmax())

    change_list(folder, "classification", change)


@pytest.mark.parametrize(("task", "classes"), [("breast_2cls", 2), ("ovary_8cls", 8)])
def test_class_scores(realus: Path, spoilt: Path, score, task: str, classes: int):
    probabilities = random_probabilities(realus, task, classes)
    predict_classes(spoilt, task, probabilities)
    labels = np.array([int(row["mask"]) for row in of_task(realus, task)])
    predicted = probabilities.argmax(axis=1)
    given = probabilities[:, 1] if classes == 2 else probabilities
    found = score(spoilt, task)["tasks"][task]
    each = f1_score(labels, predicted, average=None)
    expected = {
        "AUC": roc_auc_score(labels, given, multi_class="ovr"),
        "Accuracy": np.mean(labels == predicted),
        "F1_macro": each.mean(),
        "F1_weighted": f1_score(labels, predicted, average="weighted"),
        "MCC": matthews_corrcoef(labels, predicted),
        "num_samples": len(labels),
        "per_class": {f"class_{k}": {"F1": each[k]} for k in range(classes)},
    }
    assert same(found["official"], expected) and same(found["strict"], expected)
    assert 0.3 < expected["Accuracy"] < 1


def test_missing_classes_are_wrong(realus: Path, spoilt: Path, score):
    task = "breast_2cls"
    probabilities = random_probabilities(realus, task, 2)
    predict_classes(spoilt, task, probabilities)
    rows = of_task(realus, task)
    gone = {row["image_path"] for row in rows[::5]}
    change_list(
        spoilt,
        "classification",
        lambda entries: [
            e
            for e in entries
            if (e["task_id"], e["image_path"]) not in {(task, image) for image in gone}
        ],
    )
    there = np.array([row["image_path"] not in gone for row in rows])
    labels = np.array([int(row["mask"]) for row in rows])
    predicted = probabilities.argmax(axis=1)
    data = score(spoilt, task)
    official, strict = data["tasks"][task]["official"], data["tasks"][task]["strict"]
    assert official["Accuracy"] == pytest.approx(np.mean((predicted == labels)[there]))
    assert official["AUC"] == pytest.approx(roc_auc_score(labels[there], probabilities[there, 1]))
    assert official["num_samples"] == there.sum() and strict["num_samples"] == len(rows)
    assert strict["Accuracy"] == pytest.approx(np.sum((predicted == labels)[there]) / len(rows))
    worst = np.where(there, probabilities[:, 1], 1.0 - 2 * labels)  # -1 for 1, and 1 for 0
    assert strict["AUC"] == pytest.approx(roc_auc_score(labels, worst))
    answered = np.where(there, predicted, 2)
    each = f1_score(labels, answered, labels=[0, 1], average=None)
    assert strict["F1_macro"] == pytest.approx(each.mean())
    assert strict["MCC"] == pytest.approx(matthews_corrcoef(labels, answered))
    told = reasons(data, task, "AUC")
    assert told.startswith(f"{len(gone)} predictions are missing: left out by the official scorer")


def test_a_class_without_labels(realus: Path, spoilt: Path, tmp_path: Path, score):
    """The official AUC is 0, and F1 of the classes after the absent one moves up."""
    task = "breast_3cls"
    root = tmp_path / "data"
    shutil.copytree(realus / "csv_files", root / "csv_files")
    path = root / "csv_files" / f"{task}.csv"
    lines = path.read_text().splitlines(keepends=True)
    rows = of_task(realus, task)
    kept = [line for line, row in zip(lines[1:], rows, strict=True) if row["mask"] != "1"]
    path.write_text("".join([lines[0], *kept]))
    probabilities = random_probabilities(realus, task, 3)[:, [0, 2, 1]]
    probabilities[:, 1] = 0.01
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predict_classes(spoilt, task, probabilities)
    data = score(spoilt, task, root=root)
    official, strict = data["tasks"][task]["official"], data["tasks"][task]["strict"]
    chosen = np.array([row["mask"] != "1" for row in rows])
    labels = np.array([int(row["mask"]) for row in rows])[chosen]
    given = probabilities[chosen]
    each = f1_score(labels, given.argmax(axis=1), labels=[0, 2], average=None)
    assert official["AUC"] == 0
    by_class = [roc_auc_score(labels == c, given[:, c]) for c in (0, 2)]
    assert strict["AUC"] == pytest.approx(np.mean(by_class))
    assert [official["per_class"][f"class_{c}"]["F1"] for c in range(3)] == [*each, 0]
    assert strict["per_class"] == {"class_0": {"F1": each[0]}, "class_2": {"F1": each[1]}}
    assert reasons(data, task, "AUC") == "the official AUC is 0: no label is of class 1"
    for metric in ("class_1 F1", "class_2 F1"):
        assert "only the classes 0, 2 occur" in reasons(data, task, metric)


def test_what_is_said_of_single_classes(spoilt: Path, score):
    task = "breast_3cls"

    def change(entries: list[Entry]) -> None:
        mine = [entry for entry in entries if entry["task_id"] == task]
        mine[0]["predicted_class"] = 7
        del mine[1]["predicted_probs"]
        mine[2]["predicted_probs"] = mine[2]["predicted_probs"][::-1]
        mine[2]["predicted_class"] = 1
        entries.append({**mine[3]})

    change_list(spoilt, "classification", change)
    data = score(spoilt, task)
    official, strict = data["tasks"][task]["official"], data["tasks"][task]["strict"]
    count = official["num_samples"]
    assert official["AUC"] == 0 and strict["AUC"] > 0.9
    assert official["Accuracy"] == strict["Accuracy"] == pytest.approx(1 - 2 / count)
    # 7 is a fourth class to the official scorer, whose F1 is 0.
    assert official["F1_macro"] == pytest.approx(strict["F1_macro"] * 3 / 4)
    assert "predictions have no predicted_probs" in reasons(data, task, "AUC")
    assert "1 prediction has no predicted_class that is one of" in reasons(data, task, "F1_macro")
    told = [d["reason"] for d in data["differences"] if d["metric"] is None]
    assert any("not its most probable one" in reason for reason in told)
    assert any(reason.startswith("an error: 1 entry names an image") for reason in told)


# -- a dataset of a few rows, by hand

HEADS = {
    "detection": "x_min,y_min,x_max,y_max",
    "Regression": "point_1_xy,point_2_xy",
    "regression": "point_1_xy,point_2_xy",
    "classification": "mask",
    "segmentation": "mask_path",
    "tracking": "x_min",
}
COUNTS = {"detection": 1, "classification": 2, "segmentation": 2}


def small_root(top: Path, kind: str, *labels: str) -> Path:
    """A dataset with one task, `one`, whose images are 30 x 40 (their diagonal is 50)."""
    (top / "csv_files").mkdir(parents=True)
    lines = [f"image_path,task_id,task_name,num_classes,{HEADS[kind]}"]
    for number, label in enumerate(labels):
        Image.fromarray(np.zeros((30, 40), np.uint8)).save(top / f"{number}.png")
        lines.append(f"../{number}.png,one,{kind},{COUNTS.get(kind, 2)},{label}")
    (top / "csv_files" / "one.csv").write_text("\n".join([*lines, ""]))
    return top


def predicted(folder: Path, kind: str, key: str, *values: Any) -> Path:
    folder.mkdir(exist_ok=True)
    entries = [
        {"image_path": f"../{number}.png", "task_id": "one", key: value}
        for number, value in enumerate(values)
        if value is not None
    ]
    list_path(folder, kind).write_text(json.dumps(entries))
    return folder


def test_boxes_by_hand(tmp_path: Path, score):
    """Hit, half, missing, inverted, no box; the last label is not complete."""
    label = "0,0,10,10"
    root = small_root(tmp_path / "data", "detection", *[label] * 4, "0,0,NA,10")
    box = [0, 0, 10, 10]
    inverted = [10, 0, 0, 10]
    folder = predicted(
        tmp_path / "p", "detection", "bbox_pixels", box, [5, 0, 10, 10], None, inverted, box
    )
    data = score(folder, root=root)
    official, strict = data["tasks"]["one"]["official"], data["tasks"]["one"]["strict"]
    assert official == {"IoU": pytest.approx((1 + 0.5 + 0) / 3), "num_samples": 3}
    assert strict == {"IoU": pytest.approx((1 + 0.5 + 0 + 0) / 4), "num_samples": 4}
    told = reasons(data, "one", "IoU")
    assert "1 prediction is missing" in told and "1 label is no box" in told


@pytest.mark.parametrize(
    ("box", "official"),
    [
        ([10, 10, 0, 0], 0),  # both corners swapped
        ([0, 0, 1e999, 10], 0),
        ([math.nan, 0, 10, 10], None),
        ([0, 0, 10], None),
        ("none", None),
    ],
)
def test_boxes_that_are_none(tmp_path: Path, score, box: Any, official: float | None):
    root = small_root(tmp_path / "data", "detection", "0,0,10,10")
    data = score(predicted(tmp_path / "p", "detection", "bbox_pixels", box), root=root)
    found = data["tasks"]["one"]
    assert (found["official"] or {"IoU": None})["IoU"] == official
    assert found["strict"] == {"IoU": 0, "num_samples": 1}
    if official is None:
        [difference] = data["differences"]
        assert "1 prediction has no bbox_pixels of four finite numbers" in difference["reason"]


def test_points_by_hand(tmp_path: Path, score):
    """Exact, one of two points, missing, too many numbers officially stop the scorer."""
    label = '"[0, 0]","[6, 8]"'
    root = small_root(tmp_path / "data", "Regression", *[label] * 3, '"[3, 4]",NaN')
    right = [0, 0, 6, 8]
    folder = tmp_path / "p"
    predicted(folder, "regression", "predicted_points_pixels", right, [0, 0], None, right)
    data = score(folder, root=root)
    official, strict = data["tasks"]["one"]["official"], data["tasks"]["one"]["strict"]
    # (0, 0) beside both points: 0 and 10. The missing point counts as (0, 0): 5 and 10.
    assert official == {"MRE": pytest.approx((0 + 5 + 7.5) / 3), "num_samples": 3}
    assert strict == {"MRE": pytest.approx((0 + 50 + 50) / 3), "num_samples": 3}
    told = reasons(data, "one", "MRE")
    assert "1 prediction is missing: left out by the official scorer; strict: the image's" in told
    assert "1 label lacks a point" in told
    predicted(folder, "regression", "predicted_points_pixels", right, [0, 0, 1], None, right)
    data = score(folder, root=root)
    assert data["tasks"]["one"]["official"] is None
    assert data["means"]["regression"]["official"] is None
    assert "the official scorer stops with ValueError" in reasons(data, "one", None)
    assert data["tasks"]["one"]["strict"] == strict


def test_a_type_has_no_official_mean_if_one_of_its_tasks_stops_the_scorer(spoilt: Path, score):
    change_list(
        spoilt, "regression", lambda entries: entries[0].update(predicted_points_pixels=[1, 2, 3])
    )
    data = score(spoilt)
    official = {task: both["official"] for task, both in data["tasks"].items()}
    assert official["fetal_head_axes_reg"] is None
    assert official["fetal_head_minor_axis_reg"]["MRE"] == 0
    assert data["means"]["regression"]["official"] is None
    assert data["means"]["regression"]["strict"]["num_tasks"] == 2
    assert data["means"]["detection"]["official"]["IoU"] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no classification_predictions.json"),
        ("[{", "classification_predictions.json: not JSON"),
        ('{"a": 1}', "classification_predictions.json[0] is a JSON str, expected an object"),
        ("3", "holds a JSON int, expected a list"),
        ('[{"task_id": "one", "image_path": "../0.png"}]', "[0] has no predicted_class"),
        ('[{"task_id": [], "image_path": "x", "predicted_class": 1}]', "task_id is a JSON list"),
    ],
)
def test_lists_of_which_the_official_scorer_dies(tmp_path: Path, score, text, told: str):
    root = small_root(tmp_path / "data", "classification", "0", "1")
    folder = tmp_path / "p"
    folder.mkdir()
    if text is not None:
        list_path(folder, "classification").write_text(text)
    data = score(folder, root=root)
    assert data["tasks"]["one"]["official"] is None
    assert data["means"]["classification"]["official"] is None
    assert told in reasons(data, "one", None)
    strict = data["tasks"]["one"]["strict"]
    assert (strict["Accuracy"], strict["AUC"], strict["F1_macro"]) == (0, 0, 0)


def test_a_list_without_entries_has_no_samples(tmp_path: Path, score):
    root = small_root(tmp_path / "data", "classification", "0", "1")
    data = score(predicted(tmp_path / "p", "classification", "predicted_class"), root=root)
    assert data["tasks"]["one"]["official"]["num_samples"] == 0
    assert data["tasks"]["one"]["official"]["Accuracy"] == 0
    assert data["means"]["classification"]["official"] is None


def test_repeated_rows_and_entries(tmp_path: Path, score):
    root = small_root(tmp_path / "data", "classification", "0", "1", "1")
    path = root / "csv_files" / "one.csv"
    path.write_text(path.read_text() + "../0.png,one,classification,2,0\n")
    folder = predicted(tmp_path / "p", "classification", "predicted_class", 0, 0, 1)
    change_list(
        folder, "classification", lambda entries: [*entries, entries[0] | {"predicted_class": 1}]
    )
    data = score(folder, root=root)
    official, strict = data["tasks"]["one"]["official"], data["tasks"]["one"]["strict"]
    assert (official["Accuracy"], official["num_samples"]) == (1 / 4, 4)  # the last entry counts
    assert (strict["Accuracy"], strict["num_samples"]) == (pytest.approx(1 / 3), 3)
    assert "1 row names an image that another one named" in reasons(data, "one", "Accuracy")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gbk"])
def test_encodings(tmp_path: Path, score, encoding: str):
    root = small_root(tmp_path / "data", "classification", "0", "1")
    path = root / "csv_files" / "one.csv"
    lines = [f"{line},\u80ba" for line in path.read_text().splitlines()]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    folder = predicted(tmp_path / "p", "classification", "predicted_class", 0, 1)
    assert score(folder, root=root)["tasks"]["one"]["official"]["Accuracy"] == 1


def test_a_task_name_that_the_official_scorer_does_not_know(tmp_path: Path, score, usmt: Usmt):
    root = small_root(tmp_path / "data", "regression", '"[0, 0]","[6, 8]"')
    folder = predicted(tmp_path / "p", "regression", "predicted_points_pixels", [0, 0, 6, 8])
    data = score(folder, root=root)
    assert data["tasks"]["one"]["official"] is None
    assert data["tasks"]["one"]["strict"]["MRE"] == 0
    assert "passes over task_name 'regression'" in reasons(data, "one", None)
    other = small_root(tmp_path / "other", "tracking", "1")
    answer = usmt("score", other, folder, "--json")
    assert answer.data["tasks"] == {}
    assert "task 'one' is not scored: its task_name is 'tracking'" in answer.err


def test_the_first_num_classes_counts(tmp_path: Path, score):
    root = small_root(tmp_path / "data", "segmentation", "../m/0.png", "../m/1.png")
    path = root / "csv_files" / "one.csv"
    path.write_text(
        path.read_text().replace("one,segmentation,2,../m/1", "one,segmentation,3,../m/1")
    )
    folder = tmp_path / "p"
    for place in (root / "m", folder / "m"):
        place.mkdir(parents=True)
        for number in range(2):
            Image.fromarray(np.eye(30, 40, dtype=np.uint8)).save(place / f"{number}.png")
    data = score(folder, root=root)
    assert list(data["tasks"]["one"]["official"]["per_class"]) == ["class_0", "class_1"]
    assert "num_classes is 2 and 3; 2, which" in reasons(data, "one", None)


def test_labels_that_cannot_be_used(tmp_path: Path, score):
    """One is gone, one has a class too many; the third is sound."""
    root = small_root(tmp_path / "data", "segmentation", *(f"../m/{i}.png" for i in range(3)))
    folder = tmp_path / "p"
    mask = np.eye(30, 40, dtype=np.uint8)
    for place in (root / "m", folder / "m"):
        place.mkdir(parents=True)
        for number in range(3):
            Image.fromarray(mask).save(place / f"{number}.png")
    (root / "m" / "0.png").unlink()
    Image.fromarray(mask * 255).save(root / "m" / "1.png")
    data = score(folder, root=root)
    official, strict = data["tasks"]["one"]["official"], data["tasks"]["one"]["strict"]
    assert (official["DSC"], official["num_samples"]) == (0.5, 2)
    assert (strict["DSC"], strict["num_samples"]) == (1, 1)
    assert "2 label masks cannot be used: an error of the data" in reasons(data, "one", "DSC")


# -- the command


def test_the_csv_has_each_image(realus: Path, spoilt: Path, usmt: Usmt, tmp_path: Path):
    rows = of_task(realus, TYPES_TASK)
    mask_of(spoilt, rows[0]).unlink()
    path = tmp_path / "new" / "scores.csv"
    tasks = ("--task", TYPES_TASK, "--task", "ovary_tumor_det", "--task", "ovary_8cls")
    assert usmt("score", realus, spoilt, "--csv", path, *tasks).code == 0
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["task", "image_path", "metric", "official", "strict", "remark"]
    counts = [len(of_task(realus, task)) for task in ("ovary_8cls", "ovary_tumor_det")]
    assert len(found) == sum(counts) + 10 * len(rows)
    first = [row for row in found if row["image_path"] == rows[0]["image_path"]]
    held = int(label_of(realus, rows[0]).max())
    [dsc] = [row for row in first if row["metric"] == f"dsc_class_{held}"]
    assert (dsc["official"], dsc["strict"], dsc["remark"]) == ("", "0.0", "mask is missing")
    assert {row["metric"] for row in found if row["task"] == "ovary_8cls"} == {"correct"}
    assert {(r["official"], r["strict"]) for r in found if r["metric"] == "iou"} == {("1.0", "1.0")}


def test_what_people_see(realus: Path, spoilt: Path, usmt: Usmt):
    for row in of_task(realus, DSC_TASK)[:2]:
        mask_of(spoilt, row).unlink()
    answer = usmt("score", realus, spoilt)
    assert answer.code == 0
    lines = answer.out.splitlines()
    [mine] = [words for words in map(str.split, lines) if words[:2] == [DSC_TASK, "84"]]
    assert mine[2:4] == ["82", "1"]
    assert [line.split()[0] for line in lines].count("mean") == 4
    [told] = [line for line in lines if line.split()[:2] == [DSC_TASK, "DSC"]]
    assert "2 masks are missing: left out by the official scorer" in told


def test_wrong_arguments(realus: Path, perfect: Path, usmt: Usmt, tmp_path: Path):
    for arguments, told in (
        ((realus, tmp_path / "none"), "there is no folder"),
        ((tmp_path, perfect), "has no folder csv_files"),
        ((realus, perfect, "--task", "breast_lesions"), "did you mean 'breast_lesion'?"),
    ):
        answer = usmt("score", *arguments)
        assert answer.code == 1 and told in answer.err and not answer.out


def test_tables_that_cannot_be_read(tmp_path: Path, usmt: Usmt):
    root = small_root(tmp_path / "data", "classification", "0", "1")
    path = root / "csv_files" / "one.csv"
    sound = path.read_text()
    folder = predicted(tmp_path / "p", "classification", "predicted_class", 0, 1)
    for text, told in (
        (sound.replace("task_id", "task"), "one.csv:1"),
        (sound.replace("../0.png,one,classification,2", "../0.png,one,classification,x"), "csv:2"),
        (sound + '../2.png,one,classification,2,0,"1"\n', "csv:4: 6 cells"),
    ):
        path.write_text(text)
        answer = usmt("score", root, folder)
        assert answer.code == 1 and told in answer.err
