"""What is read back of a study's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from command_line import Usmt
from small_studies import INLINE, write_study

from usmt.plugins import load_plugins
from usmt.specs import load_catalogue
from usmt.study.folder import StudyFolder
from usmt.study.gather import gather


def sources(study: Path, specs: Path) -> dict[str, np.ndarray]:
    plugins = load_plugins()
    results = gather(StudyFolder(study), load_catalogue(plugins, [specs]), plugins)
    return {scores.task: scores.sources for scores in results.scores}


def test_patients_of_two_datasets_stay_apart_though_their_names_are_equal(
    usmt: Usmt, tmp_path: Path
):
    file = write_study(tmp_path, seeds=[0], budget={"epochs": 1}, paradigms=["ts"])
    study = tmp_path / "out"
    answer = usmt("study", "run", file, "--out", study, *INLINE)
    assert answer.code == 0, answer.err
    of_one = sources(study, tmp_path / "specs")
    data = json.loads((study / "data.json").read_text())
    data["datasets"]["fmc_uia"] = data["datasets"]["phantom"]  # as if it were of two
    (study / "data.json").write_text(json.dumps(data))
    of_two = sources(study, tmp_path / "specs")
    assert of_one.keys() == of_two.keys() and len(of_one) == 2
    for task, own in of_one.items():
        assert list(of_two[task]) == [f"fmc_uia/{source}" for source in own]
