"""docs/reference/settings.md tells of all settings as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_is_what_the_settings_say():
    command = [sys.executable, str(DOCS / "write_settings.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    for key in ("`moe.top_k`", "`optimizer.learning_rate.head`", "`augment.degrees`"):
        assert key in page
