"""`usmt predict RUN --data fmc_uia=ROOT`: a submission, complete and checked, that can go on."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Usmt
from PIL import Image

import usmt as api

TASKS = ("fetal_head", "breast_3cls", "fetal_head_axes_reg", "breast_lesion_det")
LISTS = {
    "breast_3cls": "classification_predictions.json",
    "breast_lesion_det": "detection_predictions.json",
    "fetal_head_axes_reg": "regression_predictions.json",
}
LABELS = {
    "mask",
    *("x_min", "y_min", "x_max", "y_max"),
    *(f"point_{number}_xy" for number in range(1, 9)),
}


@pytest.fixture
def root(tmp_path: Path, realus: Path) -> Path:
    """A test set as a challenge hands it out: some images of each task, no labels."""
    folder = tmp_path / "test"
    (folder / "csv_files").mkdir(parents=True)
    for task in TASKS:
        rows = rows_of(realus, task)[:7]
        for row in rows:
            image = folder / "csv_files" / row["image_path"]
            image.resolve().parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(realus / "csv_files" / row["image_path"], image)
        kept = [name for name in rows[0] if name not in LABELS]
        write_rows(folder / "csv_files" / f"{task}.csv", kept, rows)
    return folder


def rows_of(root: Path, task: str) -> list[dict[str, str]]:
    with (root / "csv_files" / f"{task}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def entries(out: Path, task: str) -> list[dict[str, Any]]:
    return [e for e in json.loads((out / LISTS[task]).read_text()) if e["task_id"] == task]


def files(out: Path) -> dict[str, bytes]:
    """All files that are handed in."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name[0] != "."
    }


def test_a_submission_is_complete(usmt: Usmt, trained: Path, root: Path, tmp_path: Path):
    out = tmp_path / "out"
    answer = usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.data["predicted"] == 28 and answer.data["warnings"] == []
    assert {task: n["predicted"] for task, n in answer.data["tasks"].items()} == dict.fromkeys(
        TASKS, 7
    )
    for task in LISTS:
        assert [e["image_path"] for e in entries(out, task)] == [
            row["image_path"] for row in rows_of(root, task)
        ]
    for entry in entries(out, "breast_3cls"):
        assert set(entry) == {"image_path", "task_id", "predicted_class", "predicted_probs"}
        assert sum(entry["predicted_probs"]) == pytest.approx(1, abs=1e-12)
        assert entry["predicted_class"] == int(np.argmax(entry["predicted_probs"]))
    for entry in entries(out, "breast_lesion_det"):
        width, height = Image.open(root / "csv_files" / entry["image_path"]).size
        scale = np.array([width, height, width, height])
        assert np.allclose(np.array(entry["bbox_normalized"]) * scale, entry["bbox_pixels"])
    for entry in entries(out, "fetal_head_axes_reg"):
        width, height = Image.open(root / "csv_files" / entry["image_path"]).size
        assert len(entry["predicted_points_pixels"]) == 8
        assert np.allclose(
            np.array(entry["predicted_points_normalized"]) * ([width, height] * 4),
            entry["predicted_points_pixels"],
        )
    for row in rows_of(root, "fetal_head"):
        mask = Image.open(out / row["mask_path"].replace("../", ""))
        assert mask.mode == "L"
        assert mask.size == Image.open(root / "csv_files" / row["image_path"]).size
        assert set(np.unique(np.array(mask))) <= {0, 1}
    assert len(files(out)) == 7 + len(LISTS)


def test_labels_are_not_read(usmt: Usmt, trained: Path, root: Path, realus: Path, tmp_path: Path):
    """With the labels, and with nonsense in their place, the same files come out."""
    first = tmp_path / "first"
    assert usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", first).code == 0
    for task in TASKS:
        rows = rows_of(realus, task)[:7]
        for row in rows:
            row |= {name: "nonsense" for name in row if name in LABELS}
        write_rows(root / "csv_files" / f"{task}.csv", list(rows[0]), rows)
    second = tmp_path / "second"
    assert usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", second).code == 0
    assert files(second) == files(first)


