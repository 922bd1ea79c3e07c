"""What is kept of each image: read as it was written, the whole of a score, and refused where it is
damaged."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchmetrics import Metric

from usmt import ImageMetric, PooledMetric, Record, load_plugins
from usmt.data.collection import TaskData
from usmt.errors import CheckpointError
from usmt.evaluate.rows import ImageRows
from usmt.evaluate.scoring import Evaluation, Tally
from usmt.train.run_folder import RunFolder
from usmt_phantom import Phantom
from usmt_regression import RegressionTaskType

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@st.composite
def tables(draw) -> dict[tuple[str, str], ImageRows]:
    names = draw(st.lists(st.tuples(TEXT, TEXT), max_size=3, unique=True))
    found = {}
    for name in names:
        keys = sorted(draw(st.lists(TEXT, min_size=1, max_size=4, unique=True)))
        width = draw(st.integers(1, 3))
        line = st.lists(st.floats(), min_size=width, max_size=width)
        rows = [draw(line) for _ in keys]
        found[name] = ImageRows(keys, [draw(TEXT) for _ in keys], np.array(rows))
    return found


def written(folder: Path, rows, side: str = "") -> RunFolder:
    run = RunFolder(folder)
    run.write_scores({"split": side}, Evaluation({}, {}, 0.5, [], rows), side)
    return run


@given(tables())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_read_as_they_were_written(tmp_path: Path, rows):
    found = written(tmp_path, rows, "test").read_rows("test")
    assert found.keys() == rows.keys()
    for name, its in rows.items():
        assert (list(found[name].keys), list(found[name].sources)) == (its.keys, its.sources)
        assert found[name].rows.dtype == np.float64
        same = found[name].rows.view(np.int64) == its.rows.view(np.int64)
        assert (same | np.isnan(its.rows) & np.isnan(found[name].rows)).all()


SOUND = {
    ("a", "m"): ImageRows(["1", "2"], ["p", "q"], np.array([[0.1, 2.0], [0.3, np.nan]])),
    ("a", "n"): ImageRows(["1"], ["p"], np.array([[-np.inf]])),
}


def test_the_file(tmp_path: Path):
    run = written(tmp_path, SOUND)
    assert run.rows().read_text() == (
        "task,key,source_id,metric,row\na,1,p,m,0.1 2.0\na,2,q,m,0.3 nan\na,1,p,n,-inf\n"
    )  # line ends are read as \n
    assert run.rows("test").name == "rows-test.csv"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("source_id", "source", ":1: expected the columns task, key, source_id, metric, row"),
        ("0.3 nan", "0.3 x", ":3: not a line of rows: 'a,2,q,m,0.3 x'"),
        ("0.3 nan", "0.3", ":3: 1 numbers, but 2 in the lines before"),
        ("a,2,q,m,0.3 nan", "a,2,q,m", ":3: not a line of rows"),
        ("a,2,q,m,0.3 nan", "a,2,q,m,", ":3: not a line of rows"),
        ("a,2,", "a,1,", ":3: '1' of task 'a' has two rows for m"),
        ("a,1,p,n,-inf\r\n", "a,1,p,n,-i", ":4: not a line of rows"),
        ("a,1,p,n,-inf\r\n", "a,1,p,n,-inf", ":4: the line is cut off"),
        ("a,2,q", 'a,"2,q', ":3: not a line of rows"),
        ("a,2,q", "a,\udcff,q", ":3: not UTF-8"),
    ],
)
def test_a_file_that_is_damaged_is_refused_with_its_line(tmp_path: Path, old, new, told):
    run = written(tmp_path, SOUND)
    text = run.rows().read_bytes().decode()
    assert text.count(old) == 1
    run.rows().write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    with pytest.raises(CheckpointError) as error:
        run.read_rows()
    assert f"{run.rows()}{told}" in str(error.value)
    assert "score the run again" in str(error.value)


def test_a_run_without_the_file(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"rows-test\.csv: cannot be read: No such file"):
        RunFolder(tmp_path).read_rows("test")


@given(cut=st.integers(0, 200), junk=st.binary(max_size=6))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_told_or_harmless(tmp_path: Path, cut: int, junk: bytes):
    run = written(tmp_path, SOUND)
    data = run.rows().read_bytes()
    run.rows().write_bytes(data[:cut] + junk + data[cut + 1 :])
    try:
        run.read_rows()
    except CheckpointError as error:
        assert str(run.rows()) in str(error)


# -- of a run


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A short run over two tasks, of which one has metrics that need all images."""
    from usmt.cli.main import main

    out = tmp_path_factory.mktemp("trained") / "run"
    changes = ["epochs=1", "image_size=64", "data.phantom={images: 30, size: 64}", "moe.experts=2"]
    options = [part for change in changes for part in ("--set", change)]
    named = ["--task", "fetal_plane_cls", "--task", "fetal_femur"]
    assert main(["train", *named, *options, "--out", str(out)]) == 0
    assert main(["evaluate", str(out), "--split", "test"]) == 0
    return out


