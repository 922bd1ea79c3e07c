"""Files that usmt wrote and somebody changed: splits, journals, lists, runs and checkpoints."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from damage import vouch
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import fuzz, mutated
from small_copy import TASKS

from usmt import DataError, RootOptions, UsmtError
from usmt.data.split import Split
from usmt.errors import CheckpointError, WeightsError
from usmt.model.weights import read_tensors
from usmt.predict.journal import Done, Journal
from usmt.train.checkpoint import load_checkpoint
from usmt.train.run_folder import RunFolder
from usmt_fmc_uia import FmcUia


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


def check_message(error: UsmtError) -> None:
    text = str(error)
    assert text.encode()
    assert len(text.splitlines()) <= 25
    assert max(map(len, text.splitlines())) < 500


# -- splits

PIXELS = "0123456789abcdef" * 4
SPLIT = "\r\n".join(
    [
        "task,key,side,group,source_id,content",
        f"a,../1.png,train,0123456789abcdef,p 1,{PIXELS}",
        'a,"x, ""y""",val,0123456789abcdef,p 1,',
        f"b,../1.png,test,fedcba9876543210,p 2,{PIXELS}",
        "",
    ]
)


@given(st.binary(max_size=200) | mutated([SPLIT.encode()]))
@example(SPLIT.encode())
@fuzz(1500)
def test_a_split(folder: Path, content: bytes) -> None:
    path = folder / "split.csv"
    path.write_bytes(content)
    try:
        split = Split.read(path)
    except DataError as error:
        check_message(error)
        place = re.match(rf"{path}:([0-9]+): ", str(error))
        assert place and 1 <= int(place[1]) <= len(content.splitlines()) + 1
    else:
        split.write(path)
        assert Split.read(path).places == split.places


# -- what was predicted already

DONE = [
    Done("a", f"../{i}.png", "m", None, {"mask_path": "x", "box": [1.5, None]}) for i in range(3)
]
JOURNAL = "".join(json.dumps(asdict(done)) + "\n" for done in DONE)


@given(st.binary(max_size=200) | mutated([JOURNAL.encode()]))
@example(JOURNAL.encode())
@example(b'{"task": 1, "key": [], "model": null, "entry": 3}\n')
@example(b"[" * 100_000 + b"\n")
@fuzz(1000)
def test_a_journal(folder: Path, content: bytes) -> None:
    journal = Journal(folder)
    journal.path.write_bytes(content)
    try:
        journal.cut_torn_line()
        found = journal.read()
    except DataError as error:
        check_message(error)
        assert str(journal.path) in str(error)
    else:
        assert len(found) == content.count(b"\n")
        for done in found:
            assert isinstance(done.task, str) and isinstance(done.key, str)
            assert isinstance(done.model, str) and isinstance(done.entry, dict)
            assert done.image is None or isinstance(done.image, str)


# -- lists of predictions

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
LISTS = {
    "breast_2cls": ("classification", {"predicted_class": 0, "predicted_probs": [0.5, 0.5]}),
    "breast_lesion_det": (
        "detection",
        {"bbox_normalized": [0.1, 0.1, 0.5, 0.5], "bbox_pixels": [10, 10, 50, 50]},
    ),
    "fetal_head_axes_reg": (
        "regression",
        {"predicted_points_normalized": [0.5] * 8, "predicted_points_pixels": [50.0] * 8},
    ),
}


@given(st.sampled_from(sorted(LISTS)), st.data())
@fuzz(400)
def test_a_list_of_predictions(good: Path, folder: Path, task: str, data: st.DataObject) -> None:
    kind, answer = LISTS[task]
    entry = {"task_id": task, "image_path": f"../images/{task}/01.png", **answer}
    for key in data.draw(st.lists(st.sampled_from(sorted(entry)), max_size=2)):
        entry[key] = data.draw(VALUES)
    whole = data.draw(st.sampled_from([[entry], entry, [[entry]], [None, entry]]) | VALUES)
    content = json.dumps(whole).encode()
    check_list(good, folder, kind, data.draw(st.just(content) | mutated([content])))


def check_list(good: Path, folder: Path, kind: str, content: bytes) -> None:
    predictions = folder / "predictions"
    predictions.mkdir(exist_ok=True)
    for path in predictions.glob("*.json"):
        path.unlink()
    (predictions / f"{kind}_predictions.json").write_bytes(content)
    submission = FmcUia(RootOptions(root=good / "data")).submission(predictions)
    for defect in submission.check(TASKS):
        assert defect.place
        assert str(defect).encode("utf-8", "backslashreplace")
        assert len(str(defect)) < 2000


# -- runs and checkpoints


@pytest.fixture(scope="module")
def run(good: Path, folder: Path) -> Path:
    shutil.copytree(good / "run", folder / "run")
    return folder / "run"


FILES = ("last/optimizer.pt", "last/state.json", "last/model.safetensors", "last/manifest.json")


@given(st.sampled_from(FILES), st.data())
@fuzz(250)
def test_a_checkpoint(good: Path, run: Path, name: str, data: st.DataObject) -> None:
    """Whatever its manifest vouches for, only tensors and plain values are read."""
    kept = (good / "run" / name).read_bytes()
    try:
        (run / name).write_bytes(data.draw(mutated([kept]) | st.binary(max_size=100)))
        if name != "last/manifest.json":
            vouch("last")(run)
        load_checkpoint(run / "last")
    except CheckpointError as error:
        check_message(error)
        assert str(run / "last") in str(error)
    finally:
        for file in FILES:
            shutil.copyfile(good / "run" / file, run / file)


@given(st.sampled_from(FILES[:3]), st.sampled_from([".pth", ".safetensors"]), st.data())
@fuzz(150)
def test_weights(good: Path, folder: Path, name: str, suffix: str, data: st.DataObject) -> None:
    path = folder / f"weights{suffix}"
    path.write_bytes(data.draw(mutated([(good / "run" / name).read_bytes()])))
    try:
        read_tensors(path)
    except WeightsError as error:
        check_message(error)
        assert str(path) in str(error)


OWN = ("config.yaml", "data.json", "metrics.jsonl", "split.csv")


@given(st.sampled_from(OWN), st.data())
@fuzz(300)
def test_a_run(good: Path, run: Path, name: str, data: st.DataObject) -> None:
    folder = RunFolder(run)
    try:
        (run / name).write_bytes(data.draw(mutated([(good / "run" / name).read_bytes()])))
        settings = folder.settings()
        folder.read_splits(list(settings.data))
        folder.read_metrics()
    except (CheckpointError, DataError) as error:
        check_message(error)
        assert str(run) in str(error)
    finally:
        shutil.copyfile(good / "run" / name, run / name)
