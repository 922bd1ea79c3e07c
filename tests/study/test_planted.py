"""Planted truth: a study finds the gain and the harm that were planted, and calls what is
unrelated neutral."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Usmt
from ruamel.yaml import YAML
from small_studies import INLINE


@pytest.mark.timeout(600)
def test_a_study_finds_what_was_planted(usmt: Usmt, tmp_path: Path):
    """The three tasks that tell, alone and with the whole family; one seed."""
    made = usmt("phantom", "family", "--out", tmp_path / "family")
    assert made.code == 0, made.err
    told = ["planted_few", "planted_misled", "planted_apart"]
    study = YAML(typ="safe").load(Path(made.out.strip()))
    study |= {"groups": [], "tasks": told, "paradigms": ["ts", "au"], "seeds": [0]}
    study["statistics"] = {"resamples": 500}
    file = tmp_path / "reduced.yaml"
    file.write_text(json.dumps(study))

    done = usmt("study", "run", file, "--out", tmp_path / "study", "--json", *INLINE)

    assert done.code == 0, done.err
    found: dict[str, Any] = {each["task"]: each for each in done.data["comparisons"]}
    assert {task: found[task]["verdict"] for task in told} == {
        "planted_few": "gain",
        "planted_misled": "harm",
        "planted_apart": "neutral",
    }
    assert found["planted_few"]["relative"]["value"] > 0.15
    assert found["planted_misled"]["relative"]["value"] < -0.1
    advice = {each["task"]: each["advice"] for each in done.data["recommendations"]}
    assert advice["planted_few"] == "all"
    assert advice["planted_misled"] == "alone"
