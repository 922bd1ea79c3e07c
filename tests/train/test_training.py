"""The main job through the command line: learns, repeats itself, resumes, refuses."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Usmt
from ruamel.yaml import YAML
from safetensors.torch import load_file
from small_runs import FOUR_TYPES, QUICK, tasks, weights

MIXED = (*tasks(*FOUR_TYPES), *QUICK)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of two epochs over a task of each type."""
    from usmt.cli.main import main

    out = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", *MIXED, "--set", "epochs=2", "--out", str(out)]) == 0
    return out


def test_the_run_folder_holds_what_is_promised(trained: Path):
    names = {path.name for path in trained.iterdir()}
    assert names == {
        "config.yaml",
        "task_specs",
        "split.csv",
        "data.json",
        "metrics.jsonl",
        "scores.json",
        "scores.csv",
        "rows.csv",
        "best",
        "last",
        "figures",
    }
    assert {p.name for p in (trained / "figures").iterdir()} == {
        "curves.png",
        "gallery.png",
        "routing.png",
    }
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert set(lines[0]["loss"]) == set(FOUR_TYPES)
    assert lines[1]["routing"]["blocks"]


def test_the_split_of_the_run_is_told_with_a_fingerprint(trained: Path):
    (data,) = json.loads((trained / "data.json").read_text()).values()
    with (trained / "split.csv").open(newline="") as file:
        sides = [row["side"] for row in csv.DictReader(file)]
    assert data["sides"] == {side: sides.count(side) for side in ("train", "val", "test")}
    assert data["records"] == len(sides) == sum(data["groups"])
    assert len(data["fingerprint"]) == 64


