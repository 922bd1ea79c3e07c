"""`usmt tasks`, `groups`, `plugins`: what is printed, where, and with which exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from command_line import Answer, Usmt

TASK_KEYS = ["id", "type", "organ", "dataset", "images", "groups", "plugin"]
GROUP_KEYS = ["id", "title", "tasks", "images", "published", "plugin", "file"]
PLUGIN_KEYS = [
    "name",
    "distribution",
    "version",
    "status",
    "error",
    "task_types",
    "datasets",
    "backbones",
    "executors",
    "spec_dirs",
    "commands",
    "remarks",
]
BUILT_IN = [
    "classification",
    "detection",
    "fmc_uia",
    "local",
    "own_data",
    "phantom",
    "public_data",
    "ray",
    "regression",
    "segmentation",
    "timm",
    "transformers",
    "usfm",
]
OB = {
    "FUGC",
    "IUGC",
    "fetal_femur",
    "fetal_abdomen_multi",
    "fetal_head",
    "fetal_plane_cls",
    "fetal_sacral_pos_cls",
}

PLUGIN = """
import usmt

class Volume(usmt.TaskType):
    name = "volume"
    primary = "error"
    problems = wrap = target = head = loss = decode = metrics = lambda self, *given: None
    selection_score = trivial = draw_label = draw_result = lambda self, *given: None

@usmt.hookimpl
def usmt_task_types():
    print("noise at discovery")
    return [Volume]

@usmt.hookimpl
def usmt_commands(app):
    @app.command("measure")
    def measure(how: str = "well") -> None:
        if how == "badly":
            raise ZeroDivisionError("by a plugin's command")
        if how == "stopped":
            raise KeyboardInterrupt
        print("measured")
"""
TASK = """
id: bladder_volume
title: Bladder volume
type: volume
organ: bladder
dataset: ward
flip: none
"""
GROUP = "id: ward\ntitle: Everything of the ward\ntasks: [bladder_volume, lung]\n"


@pytest.fixture
def ward(tmp_path: Path) -> list[object]:
    """The options that add one task type, one task and one group."""
    for name, text in {
        "plugins/ward_plugin.py": PLUGIN,
        "specs/tasks/bladder_volume.yaml": TASK,
        "specs/groups/ward.yaml": GROUP,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ["--plugins-dir", tmp_path / "plugins", "--specs", tmp_path / "specs"]


# -- the built-in tasks


def of_fmc_uia(answer: Answer) -> list[dict[str, Any]]:
    """Those of a list of tasks that are the challenge's: public datasets bring theirs."""
    return [task for task in answer.data if task["dataset"] == "fmc_uia"]


def test_the_27_tasks(usmt: Usmt) -> None:
    answer = usmt("tasks", "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert len(of_fmc_uia(answer)) == 27
    assert all(list(task) == TASK_KEYS for task in answer.data)
    [head] = [task for task in answer.data if task["id"] == "fetal_head"]
    assert head["type"] == head["plugin"] == "segmentation"
    assert head["dataset"] == "fmc_uia" and set(head["groups"]) == {"ob", "all"}
    [lung] = [task for task in answer.data if task["id"] == "lung"]
    assert lung["images"] == 1482 and head["images"] is None  # published, and not


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["--type", "detection"], 3),
        (["--type", "regression"], 3),
        (["--type", "classification"], 9),
        (["--type", "segmentation"], 12),
        (["--group", "lung"], 3),
        (["--group", "breast", "--type", "classification"], 2),
        (["--organ", "liver"], 1),
    ],
)
def test_filters(usmt: Usmt, filters: list[str], count: int) -> None:
    assert len(of_fmc_uia(usmt("tasks", "list", "--json", *filters))) == count


