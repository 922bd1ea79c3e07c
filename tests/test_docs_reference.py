"""The pages of docs/reference that are made from the code are what the code says, and whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Usmt

import usmt as public
from usmt import testing

DOCS = Path(__file__).resolve().parents[1] / "docs"
REFERENCE = DOCS / "reference"
SCRIPTS = sorted(DOCS.glob("write_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_written_page_is_up_to_date(script: Path) -> None:
    command = [sys.executable, str(script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}all of them: make reference"


def test_the_command_line_has_every_command_with_its_options(usmt: Usmt) -> None:
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^#+ (usmt .*)\n((?:(?!^#).*\n)*)", page, re.M))
    for command in ("train", "study run", "data cache build", "phantom family", "plugins new"):
        told = usmt(*command.split(), "--help").out
        options = {word for word in re.findall(r"(?<![-\w])--[a-z-]+", told) if word != "--help"}
        assert options - {"--preset"} and all(
            option in sections[f"usmt {command}"] for option in options
        )
    assert "| `--jobs N` |" in sections["usmt study run"]


def test_settings_and_fields_are_there() -> None:
    settings = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    for key in ("`moe.top_k`", "`optimizer.learning_rate.head`", "`augment.degrees`"):
        assert key in settings
    fields = (REFERENCE / "fields.md").read_text(encoding="utf-8")
    for row in ("| `flip` | `none`, `horizontal`, `vertical`, `both`;", "| `budget.steps` |"):
        assert row in fields


def test_every_public_name_is_in_the_python_api_once() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (REFERENCE / "api").glob("*.md"))
    named = re.findall(r"^\.\. (?:auto|py:)\w+:: usmt\.(\w+)$", pages, re.M)
    assert sorted(named) == sorted(public.__all__)


def test_every_check_for_plugins_is_described() -> None:
    page = (REFERENCE / "testing.md").read_text(encoding="utf-8")
    for name in testing.__all__:
        assert name in page


def test_every_hook_has_a_docstring_for_its_page() -> None:
    from usmt import hookspecs

    for name, hook in vars(hookspecs).items():
        if name.startswith("usmt_"):
            assert hook.__doc__