def test_scores_of_images_add_up_to_the_scores_of_tasks(trained: Path):
    summary = json.loads((trained / "scores.json").read_text())
    with (trained / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    for task, metric in (
        ("fetal_head", "dsc"),
        ("fetal_femur", "mre"),
        ("thyroid_nodule_det", "iou"),
    ):
        values = [float(r["value"]) for r in rows if (r["task"], r["metric"]) == (task, metric)]
        assert len(values) == summary["tasks"][task]["images"]
        assert sum(values) / len(values) == pytest.approx(summary["tasks"][task]["score"], rel=1e-5)
    assert summary["synthetic"] is True


def test_the_table_and_the_warning_that_images_are_synthetic(usmt: Usmt, tmp_path: Path):
    out = tmp_path / "run"
    outcome = usmt("train", *MIXED, "--set", "epochs=1", "--out", out)
    assert outcome.code == 0
    assert "synthetic" in outcome.err
    for word in (*FOUR_TYPES, "trivial", "dsc", "auc", "mre", "iou", str(out)):
        assert word in outcome.out


def test_one_seed_gives_one_result(usmt: Usmt, tmp_path: Path, trained: Path):
    outcome = usmt("train", *MIXED, "--set", "epochs=2", "--out", tmp_path / "again")
    assert outcome.code == 0
    assert weights(tmp_path / "again") == weights(trained)
    assert (tmp_path / "again" / "scores.csv").read_bytes() == (trained / "scores.csv").read_bytes()
    outcome = usmt("train", *MIXED, "--set", "epochs=1", "--seed", "5", "--out", tmp_path / "other")
    assert weights(tmp_path / "other") != weights(trained)


def test_config_yaml_repeats_the_run(usmt: Usmt, tmp_path: Path, trained: Path):
    outcome = usmt("train", "--config", trained / "config.yaml", "--out", tmp_path / "again")
    assert outcome.code == 0
    assert weights(tmp_path / "again") == weights(trained)


@pytest.mark.parametrize("kill_after", [0.3, 1.2, 2.5])
def test_resume_after_kill_is_bit_identical(
    usmt: Usmt, tmp_path: Path, trained: Path, kill_after: float
):
    """Killed without warning some time after its folder appeared."""
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "usmt",
        "train",
        *MIXED,
        "--set",
        "epochs=2",
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / "split.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(kill_after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert usmt("train", "--resume", out).code == 0
    assert weights(out) == weights(trained)
    assert weights(out, "best") == weights(trained, "best")
    assert (out / "scores.csv").read_bytes() == (trained / "scores.csv").read_bytes()


def test_resume_from_the_first_epoch(usmt: Usmt, tmp_path: Path, trained: Path):
    """The state of an epoch, restored from last/, leads to the same end: learning rates, sampler
    and optimizer included."""
    out = tmp_path / "run"
    code = (
        "import os\n"
        "from usmt.train import loop\n"
        "from usmt.cli.main import main\n"
        "saved = loop.keep\n"
        "def keep(*a):\n    saved(*a)\n    os._exit(9)\n"
        "loop.keep = keep\n"
        f"main({['train', *MIXED, '--set', 'epochs=2', '--out', str(out)]!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 9
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 1
    assert usmt("train", "--resume", out).code == 0
    assert weights(out) == weights(trained)
    epochs = [json.loads(x)["epoch"] for x in (out / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [0, 1]


def test_resume_of_a_finished_run_only_says_so(usmt: Usmt, trained: Path):
    before = weights(trained)
    outcome = usmt("train", "--resume", trained)
    assert outcome.code == 0 and "finished" in outcome.err
    assert weights(trained) == before


def test_resume_takes_no_other_settings(usmt: Usmt, trained: Path):
    for option, value in (("--seed", "3"), ("--preset", "paper"), ("--set", "epochs=3")):
        outcome = usmt("train", "--resume", trained, option, value)
        assert outcome.code == 1 and option in outcome.err


def test_resume_refuses_damage_and_folders_that_are_no_run(
    usmt: Usmt, tmp_path: Path, trained: Path
):
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "scores.json").unlink()
    content = (copy / "last" / "optimizer.pt").read_bytes()
    (copy / "last" / "optimizer.pt").write_bytes(content[: len(content) // 2])
    outcome = usmt("train", "--resume", copy)
    assert outcome.code == 1 and "damaged: optimizer.pt" in outcome.err
    text = (trained / "split.csv").read_text()
    (copy / "split.csv").write_text(text.replace(",test,", ",train,", 1))
    for command in (("train", "--resume", copy), ("evaluate", copy)):
        outcome = usmt(*command)
        assert outcome.code == 1 and "not the split that the run began with" in outcome.err
    outcome = usmt("train", "--resume", tmp_path)
    assert outcome.code == 1 and "no config.yaml" in outcome.err


def test_places_where_no_run_can_be(usmt: Usmt, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("kept")
    for out in (file, file / "run"):
        outcome = usmt("train", *MIXED, "--out", out)
        assert outcome.code == 1 and "is not a folder" in outcome.err
    assert file.read_text() == "kept"


def test_an_empty_folder_may_be_the_run(usmt: Usmt, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = usmt("train", "--task", "fetal_femur", *QUICK, "--set", "epochs=1", "--out", ".")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "scores.json").is_file()


def test_an_existing_folder_is_not_overwritten(usmt: Usmt, trained: Path):
    before = weights(trained)
    outcome = usmt("train", *MIXED, "--out", trained)
    assert outcome.code == 1 and "not empty" in outcome.err and "--resume" in outcome.err
    assert weights(trained) == before


def test_evaluate_repeats_validation_scores_and_scores_the_test(usmt: Usmt, trained: Path):
    expected = json.loads((trained / "scores.json").read_text())["tasks"]
    outcome = usmt("evaluate", trained, "--split", "val", "--json")
    assert outcome.code == 0
    for task, entry in outcome.data["tasks"].items():
        assert entry["score"] == pytest.approx(expected[task]["score"], rel=1e-6)
        assert entry["trivial"] == pytest.approx(expected[task]["trivial"], rel=1e-6)
    outcome = usmt("evaluate", trained, "--split", "test", "--json")
    assert outcome.data["split"] == "test"
    with (trained / "split.csv").open() as file:
        test_keys = {(r["task"], r["key"]) for r in csv.DictReader(file) if r["side"] == "test"}
    with (trained / "scores-test.csv").open() as file:
        scored = {(r["task"], r["key"]) for r in csv.DictReader(file)}
    assert scored == {key for key in test_keys if key[0] in FOUR_TYPES}


def test_single_tasks_are_scored_beside_the_whole(usmt: Usmt, trained: Path):
    outcome = usmt("evaluate", trained, "--split", "val", "--task", "fetal_femur", "--json")
    assert outcome.code == 0, outcome.err
    assert list(outcome.data["tasks"]) == ["fetal_femur"]
    alone = json.loads((trained / "scores-val-fetal_femur.json").read_text())
    assert alone["tasks"] == outcome.data["tasks"]
    outcome = usmt("evaluate", trained, "--task", "fetal_femurs")
    assert outcome.code == 1 and "did you mean 'fetal_femur'" in outcome.err


def test_a_run_on_synthetic_images_is_scored_on_real_ones(usmt: Usmt, trained: Path, realus: Path):
    """All of them are new, so all of them count."""
    data = ("--data", f"fmc_uia={realus}", "--task", "fetal_head")
    outcome = usmt("evaluate", trained, *data, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.data["tasks"]["fetal_head"]["images"] == 90
    assert outcome.data["synthetic"] is False
    outcome = usmt("evaluate", trained, *data, "--split", "val")
    assert outcome.code == 1 and "no image on the val side" in outcome.err


def test_training_lowers_the_loss_of_each_task_type(usmt: Usmt, tmp_path: Path):
    out = tmp_path / "run"
    outcome = usmt("train", *MIXED, "--set", "epochs=8", "--set", "augment.degrees=0", "--out", out)
    assert outcome.code == 0
    entries = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    for task in FOUR_TYPES:
        assert entries[-1]["loss"][task] < entries[0]["loss"][task], task


VARIANTS = {
    "bf16": ["precision=bf16"],
    "sparse": ["moe.top_k=1", "moe.balance_weight=0.01"],
    "narrow experts": ["moe.hidden_ratio=1.0"],
    "uniform": ["sampler.kind=uniform"],
    "temperature": ["sampler.kind=temperature", "sampler.temperature=3"],
    "recomputed": ["backbone.checkpointing=true", "backbone.drop_path=0.1"],
    "constant, unclipped, in pieces": [
        "optimizer.schedule=constant",
        "optimizer.clip=null",
        "accumulate=2",
    ],
    "one task counts for more": ["task_weights.fetal_femur=3"],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_change_the_run(usmt: Usmt, tmp_path: Path, trained: Path, variant: str):
    changes = [part for change in VARIANTS[variant] for part in ("--set", change)]
    out = tmp_path / "run"
    outcome = usmt("train", *MIXED, "--set", "epochs=1", *changes, "--out", out)
    assert outcome.code == 0, outcome.err
    (entry,) = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert set(entry["loss"]) == set(FOUR_TYPES)
    first = json.loads((trained / "metrics.jsonl").read_text().splitlines()[0])
    assert entry["loss"] != first["loss"]


def test_dry_run_stops_after_the_audit_and_writes_nothing(usmt: Usmt, tmp_path: Path):
    out = tmp_path / "run"
    outcome = usmt("train", *MIXED, "--dry-run", "--json", "--out", out)
    assert outcome.code == 0 and not out.exists()
    audit = outcome.data["audit"]
    assert {group["group"] for group in audit["groups"]} == {"backbone", "moe", "decoder", "head"}
    assert {task["task"] for task in audit["tasks"]} == set(FOUR_TYPES)
    assert sum(task["weight"] for task in audit["tasks"]) == pytest.approx(1)


def test_moe_is_off_for_one_task_on_for_several_and_as_told(usmt: Usmt):
    def groups(*options: str) -> set[str]:
        audit = usmt("train", *options, *QUICK, "--dry-run", "--json").data["audit"]
        return {group["group"] for group in audit["groups"]}

    one, two = tasks("fetal_femur"), tasks("fetal_femur", "fetal_plane_cls")
    assert "moe" not in groups(*one)
    assert "moe" in groups(*two)
    assert "moe" in groups(*one, "--moe", "on")
    assert "moe" not in groups(*two, "--moe", "off")


def test_the_paper_preset_is_the_paper(usmt: Usmt, tmp_path: Path):
    from usmt.train.load_settings import load_settings

    settings = load_settings("paper", None, {"group": "ob"}, [])
    assert settings.backbone.name == "vit_base_patch16_dinov3.lvd1689m"
    assert settings.backbone.weights == "pretrained"
    assert settings.moe.blocks is None and settings.moe.top_k is None  # None: the last six
    rates = settings.optimizer.learning_rate
    assert (rates.backbone, rates.decoder, rates.moe) == (2e-5, 1e-5, 2e-4)
    assert (rates.head, rates.other) == (1e-3, 1e-5)
    assert settings.optimizer.weight_decay == 1e-4
    assert (settings.epochs, settings.batch_size) == (200, 16)
    assert settings.split.val == 0.2 and settings.task_weights == {}


BAD_OPTIONS = {
    "unknown key": (["--set", "epoch=3"], ["epoch", "epochs"]),
    "unknown nested key": (["--set", "moe.expert=3"], ["moe.expert", "experts"]),
    "wrong type": (["--set", "epochs=many"], ["epochs", "many"]),
    "out of range": (["--set", "batch_size=0"], ["batch_size"]),
    "no value": (["--set", "epochs"], ["key=value"]),
    "unknown preset": (["--preset", "smal"], ["smal", "small"]),
    "unknown task": (["--task", "fetal_hed"], ["fetal_hed", "fetal_head"]),
    "unknown group": (["--group", "obb"], ["obb", "ob"]),
    "unknown dataset": (["--data", "phantm"], ["phantm", "phantom"]),
    "unknown dataset option": (["--set", "data.phantom.image=3"], ["data.phantom.image", "images"]),
    "unknown type option": (
        ["--set", "task_types.segmentation.fusion=3"],
        ["task_types.segmentation.fusion"],
    ),
    "unknown moe": (["--moe", "perhaps"], ["moe", "perhaps"]),
    "unknown option": (["--grp", "ob"], ["--grp"]),
    "data without a root": (["--data", "fmc_uia"], ["fmc_uia", "root"]),
    "data that are not there": (["--data", "fmc_uia=/does/not/exist"], ["/does/not/exist"]),
    "no such backbone": (["--set", "backbone.name=vit_tiny_patch16_dinov"], ["vit_tiny_patch16"]),
    "no weights file": (["--set", "backbone.weights=missing.safetensors"], ["missing.safetensors"]),
    "weight of no task": (["--set", "task_weights.fetal_hed=2"], ["fetal_hed"]),
    "no file": (["--config", "missing.yaml"], ["missing.yaml"]),
    "pieces": (["--set", "accumulate=64"], ["accumulate"]),
    "precision": (["--set", "precision=fp16"], ["fp16"]),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_are_said_and_nothing_is_trained(usmt: Usmt, tmp_path: Path, case: str):
    options, words = BAD_OPTIONS[case]
    base = [] if case.startswith("data") else ["--task", "fetal_head", *QUICK]
    base = base or ["--task", "fetal_head"]
    outcome = usmt("train", *base, *options, "--out", tmp_path / "run")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_config_file_is_laid_over_the_preset_and_its_errors_have_lines(
    usmt: Usmt, tmp_path: Path
):
    good = tmp_path / "good.yaml"
    good.write_text("tasks: [fetal_femur]\nepochs: 3\nmoe:\n  enabled: 'on'\n")
    outcome = usmt("train", "--config", good, *QUICK, "--dry-run", "--json")
    assert outcome.code == 0
    assert [task["task"] for task in outcome.data["audit"]["tasks"]] == ["fetal_femur"]
    bad = tmp_path / "bad.yaml"
    bad.write_text("tasks: [fetal_femur]\nmoe:\n  expert: 3\nepochs: few\n")
    outcome = usmt("train", "--config", bad, *QUICK)
    assert outcome.code == 1
    assert f"{bad}:3:3" in outcome.err and "experts" in outcome.err
    assert f"{bad}:4:" in outcome.err


def test_no_task_is_an_error(usmt: Usmt):
    outcome = usmt("train")
    assert outcome.code == 1 and "--group" in outcome.err


def test_sampler_state_is_in_the_checkpoint(trained: Path):
    state = json.loads((trained / "last" / "state.json").read_text())
    assert state["epoch"] == 2 and state["sampler"]["epoch"] == 2
    assert set(state["sampler"]["drawn"]) == set(FOUR_TYPES)
    assert load_file(trained / "last" / "model.safetensors")


def test_the_settings_in_the_run_are_resolved(trained: Path):
    settings = YAML(typ="safe").load(trained / "config.yaml")
    assert settings["tasks"] == list(FOUR_TYPES)
    assert list(settings["data"]) == ["phantom"]
    assert settings["optimizer"]["learning_rate"]["backbone"] > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_loading_in_other_processes_changes_nothing(usmt: Usmt, tmp_path: Path, trained: Path):
    outcome = usmt(
        "train", *MIXED, "--set", "epochs=2", "--set", "workers=2", "--out", tmp_path / "r"
    )
    assert outcome.code == 0
    assert weights(tmp_path / "r") == weights(trained)
