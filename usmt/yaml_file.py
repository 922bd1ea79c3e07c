"""YAML files with line numbers, and pydantic's errors in people's words.

Every mistake in a file becomes a `Problem`: `file:line:column: key.path: what was found, what is
allowed`, with the line of the file below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from usmt.errors import ConfigError, UsmtError, near

LARGEST = 2**20
"""Bytes; a larger file is no spec and no configuration."""

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and its place; lines and columns count from 1."""

    file: Path
    line: int
    column: int
    key_path: str
    message: str
    source_line: str = ""

    def __str__(self) -> str:
        key = f"{self.key_path}: " if self.key_path else ""
        text = f"{self.file}:{self.line}:{self.column}: {key}{self.message}"
        if self.source_line.strip():
            number = str(self.line)
            pointer = " " * (len(number) + self.column + 2) + "^"
            text += f"\n  {number} | {self.source_line}\n  {pointer}"
        return text


class YamlError(UsmtError):
    """All that is wrong with a file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A file that is a mapping.

    Attributes:
        data: plain Python values.
        keys: where each key stands, (line, column) by key path.
        values: where each value begins.
    """

    path: Path
    data: dict[str, Any]
    lines: Sequence[str] = ()
    keys: Mapping[KeyPath, tuple[int, int]] = field(default_factory=dict)
    values: Mapping[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """A mistake at a key path, or at the nearest place above it that is in the file."""
        places = self.keys if at_key else self.values
        line, column = 1, 1
        for length in range(len(path), 0, -1):
            place = places.get(path[:length]) or self.keys.get(path[:length])
            if place is not None:
                line, column = place
                break
        source = self.lines[line - 1] if line <= len(self.lines) else ""
        return Problem(self.path, line, column, dotted(path), message, source)


def read_yaml(path: Path) -> YamlFile:
    """Reads one document that is a mapping; runs no code, follows no alias.

    Raises YamlError for whatever is wrong with the file.
    """
    text = _read_text(path)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    lines = text.splitlines()
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        problems = list(_walk_problems(path, lines, node))
        if problems:
            raise YamlError(problems)
        data = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlError([_problem(path, lines, line, column, _reason(error))]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise YamlError([Problem(path, 1, 1, "", f"not readable as YAML: {reason}")]) from None
    if not isinstance(data, dict):
        found = "nothing" if data is None else f"a {_kind(data)}"
        message = f"found {found}, expected a mapping: lines of the form `key: value`"
        raise YamlError([_problem(path, lines, 1, 1, message)])
    keys: dict[KeyPath, tuple[int, int]] = {}
    values: dict[KeyPath, tuple[int, int]] = {}
    _places(node, (), keys, values)
    return YamlFile(path, data, lines, keys, values)


def validate(model: type[Model], file: YamlFile) -> Model:
    """The file as a model. Raises YamlError with all its mistakes."""
    problems = check(model, file, file.data)
    if problems:
        raise YamlError(problems)
    return model.model_validate(file.data)


def check(model: type[BaseModel], file: YamlFile, values: Mapping[str, Any]) -> list[Problem]:
    """The mistakes of `values` that stand in the file. `values` are the file's own, or these laid
    over others: mistakes among the others are not the file's and are left out."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        found = _mistakes(error, model, values)
        own = values is file.data
        return [
            file.problem(mistake.path, mistake.message, at_key=mistake.at_key)
            for mistake in found
            if own or mistake.path in file.values or mistake.path[:-1] in file.values
        ]
    return []


def explain(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """Pydantic's errors of values that are in no file, as (key path, message)."""
    return [(dotted(mistake.path), mistake.message) for mistake in _mistakes(error, model, None)]


def parse_value(text: str, *, where: str) -> Any:
    """One YAML value from a command line. Raises ConfigError naming `where`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        reason = _reason(error)
        raise ConfigError(f"{where}: not a YAML value: {reason}") from None


def dotted(path: KeyPath) -> str:
    """`classes[1]`, `moe.experts`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


# -- reading


def _read_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            message = f"{size} bytes, expected at most {LARGEST}"
            raise YamlError([Problem(path, 1, 1, "", message)])
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise YamlError([Problem(path, 1, 1, "", f"cannot be read: {reason}")]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise YamlError([Problem(path, line, 1, "", message)]) from None


def _reason(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error).strip() or type(error).__name__
    reason = str(problem).splitlines()[0]
    if "\\t" in reason:
        return "a tab; indent with spaces"
    return reason


def _problem(path: Path, lines: Sequence[str], line: int, column: int, message: str) -> Problem:
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return Problem(path, line, column, "", message, source)


def _walk_problems(path: Path, lines: Sequence[str], root: Any) -> Iterator[Problem]:
    """Duplicate keys, keys that are no text, and aliases (they can grow without bound)."""
    from ruamel.yaml.nodes import MappingNode, ScalarNode

    seen: set[int] = set()
    stack = [root] if root is not None else []
    while stack:
        node = stack.pop()
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if id(node) in seen:
            yield _problem(path, lines, line, column, "aliases are not supported: repeat the value")
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            continue
        if not isinstance(node, MappingNode):
            stack.extend(node.value)
            continue
        names: set[str] = set()
        for key, value in node.value:
            mark = key.start_mark
            place = (mark.line + 1, mark.column + 1)
            if not isinstance(key, ScalarNode) or not key.tag.endswith(":str"):
                yield _problem(path, lines, *place, "a key must be a word")
            elif key.value in names:
                yield _problem(path, lines, *place, f"the key '{key.value}' stands here twice")
            else:
                names.add(key.value)
            stack.append(value)


def _places(
    node: Any,
    path: KeyPath,
    keys: dict[KeyPath, tuple[int, int]],
    values: dict[KeyPath, tuple[int, int]],
) -> None:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            keys[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _places(value, inner, keys, values)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            _places(value, (*path, index), keys, values)


# -- pydantic's errors


@dataclass(frozen=True, slots=True)
class _Mistake:
    path: KeyPath
    message: str
    at_key: bool = False


def _mistakes(
    error: ValidationError, model: type[BaseModel], values: Mapping[str, Any] | None
) -> list[_Mistake]:
    """One for each path: the branches of a union are told together."""
    by_path: dict[KeyPath, list[_Mistake]] = {}
    for details in error.errors():
        path = _true_path(details["loc"], values)
        by_path.setdefault(path, []).append(_mistake(path, details, model))
    return [
        _Mistake(
            path,
            "; or ".join(dict.fromkeys(mistake.message for mistake in mistakes)),
            mistakes[0].at_key,
        )
        for path, mistakes in by_path.items()
    ]


def _true_path(location: KeyPath, values: Mapping[str, Any] | None) -> KeyPath:
    """The location without the names of a union's branches, which are in no file."""
    if values is None:
        return tuple(p for p in location if isinstance(p, int) or _is_key(p))
    path: list[str | int] = []
    here: Any = values
    for position, part in enumerate(location):
        if isinstance(here, Mapping) and isinstance(part, str):
            if part in here or position == len(location) - 1:
                path.append(part)
                here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            path.append(part)
            here = here[part]
    return tuple(path)


def _is_key(part: str | int) -> bool:
    return not any(mark in str(part) for mark in "[]'")


def _mistake(path: KeyPath, details: Any, model: type[BaseModel]) -> _Mistake:
    kind, found, context = details["type"], details["input"], details.get("ctx", {})
    name = str(path[-1]) if path else ""
    if kind == "missing":
        return _Mistake(path, f"the key '{name}' is missing", at_key=True)
    if kind == "extra_forbidden":
        allowed = list(_fields(model, path[:-1]))
        message = f"unknown key '{name}'{near(name, allowed)}; allowed: {', '.join(allowed)}"
        return _Mistake(path, message, at_key=True)
    if kind == "literal_error":
        allowed = [option.strip("' ") for option in str(context["expected"]).replace(" or ", ", ").split(",")]
        message = f"found {_shown(found)}, allowed: {', '.join(allowed)}"
        return _Mistake(path, message + near(str(found), allowed))
    if kind == "string_pattern_mismatch":
        return _Mistake(path, f"found {_shown(found)}, expected letters, digits and _ only")
    if kind in ("value_error", "assertion_error"):
        return _Mistake(path, str(context.get("error", details["msg"])))
    message = details["msg"].replace("Input should be", "expected").replace("Value should", "must")
    return _Mistake(path, f"found {_shown(found)}, {message[0].lower()}{message[1:]}")


def _fields(model: type[BaseModel], path: KeyPath) -> Iterator[str]:
    """The field names of the model at a path inside another."""
    here: Any = model
    for part in path:
        fields = getattr(here, "model_fields", {})
        here = _inner_model(fields[part].annotation) if part in fields else None
    yield from getattr(here, "model_fields", {})


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list, dict):
        for argument in get_args(annotation):
            found = _inner_model(argument)
            if found is not None:
                return found
    return None


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return f"{_kind(value)} {text}" if len(text) <= 60 else f"{_kind(value)} {text[:57]}..."


def _kind(value: Any) -> str:
    kinds = {dict: "mapping", list: "list", str: "text", bool: "", int: "number", float: "number"}
    return "nothing:" if value is None else kinds.get(type(value), type(value).__name__)