def test_groups(usmt: Usmt) -> None:
    groups = {group["id"]: group for group in usmt("groups", "list", "--json").data}
    assert {name for name, group in groups.items() if group["plugin"] == "fmc_uia"} == {
        *("ob", "breast", "lung", "all")
    }
    assert all(list(group) == GROUP_KEYS for group in groups.values())
    assert set(groups["ob"]["tasks"]) == OB and groups["ob"]["images"] == 14887
    assert len(groups["all"]["tasks"]) == 27 and groups["all"]["images"] == 40388
    assert usmt("groups", "show", "ob", "--json").data == groups["ob"]
    assert groups["ob"]["published"] == {"cg": 2.93, "au": 3.76}
    assert groups["all"]["published"] == {}
    text = usmt("groups", "show", "ob").out
    assert all(task in text for task in OB)
    assert "published mean change from ts: cg +2.93, au +3.76" in text
    assert "published" not in usmt("groups", "show", "all").out


def test_published_scores_are_shown(usmt: Usmt) -> None:
    task = usmt("tasks", "show", "FUGC", "--json").data
    assert task["published"] == {"ts": {"mre": 30.4}, "au": {"mre": 15.6}}
    text = usmt("tasks", "show", "FUGC").out
    assert "published.ts" in text and "mre 30.4" in text


def test_the_built_in_plugins(usmt: Usmt) -> None:
    answer = usmt("plugins", "list", "--json")
    assert answer.err == ""
    built_in = [each for each in answer.data if each["distribution"] == "usmt"]
    assert [each["name"] for each in built_in] == BUILT_IN
    for each in built_in:
        assert list(each) == PLUGIN_KEYS
        assert (each["status"], each["error"], each["version"]) == ("ok", None, version("usmt"))


# -- a plugin's and a user's own


@pytest.mark.parametrize("order", ["before", "after"])
def test_own_task_type_task_and_group(usmt: Usmt, ward: list[object], order: str) -> None:
    def ask(*command: str) -> Answer:
        return usmt(*ward, *command) if order == "before" else usmt(*command, *ward)

    answer = ask("tasks", "show", "bladder_volume", "--json")
    assert answer.code == 0
    assert list(answer.data)[: len(TASK_KEYS)] == TASK_KEYS
    assert answer.data["plugin"] == "ward_plugin" and answer.data["groups"] == ["ward"]
    assert answer.data["title"] == "Bladder volume" and answer.data["images"] is None
    assert answer.data["file"].endswith("bladder_volume.yaml")
    assert "noise at discovery" in answer.err
    [group] = [group for group in ask("groups", "list", "--json").data if group["id"] == "ward"]
    assert group["images"] is None and group["tasks"] == ["bladder_volume", "lung"]


def test_a_plugins_command(usmt: Usmt, ward: list[object]) -> None:
    folder = ward[:2]
    assert usmt(*folder, "measure") == (0, "measured\n", "noise at discovery\n")
    listed = usmt("plugins", "list", *folder, "--json").data
    assert [each["commands"] for each in listed if each["name"] == "ward_plugin"] == [["measure"]]
    assert "measure" in usmt(*folder, "--help").out


def test_a_broken_plugin_is_listed_and_does_no_harm(usmt: Usmt, tmp_path: Path) -> None:
    (tmp_path / "broken_ward.py").write_text("import no_such_library\n")
    answer = usmt("plugins", "list", "--plugins-dir", tmp_path, "--json")
    [broken] = [each for each in answer.data if each["name"] == "broken_ward"]
    assert broken["status"] == "failed"
    assert "No module named 'no_such_library'" in broken["error"]
    assert f"{tmp_path / 'broken_ward.py'}:1" in broken["error"]
    listed = usmt("plugins", "list", "--plugins-dir", tmp_path)
    assert broken["error"] in listed.out
    tasks = usmt("tasks", "list", "--plugins-dir", tmp_path, "--json")
    assert tasks.code == 0 and len(of_fmc_uia(tasks)) == 27
    assert "plugins that failed: broken_ward (see: usmt plugins list)" in tasks.err


def test_plugins_are_listed_though_the_specs_are_broken(usmt: Usmt, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "bad.yaml").write_text("id: [")
    assert usmt("--specs", tmp_path, "tasks", "list").code == 1
    assert usmt("--specs", tmp_path, "plugins", "list").code == 0


