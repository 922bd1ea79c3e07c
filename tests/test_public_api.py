"""What plugins and scripts may rely on changes on purpose only, and says what it is."""

from __future__ import annotations

import difflib

import pytest
from write_public_api import FILE, public_api

import usmt
import usmt.testing


def test_the_public_interface_is_the_one_that_was_written_down():
    written, found = FILE.read_text(encoding="utf-8"), public_api()
    changes = [
        line for line in difflib.ndiff(written.splitlines(), found.splitlines()) if line[0] in "+-"
    ]
    assert not changes, "\n".join(
        [
            "The public interface has changed. If that is meant, run",
            "    python tests/write_public_api.py",
            "and commit tests/public_api.txt with the change:",
            *changes,
        ]
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *(("usmt", name) for name in usmt.__all__),
        *(("usmt.testing", name) for name in usmt.testing.__all__),
    ],
)
def test_each_public_name_says_what_it_is(module: str, name: str):
    value = getattr({"usmt": usmt, "usmt.testing": usmt.testing}[module], name)
    if getattr(value, "__module__", "").startswith("usmt"):  # not an alias of a type of elsewhere
        described = value.__doc__ or ""
        of_dataclass = described.startswith(f"{name}(")  # written by the decorator
        assert described and not of_dataclass, f"{module}.{name} has no docstring"


def test_the_public_names_are_those_that_can_be_had():
    assert sorted(usmt.__all__, key=str.lower) == sorted(set(usmt.__all__), key=str.lower)
    for name in usmt.__all__:
        assert getattr(usmt, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        usmt.nothing  # noqa: B018
