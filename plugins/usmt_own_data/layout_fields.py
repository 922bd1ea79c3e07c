"""How paths, sources and texts are written in a spec's `layout`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from usmt import Side, near


def _below_root(text: str) -> str:
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor or ".." in text.split("/"):
        raise ValueError(f"'{text}' is not below the dataset's root, expected a relative path")
    return text


def _one_group(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"'{text}' has {groups} groups, expected one: (...) around the patient")
    return text


def _written(value: object) -> object:
    """A whole number is the text that it is written as; true and 1.50 have several."""
    return str(value) if type(value) is int else value


SIDES: tuple[Side, ...] = ("train", "val", "test")

Below = Annotated[str, AfterValidator(_below_root)]
"""A path relative to the dataset's root."""

SourcePattern = Annotated[str, AfterValidator(_one_group)]
"""A regular expression with one group."""

Text = Annotated[str, BeforeValidator(_written)]
"""What a cell holds: `4` may be written without quotes."""


def unknown_classes(key: str, named: Sequence[str], classes: Sequence[str]) -> list[str]:
    """What to say of names that are no classes of the task."""
    return [
        f"{key}: there is no class '{name}'{near(name, classes)}, the task has {', '.join(classes)}"
        for name in dict.fromkeys(named)
        if name not in classes
    ]


def source_in(pattern: str, path: str) -> str | None:
    """What the pattern's group holds, found anywhere in the path; None where it is not found."""
    found = re.search(pattern, path)
    return found[1] or None if found else None
