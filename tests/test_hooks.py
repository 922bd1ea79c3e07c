"""Each hook: documented, used by a plugin, and its mistakes told."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from command_line import Usmt

from usmt import hookspecs

ROOT = Path(__file__).resolve().parents[1]
HOOKS = [name for name in vars(hookspecs) if name.startswith("usmt_")]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))


def test_there_are_hooks():
    assert len(HOOKS) >= 6


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook: str):
    function = getattr(hookspecs, hook)
    page = (ROOT / "docs" / "how_to" / "plugins.md").read_text(encoding="utf-8")
    called = f"`{hook}({', '.join(inspect.signature(function).parameters)})`"
    assert called in page, f"docs/how_to/plugins.md does not have {called} in its table"
    assert function.__doc__ and function.__doc__[0].isupper()


@pytest.mark.parametrize("hook", HOOKS)
def test_a_plugin_uses_the_hook(usmt: Usmt, hook: str):
    """A built-in one or an example: what a hook gives is listed under its name."""
    folders = [part for example in EXAMPLES for part in ("--plugins-dir", example)]
    listed = usmt("plugins", "list", "--json", *folders).data
    users = [info["name"] for info in listed if info[hook.removeprefix("usmt_")]]
    assert users, f"no plugin implements {hook}"


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("body", "told"),
    [("return 'nonsense'", "nonsense"), ("raise ValueError('no luck')", "ValueError: no luck")],
)
def test_what_goes_wrong_in_a_hook_is_told_with_its_line(
    usmt: Usmt, tmp_path: Path, hook: str, body: str, told: str
):
    if hook == "usmt_commands" and "nonsense" in told:
        return  # what it returns is not looked at
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    file = tmp_path / f"wrong_{hook}_{len(told)}.py"
    file.write_text(
        f"from usmt import hookimpl\n\n\n@hookimpl\ndef {hook}({arguments}):\n    {body}\n"
    )
    listed = usmt("plugins", "list", "--json", "--plugins-dir", tmp_path).data
    (info,) = [info for info in listed if info["name"] == file.stem]
    assert info["status"] == "failed" and told in info["error"]
    assert f"{file}:{4 if 'return' in body else 6}" in info["error"]
    assert {other["status"] for other in listed if other["distribution"] == "usmt"} == {"ok"}