# -- mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tasks", "show", "breast_lesoin"], "did you mean 'breast_lesion'?"),
        (["tasks", "list", "--type", "segmentaton"], "did you mean 'segmentation'?"),
        (["tasks", "list", "--organ", "brest"], "did you mean 'breast'?"),
        (["tasks", "list", "--group", "brest"], "did you mean 'breast'?"),
        (["groups", "show", "brest"], "did you mean 'breast'?"),
        (["taks"], "Did you mean 'tasks'?"),
        (["tasks", "lst"], "Did you mean 'list'?"),
        (["tasks", "list", "--ogran", "x"], "--organ"),
        (["tasks", "show"], "Missing argument"),
        (["--plugins-dir", "/nowhere/at/all", "--help"], "no such folder"),
    ],
)
def test_a_mistake_is_explained_on_stderr(usmt: Usmt, arguments: list[str], said: str) -> None:
    answer = usmt(*arguments)
    assert answer.code == 1
    assert said in answer.err and "Traceback" not in answer.err
    assert answer.out == ""


def test_a_disabled_plugin_is_named(usmt: Usmt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", "detection,detecton")
    answer = usmt("tasks", "list", "--json")
    assert "there is no plugin 'detecton' (did you mean 'detection'?)" in answer.err
    assert {task["type"] for task in answer.data} == {
        "segmentation",
        "classification",
        "regression",
    }
    shown = usmt("tasks", "show", "thyroid_nodule_det")
    assert shown.code == 1
    assert "detection (usmt" in shown.err and "disabled" in shown.err


def test_what_a_plugins_command_raises_is_the_plugins(usmt: Usmt, ward: list[object]) -> None:
    answer = usmt(*ward, "measure", "--how", "badly")
    assert answer.code == 1
    assert "Traceback" not in answer.err and "by a plugin's command" in answer.err
    assert "error: plugin ward_plugin (" in answer.err and "ward_plugin.py:" in answer.err
    assert "a fault of the plugin" in answer.err
    assert answer.out == ""


def test_a_defect_has_a_traceback_and_its_own_exit_code(
    usmt: Usmt, ward: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usmt.cli.tasks.summary", lambda *given: 1 / 0)
    answer = usmt(*ward, "tasks", "list")
    assert answer.code == 2
    assert "Traceback" in answer.err and "ZeroDivisionError" in answer.err
    assert f"defect of usmt {version('usmt')}" in answer.err
    assert answer.out == ""


def test_ctrl_c(usmt: Usmt, ward: list[object]) -> None:
    answer = usmt(*ward, "measure", "--how", "stopped")
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == "interrupted"


def test_version_and_help(usmt: Usmt) -> None:
    assert usmt("--version") == (0, f"usmt {version('usmt')}\n", "")
    answer = usmt("--help")
    assert answer.code == 0
    for command in ("train", "evaluate", "tasks", "groups", "datasets", "backbones", "plugins"):
        assert command in answer.out
    assert usmt().code == 1


# -- in a process of its own

LOOKS = [
    ["--help"],
    ["--version"],
    ["train", "--help"],
    ["tasks", "list"],
    ["tasks", "list", "--group", "ob", "--json"],
    ["tasks", "show", "breast_lesion"],
    ["groups", "list"],
    ["groups", "show", "ob"],
    ["plugins", "list"],
]
PROBE = """
import sys
from usmt.cli.main import main
code = main(sys.argv[1:])
slow = {"torch", "torchvision", "timm", "torchmetrics", "scipy", "sklearn", "pandas", "cv2"}
sys.exit(code or ",".join(slow & set(sys.modules)) or 0)
"""


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_no_look_imports_torch(arguments: list[str]) -> None:
    """How long each takes is measured in benchmarks/startup.py."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii() and "\x1b" not in done.stdout


def test_module_entry_and_a_reader_that_goes_away() -> None:
    command = [sys.executable, "-m", "usmt", "tasks", "list", "--json"]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 1)
