"""What usmt asks of a task type, a dataset and specs; and the metrics against scikit-learn's."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import usmt_findings
from make_reports import make_reports
from sklearn.metrics import average_precision_score, roc_auc_score
from usmt_findings import Findings, FindingsTaskType, LungReports

from usmt import DataError, TaskSpec, load_catalogue, load_plugins
from usmt.testing import check_dataset, check_spec_dir, check_task_type

NAMES = ("A-lines", "B-lines", "effusion")
SIZE = (24, 32)
LABELS = [frozenset(), frozenset(NAMES), frozenset(NAMES[:1]), frozenset(NAMES[1:])]


@pytest.fixture(scope="module")
def task() -> TaskSpec:
    return load_catalogue(load_plugins()).task("lung_findings")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    make_reports(tmp_path, images=12)
    return tmp_path


def test_the_task_type_keeps_its_contract():
    def opposite(label: frozenset[str], size: tuple[int, int]) -> Findings:
        return Findings(NAMES, np.array([float(name not in label) for name in NAMES]))

    check_task_type(
        FindingsTaskType,
        {"findings": list(NAMES)},
        labels=[(label, SIZE) for label in LABELS],
        bad_labels=[
            *((label, SIZE) for label in (None, "A-lines", ["A-lines"], {"A-lines"}, 1)),
            (frozenset({"A-lines", "pneumothorax"}), SIZE),
            (frozenset({0}), SIZE),
        ],
        ideal=lambda target: 40 * target["shown"] - 20,
        wrong=opposite,
        worst={"auc": 0.0, "exact_match": 0.0, **{f"auc_{name}": 0.0 for name in NAMES}},
        placed=False,
    )


def test_two_findings_of_one_name_are_a_mistake():
    with pytest.raises(ValueError, match="two findings have one name"):
        FindingsTaskType.Spec(
            id="twins",
            title="Twins",
            type="findings",
            organ="lung",
            dataset="lung_reports",
            flip="none",
            findings=["effusion", "effusion"],
        )


def test_the_metrics_are_those_of_scikit_learn_for_any_sample(task: TaskSpec):
    """Scores with ties; samples in which images are repeated or left out; a finding that nobody
    has."""
    rng = np.random.default_rng(3)
    names = task.findings
    shown = rng.random((30, len(names))) < 0.4
    shown[:, 2] = False
    scores = rng.integers(0, 6, shown.shape) / 5
    samples = np.stack([np.ones(30), rng.integers(0, 3, 30), rng.integers(0, 3, 30)])
    pairs = [
        (Findings(tuple(names), score), frozenset(np.array(names)[row]))
        for row, score in zip(shown, scores, strict=True)
    ]
    metrics = FindingsTaskType(FindingsTaskType.Options()).metrics(task)
    for name, score in {"auc": roc_auc_score, "map": average_precision_score}.items():
        metric = pickle.loads(pickle.dumps(metrics[name]))
        for pair in pairs:
            metric.update(*pair)
        rows = np.array([metric.row(*pair) for pair in pairs])
        expected = [
            np.mean([score(shown[:, k], scores[:, k], sample_weight=w) for k in (0, 1, 3)])
            for w in samples
        ]
        assert metric.pool(rows, samples) == pytest.approx(expected, abs=1e-12)
        assert float(metric.compute()) == pytest.approx(expected[0], abs=1e-12)
        rows[4, -1] = np.nan  # a network that has come to grief
        assert np.isnan(metrics["auc_effusion"].pool(rows, np.ones((1, 30)))).all()
    assert np.isnan(metrics["auc_consolidation"].pool(rows, samples)).all()


def test_the_dataset_keeps_its_contract(reports: Path, task: TaskSpec):
    unfit = load_catalogue(load_plugins()).task("breast_2cls")
    check_dataset(LungReports, reports, tasks=[task], unfit=[unfit], defects=0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("000.png,p0,", "findings is ''"),
        ("000.png,p0,none", "'000.png' is already in findings.csv:2"),
        ("new.png,p0,none", "no such file"),
        ("../new.png,p0,none", "leaves the dataset's folder"),
        ("000.png,,none", "patient is empty"),
        ("000.png,p0,effusion;effusion", "different names"),
        ("000.png,p0", "2 cells"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(reports: Path, task: TaskSpec, row: str, reason: str):
    table = reports / "findings.csv"
    lines = table.read_text().splitlines()
    keep = lines if "already" in reason else [lines[0], *lines[2:]]
    table.write_text("\n".join([*keep, row]) + "\n")
    *good, bad = LungReports(LungReports.Options(root=reports)).records(task)
    assert reason in bad.defect and bad.place == f"findings.csv:{len(keep) + 1}"
    assert not any(record.defect for record in good)


def test_a_table_without_its_columns_is_refused(tmp_path: Path):
    (tmp_path / "findings.csv").write_text("image,findings\n")
    with pytest.raises(DataError, match=r"findings\.csv:1: no column patient"):
        LungReports(LungReports.Options(root=tmp_path))


def test_the_specs_are_sound():
    check_spec_dir(Path(usmt_findings.__file__).parent / "specs")
