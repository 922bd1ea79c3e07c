"""Writes docs/reference/settings.md from the settings themselves; with --check, only compares.

python docs/write_settings.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import BaseMetadata
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from usmt.train.config import PRESETS, RunSettings, preset_values

PAGE = Path(__file__).parent / "reference" / "settings.md"
HEAD = """# Settings

Every setting of a run. A preset comes first; `--config FILE` is laid over it, then the named
options of `usmt train`, then each `--set KEY=VALUE`, whose value is YAML:

```console
usmt train --task fetal_head --set epochs=2 --set 'augment={shadow: 0, speckle: 0}'
usmt train --config docs/reference/example_config.yaml --dry-run
```

An unknown key is an error that names the nearest one. `config.yaml` in a run's folder holds all
of them as they were used. The last two columns are what the presets set.
"""
FOOT = """
Options of a dataset stand in `data.NAME`, those of a task type in `task_types.NAME`; they are the
plugins' own: see [task types](task_types.md), [synthetic images](../explanation/phantom.md) and
[challenge data](fmc_uia.md).
"""


def page() -> str:
    rows = ["| setting | value | default | small | paper |", "| --- | --- | --- | --- | --- |"]
    presets = [preset_values(name) for name in PRESETS]
    for key, info in settings(RunSettings):
        meaning = f"{_kind(info.annotation)}{_bounds(info)}"
        if info.description:
            meaning += f"; {info.description}"
        cells = [f"`{key}`", meaning, _default(info), *(_at(values, key) for values in presets)]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([HEAD, *rows, FOOT])


def settings(model: type[BaseModel], before: str = "") -> list[tuple[str, FieldInfo]]:
    """The dotted key of each setting that is not itself a group."""
    found = []
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += settings(inner, f"{before}{name}.")
        else:
            found.append((before + name, info))
    return found


def _kind(annotation: Any) -> str:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{option}`" for option in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_kind(each) for each in get_args(annotation))
    words = {
        int: "whole number",
        float: "number",
        bool: "`true`, `false`",
        str: "text",
        NoneType: "`null`",
        Path: "path",
        list: "list",
        dict: "mapping",
    }
    return words[get_origin(annotation) or annotation]


def _bounds(info: FieldInfo) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "multiple of"}
    limits = [*info.metadata]
    for each in [info.annotation, *get_args(info.annotation)]:
        if get_origin(each) is Annotated:
            limits += get_args(each)[1:]
    found = []
    for limit in limits:
        for part in getattr(limit, "metadata", [limit]):  # a pydantic Field holds several
            if isinstance(part, BaseMetadata):
                found += [
                    f"{sign} {value:g}"
                    for name, sign in signs.items()
                    if (value := getattr(part, name, None)) is not None
                ]
    return f" {', '.join(found)}" if found else ""


def _default(info: FieldInfo) -> str:
    return "" if info.default is PydanticUndefined else _shown(info.default)


def _at(values: dict[str, Any], key: str) -> str:
    for part in key.split("."):
        if part not in values:
            return ""
        values = values[part]
    return _shown(values)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_shown(each).strip('`')}" for key, each in value.items())
        return f"`{{{inner}}}`"
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else value
    return f"`{text:g}`" if isinstance(text, float) else f"`{text}`"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            PAGE.read_text(encoding="utf-8") != page() and f"{PAGE}: out of date, run {__file__}"
        )
    PAGE.write_text(page(), encoding="utf-8")
