"""`usmt.load`: the same results as `usmt evaluate` scores, from files and arrays alike."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Usmt
from PIL import Image

import usmt as api
from usmt.data.geometry import Frame
from usmt.predict.views import views_of


@pytest.fixture(scope="module")
def model(trained: Path) -> api.Model:
    return api.load(trained)


def image_of(realus: Path, task: str, number: int = 0) -> Path:
    with (realus / "csv_files" / f"{task}.csv").open(encoding="utf-8", newline="") as file:
        return realus / "csv_files" / list(csv.DictReader(file))[number]["image_path"]


def same(a: object, b: object) -> bool:
    """Whether two results hold the same values."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__
    )


def test_results_are_those_that_are_scored(usmt: Usmt, trained: Path, realus: Path, model):
    """Each image's score in scores-val.csv comes out of the model's own result again, but for what
    the size of a batch does to the last digits."""
    assert usmt("evaluate", trained, "--split", "val").code == 0
    with (trained / "scores-val.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] in ("dsc", "mre", "iou")]
    assert {row["task"] for row in rows} == {
        "fetal_head",
        "fetal_head_axes_reg",
        "breast_lesion_det",
    }
    plugins = api.load_plugins()
    dataset = plugins.dataset("fmc_uia")(api.RootOptions(root=realus))
    for row in rows[::5]:
        spec = model.tasks[row["task"]]
        record = next(r for r in dataset.records(spec) if r.key == row["key"])
        metric = model.type_of(spec.id).metrics(spec)[row["metric"]]
        result = model.predict(realus / "csv_files" / row["key"], spec.id)
        metric.update(result, dataset.read_label(record, spec))
        assert float(metric.compute()) == pytest.approx(float(row["value"]), abs=1e-3)


def test_results_are_typed(model, realus: Path):
    mask = model.predict(image_of(realus, "fetal_head"), "fetal_head").mask
    height, width = np.array(Image.open(image_of(realus, "fetal_head"))).shape[:2]
    assert (mask.shape, mask.dtype) == ((height, width), np.uint8)
    probabilities = model.predict(image_of(realus, "breast_3cls"), "breast_3cls").probabilities
    assert probabilities.shape == (3,) and probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert model.predict(image_of(realus, "fetal_head"), "fetal_head_axes_reg").points.shape == (
        4,
        2,
    )
    found = model.predict(image_of(realus, "breast_lesion_det"), "breast_lesion_det")
    assert found.box.shape == (4,) and 0 <= found.score <= 1


@pytest.mark.parametrize(
    ("name", "convert"),
    [
        ("a.bmp", lambda image: image),
        ("a.tiff", lambda image: image),
        ("a.png", lambda image: image.convert("RGB")),
        ("a.png", lambda image: image.convert("RGBA")),
        ("a.png", lambda image: image.convert("P")),
        (
            "a.png",
            lambda image: Image.fromarray(np.array(image).astype(np.uint16) * 257),
        ),
    ],
    ids=["bmp", "tiff", "rgb", "rgba", "palette", "16 bits"],
)
def test_every_kind_of_file_is_read_alike(model, realus: Path, tmp_path: Path, name, convert):
    grey = Image.open(image_of(realus, "fetal_head")).convert("L")
    convert(grey).save(tmp_path / name)
    for task in model.tasks:
        assert same(model.predict(tmp_path / name, task), model.predict(np.array(grey), task))


def test_a_jpeg_is_read(model, realus: Path, tmp_path: Path):
    grey = Image.open(image_of(realus, "fetal_head")).convert("L")
    grey.save(tmp_path / "a.jpg", quality=95)
    near = model.predict(tmp_path / "a.jpg", "fetal_head").mask
    assert (near == model.predict(np.array(grey), "fetal_head").mask).mean() > 0.95


def test_a_batch_mixes_tasks_and_changes_nothing(model, realus: Path):
    prepared, alone = [], []
    for task in model.tasks:
        for number in range(3):
            pixels = api.read_image(image_of(realus, "fetal_head", number))
            prepared.append(model.prepare(pixels, task))
            alone.append(model.predict(pixels, task))
    for one, result in zip(model.predict_prepared(prepared), alone, strict=True):
        for name in result.__dataclass_fields__:
            a, b = np.asarray(getattr(one, name)), np.asarray(getattr(result, name))
            if name == "mask":
                assert (a != b).mean() < 1e-3
            else:
                assert np.allclose(a, b, rtol=0, atol=1e-3)


def test_mirrored_images_give_mirrored_results_with_tta(model, realus: Path):
    """`fetal_head` may be mirrored from left to right: with --tta the network cannot tell."""
    pixels = api.read_image(image_of(realus, "fetal_head"))
    seen = model.predict(pixels, "fetal_head", tta=True).mask
    mirrored = model.predict(np.ascontiguousarray(pixels[:, ::-1]), "fetal_head", tta=True).mask
    assert (mirrored[:, ::-1] == seen).mean() > 0.999
    plain = model.predict(pixels, "fetal_head").mask
    other = model.predict(np.ascontiguousarray(pixels[:, ::-1]), "fetal_head").mask
    assert (other[:, ::-1] == plain).mean() < 0.999, "the network is blind to mirroring anyway"


def test_a_task_that_may_not_be_mirrored_is_seen_once(model, realus: Path):
    pixels = api.read_image(image_of(realus, "fetal_head"))
    task = "fetal_head_axes_reg"
    assert model.tasks[task].flip == "none"
    assert same(model.predict(pixels, task, tta=True), model.predict(pixels, task))


def test_bf16_is_near(trained: Path, realus: Path, model):
    coarse = api.load(trained, precision="bf16")
    assert coarse.fingerprint != model.fingerprint
    path = image_of(realus, "breast_3cls")
    near = coarse.predict(path, "breast_3cls").probabilities
    exact = model.predict(path, "breast_3cls").probabilities
    assert np.abs(near - exact).max() < 0.05
    assert near.sum() == pytest.approx(1, abs=1e-9)


def test_one_task_needs_no_name_and_checkpoints_can_be_named(trained_alone: Path, realus: Path):
    path = image_of(realus, "ovary_tumor_det")
    best, last = api.load(trained_alone), api.load(trained_alone / "last")
    assert same(best.predict(path), api.load(str(trained_alone / "best")).predict(str(path)))
    assert last.tasks == best.tasks


def test_what_cannot_be_predicted(model, realus: Path, tmp_path: Path):
    path = image_of(realus, "fetal_head")
    with pytest.raises(api.UsmtError, match="did you mean 'fetal_head'"):
        model.predict(path, "fetal_heads")
    with pytest.raises(api.UsmtError, match="several tasks"):
        model.predict(path)
    with pytest.raises(api.DataError, match="No such file"):
        model.predict(tmp_path / "none.png", "fetal_head")
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(api.DataError, match="expected uint8"):
            model.predict(wrong, "fetal_head")
    with pytest.raises(api.DataError, match="expected uint8"):
        model.predict([[1]], "fetal_head")


def test_what_cannot_be_loaded(trained: Path, tmp_path: Path):
    with pytest.raises(api.UsmtError, match=r"no config\.yaml"):
        api.load(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    weights = run / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8] + bytes(8))
    with pytest.raises(api.UsmtError, match="SHA-256 differs"):
        api.load(run)
    manifest = run / "best" / "manifest.json"
    manifest.write_text(json.dumps({"format": 1, "sha256": {}}))
    with pytest.raises(api.UsmtError, match="damaged"):
        api.load(run)
    with pytest.raises(api.UsmtError, match="CUDA"):
        api.load(trained, device="cuda")


