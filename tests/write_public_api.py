"""Writes tests/public_api.txt, which says what plugins and scripts may rely on.

    python tests/write_public_api.py

A test fails where the code and the file differ. Who changes the interface on purpose runs this and
commits the file: the difference is then seen by whoever reads the change. What is taken away or
given another meaning breaks plugins, and needs a new version of the interface.
"""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pydantic

import usmt
import usmt.testing
from usmt import hookspecs

FILE = Path(__file__).with_name("public_api.txt")


def public_api() -> str:
    """A line each name: functions and methods with their signatures, fields with their types."""
    lines = [
        *_of_module("usmt", usmt),
        *_of_module("usmt.testing", usmt.testing),
        *(
            f"hook {name}{_signature(hook)}"
            for name, hook in sorted(vars(hookspecs).items())
            if name.startswith("usmt_")
        ),
    ]
    return "\n".join(lines) + "\n"


def _of_module(prefix: str, module: ModuleType) -> Iterator[str]:
    for name in sorted(module.__all__):
        value, full = getattr(module, name), f"{prefix}.{name}"
        if inspect.ismodule(value):
            yield from _of_module(full, value)
        elif inspect.isclass(value) and value.__module__.startswith("usmt"):
            yield from _of_class(full, value)
        elif inspect.isroutine(value):
            yield f"{full}{_signature(value)}"
        elif isinstance(value, int | str | float):
            yield f"{full} = {value!r}"
        else:  # how a library writes an alias may change with its version
            yield full


def _of_class(full: str, cls: type) -> Iterator[str]:
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "usmt"]
    parents = ", ".join(base.__name__ for base in cls.__bases__ if base not in (object, ABC))
    plain = issubclass(cls, pydantic.BaseModel)  # its signature is that of its fields
    yield f"{full}{'' if plain else _signature(cls)}{f' is a {parents}' if parents else ''}"
    fields: dict[str, str] = {}
    methods: dict[str, str] = {}
    for base in reversed(bases):
        fields |= {k: f": {v}" for k, v in inspect.get_annotations(base).items()}
        for name, member in vars(base).items():
            if isinstance(member, property):
                fields[name] = f": {_signature(member.fget).partition(' -> ')[2]}"
            elif isinstance(member, classmethod | staticmethod):
                methods[name] = _signature(member.__func__)
            elif inspect.isfunction(member):
                methods[name] = _signature(member)
    for name, described in sorted({**fields, **methods}.items()):
        if not name.startswith("_") and name != "model_config":
            yield f"{full}.{name}{described}"


class _AsWritten:
    """An annotation without the quotes that `inspect` puts around a text."""

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation

    def __repr__(self) -> str:
        of = self.annotation
        return of if isinstance(of, str) else inspect.formatannotation(of)


def _signature(of: Any) -> str:
    found = inspect.signature(of)
    empty = inspect.Signature.empty
    parameters = [
        each if each.annotation is empty else each.replace(annotation=_AsWritten(each.annotation))
        for each in found.parameters.values()
    ]
    answer = found.return_annotation
    return str(
        found.replace(
            parameters=parameters,
            return_annotation=answer if answer in (empty, None) else _AsWritten(answer),
        )
    )


if __name__ == "__main__":
    FILE.write_text(public_api(), encoding="utf-8")