@pytest.mark.parametrize("side", ["", "test"])
def test_rows_make_up_the_scores(trained: Path, side: str):
    run = RunFolder(trained)
    summary = json.loads(run.scores(side).read_text())["tasks"]
    rows = run.read_rows(side)
    plugins = load_plugins()
    of = {"fetal_plane_cls": "classification", "fetal_femur": "regression"}
    assert {task for task, _ in rows} == set(of)
    for task, kind in of.items():
        type_ = plugins.task_type(kind)
        spec = _spec(task)
        for name, metric in type_(type_.Options()).metrics(spec).items():
            its = rows[task, name]
            assert list(its.keys) == sorted(its.keys)
            assert len(its.keys) == summary[task]["images"] == len(its.sources)
            (score,) = metric.pool(its.rows, np.ones((1, len(its.keys))))
            assert score == pytest.approx(summary[task]["scores"][name], abs=1e-12)
    with run.scores(side).with_suffix(".csv").open(newline="") as file:
        values = {
            (row["task"], row["metric"], row["key"]): float(row["value"])
            for row in csv.DictReader(file)
        }
    for (task, name, key), value in values.items():
        assert rows[task, name].rows[list(rows[task, name].keys).index(key), 0] == value
    assert {(task, name) for task, name, _ in values} < set(rows)


def _spec(task: str):
    from usmt import load_catalogue

    return load_catalogue(load_plugins()).task(task)


# -- metrics


def first(result, label):
    return (result, label)


def largest(rows, weights):
    found = [rows[weight > 0, 0].max(initial=-np.inf) for weight in weights]
    return np.array(found)


def test_a_pooled_metric_is_its_pool_over_each_image_once():
    metric = PooledMetric(first, largest, higher_is_better=False)
    assert metric.higher_is_better is False and metric.per_image is False
    for pair in ((1, 0), (5, 0), (3, 0)):
        metric.update(*pair)
    other = pickle.loads(pickle.dumps(metric))
    other.update(9, 0)
    metric.merge_state(other)
    assert float(metric.compute()) == 9
    assert float(other.compute()) == 9
    assert sorted(row[0, 0].item() for row in metric.rows) == [1, 1, 3, 3, 5, 5, 9]


@given(
    scores=st.lists(st.floats(-1e3, 1e3) | st.just(np.nan) | st.just(np.inf), min_size=1),
    data=st.data(),
)
def test_the_weighted_mean_of_an_image_metric(scores, data):
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(scores))))[: len(scores)]
    rows = np.array(scores)[:, None]
    (found,) = ImageMetric.pool(rows, weights[None])
    repeated = np.repeat(rows[:, 0], weights)
    expected = repeated.mean() if len(repeated) else np.nan
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


class Plain(Metric):
    """As of a plugin that keeps no rows."""

    higher_is_better = True
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, result, label) -> None:
        self.count += 1

    def compute(self):
        return self.count


def test_a_metric_without_rows_is_scored_all_the_same():
    class Type(RegressionTaskType):
        primary = "nme"

        def metrics(self, spec):
            return {"nme": ImageMetric(first_of, higher_is_better=False), "plain": Plain()}

    task = TaskData(_spec("fetal_femur"), Type(Type.Options()), Phantom(Phantom.Options()), {})
    tally = Tally({"fetal_femur": task})
    for key in "ba":
        tally.add("fetal_femur", Record("fetal_femur", key, f"of {key}", ""), float(ord(key)), None)
    evaluation = tally.evaluation()
    assert evaluation.scores == {"fetal_femur": {"nme": 97.5, "plain": 2}}
    assert set(evaluation.rows) == {("fetal_femur", "nme")}
    its = evaluation.rows["fetal_femur", "nme"]
    assert list(its.keys) == ["a", "b"] and list(its.sources) == ["of a", "of b"]
    assert its.rows.tolist() == [[97.0], [98.0]]


def first_of(result, label):
    return result