def test_the_example_of_the_page_on_predicting(
    trained: Path, realus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page = (Path(__file__).parents[2] / "docs" / "how_to" / "predict.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    shutil.copytree(trained, tmp_path / "runs" / "two")
    shutil.copy(image_of(realus, "fetal_head"), tmp_path / "scan.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)
    image = api.read_image(tmp_path / "scan.png")
    assert names["picture"].shape == (*image.shape[:2], 3)
    assert names["result"].mask.shape == image.shape[:2]


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical", "both"])
def test_each_view_leads_back_to_the_same_pixels(flip: str):
    """A mark in the image is, in every view, where the view's frame says it is."""
    frame = Frame.fit((48, 64), (64, 64))
    image = torch.zeros(1, 64, 64)
    x, y = frame.to_network(np.array([10.5, 5.5]))
    image[0, int(y), int(x)] = 1
    views = views_of(image, frame, flip)
    assert len(views) == {"none": 1, "horizontal": 2, "vertical": 2, "both": 4}[flip]
    places = set()
    for view in views:
        _, row, column = (int(i) for i in view.image.nonzero()[0])
        places.add((row, column))
        back = view.frame.to_original(np.array([column + 0.5, row + 0.5]))
        assert np.allclose(back, [10.5, 5.5])
    assert len(places) == len(views)


def test_bf16_keeps_points_and_boxes(trained: Path, realus: Path, model):
    """Places are computed in single precision: bf16 tells only 256 of them apart."""
    coarse = api.load(trained, precision="bf16")
    task = "fetal_head_axes_reg"
    for number in range(5):
        path = image_of(realus, task, number)
        near, exact = coarse.predict(path, task), model.predict(path, task)
        # A 256th of the canvas is about a pixel here.
        assert np.abs(near.points - exact.points).max() < 0.5