def test_masks_of_rows_without_a_mask_path(usmt: Usmt, trained: Path, root: Path, tmp_path: Path):
    """Their place is the image's, with `mask` for `img`, as the challenge's own script has it."""
    rows = rows_of(root, "fetal_head")
    columns = [name for name in rows[0] if name != "mask_path"]
    write_rows(root / "csv_files" / "fetal_head.csv", columns, rows)
    out = tmp_path / "out"
    answer = usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", out)
    assert answer.code == 0, answer.err
    for row in rows:
        assert (out / row["image_path"].replace("../", "").replace("img", "mask")).is_file()


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the writing of predictions end as a kill would, after some images."""
    from usmt_fmc_uia.submission import FmcUiaSubmission

    add = FmcUiaSubmission.add

    def arrange(images: int) -> None:
        left = iter(range(images))

        def stopping(self: Any, *args: Any) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return add(self, *args)

        monkeypatch.setattr(FmcUiaSubmission, "add", stopping)

    yield arrange
    monkeypatch.setattr(FmcUiaSubmission, "add", add)


def test_it_goes_on_where_it_stopped(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path, stop_after, monkeypatch
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--batch-size", "4", "--json")
    assert usmt(*command, "--out", whole).code == 0
    stop_after(10)
    assert usmt(*command, "--out", parts).code == 130
    with (parts / ".predictions.jsonl").open("a") as journal:
        journal.write('{"task": "breast_3cls", "key": "../torn')
    monkeypatch.undo()
    again = usmt(*command, "--out", parts)
    assert (again.code, again.data["predicted"]) == (0, 18)
    assert set(files(parts)) == set(files(whole))
    for task in LISTS:
        assert [e["image_path"] for e in entries(parts, task)] == [
            e["image_path"] for e in entries(whole, task)
        ]
    done = usmt(*command, "--out", parts)
    assert (done.code, done.data["predicted"]) == (0, 0)


def test_a_mask_that_went_missing_is_made_again(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path
):
    out = tmp_path / "out"
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", out, "--json")
    assert usmt(*command).code == 0
    before = files(out)
    (out / rows_of(root, "fetal_head")[3]["mask_path"].replace("../", "")).unlink()
    again = usmt(*command)
    assert (again.code, again.data["predicted"]) == (0, 1)
    assert set(files(out)) == set(before)


def test_an_unreadable_image_does_not_stop_the_others(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path
):
    out = tmp_path / "out"
    row = rows_of(root, "breast_3cls")[2]
    image = root / "csv_files" / row["image_path"]
    kept = image.read_bytes()
    image.write_bytes(kept[: len(kept) // 2])
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", out)
    answer = usmt(*command)
    assert answer.code == 1
    assert "csv_files/breast_3cls.csv:4" in answer.err and "Traceback" not in answer.err
    assert len(entries(out, "breast_3cls")) == 6 and len(entries(out, "breast_lesion_det")) == 7
    image.write_bytes(kept)
    again = usmt(*command, "--json")
    assert (again.code, again.data["predicted"]) == (0, 1)
    assert len(entries(out, "breast_3cls")) == 7


def test_several_runs_fill_one_folder(
    usmt: Usmt, trained: Path, trained_alone: Path, realus: Path, tmp_path: Path
):
    """One model a task, say: each adds its own, and keeps what the others wrote."""
    out = tmp_path / "out"
    data = ("--data", f"fmc_uia={realus}", "--out", out)
    first = usmt("predict", trained_alone, *data)
    assert first.code == 0
    assert "not complete yet" in first.err and "breast_3cls" in first.err
    only = ("--task", "breast_lesion_det", "--task", "breast_3cls")
    assert usmt("predict", trained, *data, *only).code == 0
    listed = json.loads((out / "detection_predictions.json").read_text())
    assert {entry["task_id"] for entry in listed} == {"ovary_tumor_det", "breast_lesion_det"}
    assert len(listed) == 66 + 69


def test_predictions_of_another_model_are_kept(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path
):
    out = tmp_path / "out"
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", out)
    assert usmt(*command).code == 0
    before = files(out)
    other = usmt(*command, "--tta")
    assert other.code == 1
    assert "--overwrite" in other.err and "fetal_head" in other.err
    assert files(out) == before
    assert usmt(*command, "--tta", "--overwrite").code == 0
    after = files(out)
    assert set(after) == set(before) and after != before
    assert after[LISTS["breast_lesion_det"]] != before[LISTS["breast_lesion_det"]]
    assert after["regression_predictions.json"] == before["regression_predictions.json"]


def test_a_folder_with_other_files_is_left_alone(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    answer = usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", out)
    assert answer.code == 1 and "is not empty" in answer.err
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_a_damaged_journal_is_refused(usmt: Usmt, trained: Path, root: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", out)
    assert usmt(*command).code == 0
    journal = out / ".predictions.jsonl"
    journal.write_bytes(b"\xff\n" + journal.read_bytes())
    answer = usmt(*command)
    assert answer.code == 1 and ".predictions.jsonl" in answer.err
    journal.write_text('{"task": "fetal_head"}\n')
    answer = usmt(*command)
    assert answer.code == 1 and "line 1" in answer.err


@pytest.mark.parametrize(
    "name",
    [
        "/elsewhere.png",
        "../",
        "..",
        "a/..",
        "C:\\mask.png",
        f"{'x' * 250}.png",
        "detection_predictions.json",
        ".predictions.jsonl",
        "SECOND",
    ],
)
def test_a_mask_without_a_place_of_its_own_is_a_defect_of_its_row(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path, name: str
):
    """The other images are predicted, and no file is replaced."""
    rows = rows_of(root, "fetal_head")
    rows[3]["mask_path"] = rows[1]["mask_path"] if name == "SECOND" else name
    write_rows(root / "csv_files" / "fetal_head.csv", list(rows[0]), rows)
    out = tmp_path / "out"
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", out)
    answer = usmt(*command, "--task", "fetal_head")
    assert answer.code == 1 and "csv_files/fetal_head.csv:5" in answer.err
    assert "Traceback" not in answer.err
    assert len(files(out)) == 6
    assert len((out / ".predictions.jsonl").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("num_classes", "4", "num_classes is 4"),
        ("task_id", "", "task_id is empty"),
        ("task_name", "detection", "the task's spec says segmentation"),
    ],
)
def test_rows_that_are_not_the_tasks_are_not_passed_over(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path, column: str, value: str, said: str
):
    rows = rows_of(root, "fetal_head")
    rows[2][column] = value
    write_rows(root / "csv_files" / "fetal_head.csv", list(rows[0]), rows)
    out = tmp_path / "out"
    answer = usmt(
        "predict", trained, "--data", f"fmc_uia={root}", "--out", out, "--task", "fetal_head"
    )
    assert answer.code == 1 and said in answer.err and "csv_files/fetal_head.csv:4" in answer.err


def test_the_data_are_never_written_to(usmt: Usmt, trained: Path, root: Path):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", root, "--overwrite")
    answer = usmt(*command)
    assert answer.code == 1 and "is not empty" in answer.err
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_what_changed_since_is_predicted_again(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path
):
    out = tmp_path / "out"
    command = ("predict", trained, "--data", f"fmc_uia={root}", "--out", out, "--json")
    assert usmt(*command).code == 0
    before = entries(out, "breast_3cls")
    first, second = (root / "csv_files" / e["image_path"] for e in before[:2])
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    mask = out / rows_of(root, "fetal_head")[0]["mask_path"].replace("../", "")
    mask.write_bytes(mask.read_bytes()[:40])
    again = usmt(*command)
    assert (again.code, again.data["predicted"]) == (0, 3)
    after = entries(out, "breast_3cls")
    assert after[0]["predicted_probs"] == pytest.approx(before[1]["predicted_probs"], abs=1e-4)
    assert after[0]["predicted_probs"] != pytest.approx(before[0]["predicted_probs"], abs=1e-4)


def test_what_is_handed_in_is_what_the_model_says(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path
):
    out = tmp_path / "out"
    assert usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", out).code == 0
    model = api.load(trained)
    for entry in entries(out, "breast_3cls"):
        result = model.predict(root / "csv_files" / entry["image_path"], "breast_3cls")
        assert np.allclose(entry["predicted_probs"], result.probabilities, atol=1e-4)
    for entry in entries(out, "breast_lesion_det"):
        result = model.predict(root / "csv_files" / entry["image_path"], "breast_lesion_det")
        assert np.allclose(entry["bbox_pixels"], result.box, atol=0.01)
    for entry in entries(out, "fetal_head_axes_reg"):
        result = model.predict(root / "csv_files" / entry["image_path"], "fetal_head_axes_reg")
        assert np.allclose(entry["predicted_points_pixels"], result.points.ravel(), atol=0.01)
    held = 0
    for row in rows_of(root, "fetal_head"):
        result = model.predict(root / "csv_files" / row["image_path"], "fetal_head")
        mask = np.array(Image.open(out / row["mask_path"].replace("../", "")))
        assert (mask == result.mask).mean() > 0.999
        held += int(mask.sum())
    assert held > 0


def test_a_folder_that_fails_its_check_is_said_so(
    usmt: Usmt, trained: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from usmt_fmc_uia.submission import FmcUiaSubmission

    finish = FmcUiaSubmission.finish

    def losing(self: Any, found: Any) -> None:
        finish(self, [one for one in found if one["task_id"] != "breast_3cls"])

    monkeypatch.setattr(FmcUiaSubmission, "finish", losing)
    answer = usmt("predict", trained, "--data", f"fmc_uia={root}", "--out", tmp_path / "out")
    assert answer.code == 1 and "classification_predictions.json" in answer.err


def test_a_dataset_without_a_form_of_its_own(usmt: Usmt, trained: Path, tmp_path: Path):
    """usmt's own form: one list, and a PNG for each mask."""
    out = tmp_path / "out"
    only = ("--task", "fetal_head", "--task", "breast_3cls")
    command = ("predict", trained, "--data", "phantom", "--out", out, *only, "--json")
    assert usmt(*command).code == 0
    listed = json.loads((out / "predictions.json").read_text())
    assert len(listed) == 160
    masks = [entry for entry in listed if entry["task"] == "fetal_head"]
    assert len({entry["files"]["mask"] for entry in masks}) == 80
    for entry in masks:
        assert np.array(Image.open(out / entry["files"]["mask"])).shape == tuple(entry["size"])
    (out / masks[5]["files"]["mask"]).unlink()
    again = usmt(*command)
    assert (again.code, again.data["predicted"]) == (0, 1)


def test_what_is_said_of_tasks_and_data(usmt: Usmt, trained: Path, root: Path, tmp_path: Path):
    data = ("--data", f"fmc_uia={root}", "--out", tmp_path / "out")
    assert "did you mean 'fetal_head'" in usmt("predict", trained, *data, "--task", "fetal_hea").err
    for task in TASKS:
        (root / "csv_files" / f"{task}.csv").unlink()
    write_rows(
        root / "csv_files" / "x.csv",
        ["task_id", "task_name", "num_classes", "image_path"],
        [{"task_id": "x", "task_name": "detection", "num_classes": "1", "image_path": "../x.png"}],
    )
    answer = usmt("predict", trained, *data)
    assert answer.code == 1 and "holds no image of the tasks" in answer.err
    assert not (tmp_path / "out").exists()
