"""`check_spec_dir` passes sound folders, and names all mistakes of one that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from usmt.testing import BrokenRuleError, check_spec_dir

TASK = """
id: {id}
title: A lesion
type: {type}
organ: breast
dataset: {dataset}
flip: horizontal
classes: [background, lesion]
"""
GROUP = "id: {id}\ntitle: All of it\ntasks: [{tasks}]\n"


def write(folder: Path, name: str, text: str, **values: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    filled = {"id": path.stem, "type": "segmentation", "dataset": "phantom", **values}
    path.write_text(text.format(**filled), encoding="utf-8")


def complaint(folder: Path) -> str:
    with pytest.raises(BrokenRuleError) as caught:
        check_spec_dir(folder)
    return str(caught.value)


def test_the_shipped_specs_and_those_of_the_tests(realus_specs: Path) -> None:
    check_spec_dir(Path(__file__).parents[2] / "task_specs")
    check_spec_dir(realus_specs)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    write(tmp_path, "tasks/my_lesion.yaml", TASK, id="other")
    write(tmp_path, "tasks/my_second.yaml", TASK, type="segmentaton")
    write(tmp_path, "groups/mine.yaml", GROUP, tasks="my_lesion, my_thrid")
    text = complaint(tmp_path)
    for part in (
        "my_lesion.yaml:2:",
        "expected 'my_lesion' as the file is named",
        "my_second.yaml:4:",
        "did you mean 'segmentation'?",
        "mine.yaml:3:",
        "there is no task 'my_thrid'",
    ):
        assert part in text, text


def test_a_dataset_that_nobody_gives(tmp_path: Path) -> None:
    write(tmp_path, "tasks/my_lesion.yaml", TASK, dataset="phantm")
    text = complaint(tmp_path)
    assert "my_lesion.yaml: no plugin gives the dataset 'phantm' (did you mean 'phantom'?)" in text


def test_a_file_that_nobody_reads(tmp_path: Path) -> None:
    write(tmp_path, "tasks/my_lesion.yaml", TASK)
    write(tmp_path, "task/my_second.yaml", TASK)
    assert "task/my_second.yaml: usmt does not read it" in complaint(tmp_path)
    (tmp_path / "task" / "my_second.yaml").unlink()
    check_spec_dir(tmp_path)


def test_loose_plugins_give_types(tmp_path: Path) -> None:
    write(tmp_path, "specs/tasks/my_spot.yaml", TASK.replace("classes", "#"), type="spot")
    assert "no plugin gives the task type 'spot'" in complaint(tmp_path / "specs")
    plugin = (
        "from sound_task_type import Spot\nfrom usmt import hookimpl\n\n"
        "@hookimpl\ndef usmt_task_types():\n    return [Spot]\n"
    )
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "spot_plugin.py").write_text(plugin, encoding="utf-8")
    check_spec_dir(tmp_path / "specs", plugins_dirs=[tmp_path / "loose"])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "no such folder of specs" in complaint(tmp_path / "nowhere")


@pytest.mark.parametrize("call", [{"folder": None}, {"plugins_dirs": "plugins"}])
def test_a_wrong_call_is_told(tmp_path: Path, call: dict[str, Any]) -> None:
    write(tmp_path, "tasks/my_lesion.yaml", TASK)
    with pytest.raises(BrokenRuleError, match="needs a folder of specs, and `plugins_dirs`"):
        check_spec_dir(**{"folder": tmp_path, **call})
