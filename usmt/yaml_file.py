"""YAML files whose mistakes have a place.

Whatever is wrong with a file, from its bytes to the meaning of its values, becomes a `Problem`:
`file:line:column: key.path: what was found, what is allowed`, with the line of the file below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError

from usmt.errors import ConfigError
from usmt.mistakes import KeyPath, dotted, explain, mistakes, shown
from usmt.yaml_document import (
    LARGEST,
    Document,
    Place,
    Problem,
    YamlError,
    problem_at,
    read_text,
)

__all__ = [
    "LARGEST",
    "KeyPath",
    "Problem",
    "YamlError",
    "YamlFile",
    "check",
    "dotted",
    "explain",
    "parse_value",
    "read_yaml",
    "validate",
]

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A file that is a mapping.

    Attributes:
        data: plain Python values: dict, list, str, int, float, bool, None.
        lines: the text.
        keys: where each key stands, by key path.
        values: where each value begins.
    """

    path: Path
    data: dict[str, Any]
    lines: Sequence[str] = ()
    keys: Mapping[KeyPath, Place] = field(default_factory=dict)
    values: Mapping[KeyPath, Place] = field(default_factory=dict)

    def position(self, path: KeyPath, *, at_key: bool = False) -> Place:
        """The place of a value, or of its key. Of what is not in the file, that of the mapping
        it belongs to: the key that the mapping is under, or the start of the document."""
        if path in self.values and not (at_key and path in self.keys):
            return self.values[path]
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.values.get(path) or (1, 1)

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """A mistake at a key path."""
        place = self.position(path, at_key=at_key)
        return problem_at(self.path, self.lines, place, message, dotted(path))


def read_yaml(path: Path) -> YamlFile:
    """Reads a file of one document that is a mapping. Raises YamlError with all that is wrong."""
    document = Document(path, read_text(path))
    if not isinstance(document.data, dict):
        found = "text" if isinstance(document.data, str) else shown(document.data)
        message = f"found {found}, expected a mapping: lines of the form `key: value`"
        raise YamlError([problem_at(path, document.lines, document.values[()], message)])
    return YamlFile(path, document.data, document.lines, document.keys, document.values)


@overload
def validate(model: type[Model], file: YamlFile) -> Model: ...
@overload
def validate(model: type[Model], file: YamlFile, *, values: Mapping[str, Any]) -> Model | None: ...
def validate(
    model: type[Model], file: YamlFile, *, values: Mapping[str, Any] | None = None
) -> Model | None:
    """The file as a model. Raises YamlError with all its mistakes.

    Args:
        values: validated in place of the file's own: these laid over others, say. Mistakes that
            are not in the file are left out; if there are no more, the result is None.
    """
    problems = check(model, file, values)
    if problems:
        raise YamlError(problems)
    try:
        return model.model_validate(file.data if values is None else values)
    except ValidationError:
        return None


def check(
    model: type[BaseModel],
    file: YamlFile,
    values: Mapping[str, Any] | None = None,
    *,
    under: KeyPath = (),
) -> list[Problem]:
    """The mistakes that stand in the file, in its order.

    Args:
        values: see `validate`.
        under: where in the file the values stand, if not at its root; they are then needed.
    """
    try:
        model.model_validate(file.data if values is None else values)
    except ValidationError as error:
        found = [
            file.problem((*under, *mistake.path), mistake.message, at_key=mistake.at_key)
            for mistake in mistakes(error, model)
            if values is None or under or _stands_in(file, mistake.path, missing=mistake.missing)
        ]
        return sorted(found, key=lambda problem: (problem.line, problem.column))
    return []


def parse_value(text: str, *, where: str) -> Any:
    """One YAML value from a command line. Raises ConfigError naming `where`."""
    try:
        return Document(Path(where), text).data
    except YamlError as error:
        message = f"{where}: not a YAML value: {error.problems[0].message}"
        raise ConfigError(message) from None


def _stands_in(file: YamlFile, path: KeyPath, *, missing: bool) -> bool:
    return (path[:-1] if missing else path) in file.values
