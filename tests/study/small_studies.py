"""Studies that last seconds."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOOSE = Path(__file__).parent / "loose"
"""Has an executor that runs jobs in this process."""

INLINE = ("--plugins-dir", LOOSE, "--executor", "inline")

PAIR = ("breast_2cls", "thyroid_nodule_det")
"""Two tasks whose networks are small, and which are quickly drawn."""


def write_study(folder: Path, **keys: Any) -> Path:
    """A study of the two tasks, alone and together, with other keys laid over it; JSON is YAML."""
    specs = folder / "specs"
    (specs / "tasks").mkdir(parents=True, exist_ok=True)
    (specs / "groups").mkdir(exist_ok=True)
    group = {"id": "pair", "title": "Two tasks", "tasks": list(PAIR)}
    (specs / "groups" / "pair.yaml").write_text(json.dumps(group))
    study = {
        "groups": ["pair"],
        "paradigms": ["ts", "cg"],
        "seeds": [0, 1],
        "budget": {"epochs": 2},
        "statistics": {"resamples": 200},
        "settings": {
            "specs": [str(specs)],
            "image_size": 64,
            "data": {"phantom": {"images": 24, "size": 64}},
            "moe": {"experts": 2},
        },
        **keys,
    }
    file = folder / "study.yaml"
    file.write_text(json.dumps(study, indent=1))
    return file


def events(study: Path) -> list[dict[str, Any]]:
    """What the journal of a study says of its jobs."""
    lines = (study / "journal.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["what"] != "called"]


def wait_for(
    condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 240
) -> None:
    """Until it is true, while a study runs."""
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the study ended before it could be killed"
        assert time.monotonic() < until, "nothing happened for too long"
        time.sleep(0.05)
