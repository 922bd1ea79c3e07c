"""`config.yaml` of the universal-ultrasound layout: the classes of one of its datasets. Despite its
name it is not YAML, but lines of `NUMBER:NAME`, for masks `NUMBER:NAME:VALUE`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from usmt import DataError
from usmt_public_data.files import numbered_lines


@dataclass(frozen=True, slots=True)
class Config:
    """Names of the classes, from number 0, and the value that each has in masks."""

    names: tuple[str, ...]
    values: tuple[int, ...]


def read_config(path: Path, *, masks: bool) -> Config | None:
    """None where there is no such file. Raises `DataError`, with the line."""
    if not path.exists():
        return None
    form = "NUMBER:NAME:VALUE" if masks else "NUMBER:NAME"
    names: list[str] = []
    values: list[int] = []
    for line, text in numbered_lines(path):
        parts = [part.strip() for part in text.split(":")]
        sound = len(parts) == form.count(":") + 1 and parts[0] == str(len(names)) and parts[1]
        if not sound or (
            masks and not (re.fullmatch("[0-9]{1,3}", parts[2]) and int(parts[2]) <= 255)
        ):
            hint = f"Expected {form}, numbers from 0" + (", values 0 to 255." if masks else ".")
            raise DataError(f"{path}:{line}: '{text[:60]}' is no class", hint=hint)
        names.append(parts[1])
        values.append(int(parts[2]) if masks else len(values))
    if len(set(values)) < len(values):
        raise DataError(f"{path}: two classes have one value")
    return Config(tuple(names), tuple(values))


def check_classes(path: Path, config: Config, task: str, classes: Sequence[str]) -> None:
    """That a spec's classes can be those of the configuration: as many, and where the names are
    the same, in the same order. Raises `DataError`."""
    found = ", ".join(config.names)
    if len(classes) != len(config.names):
        text = f"{len(config.names)} classes ({found}), but task '{task}' has {len(classes)}"
        raise DataError(f"{path}: {text}")
    ours, theirs = ([name.casefold() for name in names] for names in (classes, config.names))
    if set(ours) == set(theirs) and ours != theirs:
        text = f"the classes are {found}; task '{task}' has them in another order"
        raise DataError(f"{path}: {text}", hint="Write them in the spec in this order.")
