"""docs/reference/datasets.md tells of all datasets as their cards do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from command_line import Usmt

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_is_what_the_cards_say(usmt: Usmt) -> None:
    command = [sys.executable, str(DOCS / "write_datasets.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (DOCS / "reference" / "datasets.md").read_text(encoding="utf-8")
    for dataset in usmt("datasets", "list", "--json").data:
        assert f"## {dataset['name']}\n" in page and dataset["title"] in page
