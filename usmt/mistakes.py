"""Pydantic's errors in people's words: where, what was found, what is allowed, the near name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from usmt.errors import near

KeyPath = tuple[str | int, ...]
"""Keys and positions that lead from the root of nested values to one of them."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with nested values.

    Attributes:
        path: where, without pydantic's names of a union's branches, which are in no file.
        message: what was found and what is allowed.
        at_key: the key is wrong, not its value.
        missing: nothing stands at the path.
    """

    path: KeyPath
    message: str
    at_key: bool = False
    missing: bool = False


def dotted(path: KeyPath) -> str:
    """`classes[1]`, `moe.experts`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def explain(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """The mistakes of values that are in no file, as (key path, message)."""
    return [(dotted(mistake.path), mistake.message) for mistake in mistakes(error, model)]


def mistakes(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """One for each place: what the branches of a union expect is told together."""
    findings = [_finding(details, model) for details in error.errors(include_url=False)]
    deep = {finding.path[:end] for finding in findings for end in range(len(finding.path))}
    told: dict[KeyPath, list[_Finding]] = {}
    for finding in findings:
        # A branch that does not fit at all is of no interest where another one nearly fits.
        if not (finding.in_union and finding.path in deep):
            told.setdefault(finding.path, []).append(finding)
    return [_told_together(path, several) for path, several in told.items()]


# -- one error of pydantic's

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "path_type": "a path",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "multiple_of": "a multiple of {multiple_of:g}",
    "string_too_short": "a text of at least {min_length} character(s)",
    "string_too_long": "a text of at most {max_length} character(s)",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
_PATTERNS = {r"^[A-Za-z][A-Za-z0-9_]*$": "letters, digits and _, a letter first"}


@dataclass(frozen=True, slots=True)
class _Finding:
    """An error of pydantic's: what was found and expected, or a message that says it all."""

    path: KeyPath
    at_key: bool
    in_union: bool
    missing: bool = False
    found: str = ""
    expected: str = ""
    message: str = ""


def _finding(details: ErrorDetails, model: type[BaseModel]) -> _Finding:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    place = _locate(details["loc"], model)
    name = str(place.path[-1]) if place.path else ""
    if kind == "missing":
        message = "missing" + "".join(
            f", expected {words}" for words in [wanted(place.type)] if words
        )
        return _Finding(place.path, True, place.in_union, missing=True, message=message)
    if kind == "extra_forbidden":
        allowed = list(_fields(place.holder))
        # Letters that changed places come first: `lable` is as near to `table` as to `label`.
        swapped = [each for each in allowed if sorted(each) == sorted(name)]
        nearest, known = near(name, swapped or allowed), ", ".join(allowed) or "none"
        message = f"unknown key{nearest}, allowed: {known}"
        return _Finding(place.path, True, place.in_union, message=message)
    if kind in ("value_error", "assertion_error"):
        message = " ".join(str(context["error"]).split())
        return _Finding(place.path, place.at_key, place.in_union, message=message)
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        expected = _PATTERNS.get(pattern, f"a text of the form {pattern}")
    elif kind in _EXPECTED:
        expected = _EXPECTED[kind].format(**context)
    else:
        words = re.sub(r"^(Input|Value) should (be|have) ", "", details["msg"])
        expected = words[:1].lower() + words[1:]
    if kind == "string_type" and isinstance(value, bool | int | float):
        expected += " (write it in quotes)"
    found = shown(name if place.at_key else value)
    return _Finding(place.path, place.at_key, place.in_union, found=found, expected=expected)


def _told_together(path: KeyPath, several: Sequence[_Finding]) -> Mistake:
    first = several[0]
    messages = [finding.message for finding in several if finding.message]
    expected = list(dict.fromkeys(finding.expected for finding in several if finding.expected))
    if expected:
        named = [word for words in expected for word in re.findall(r"'([^']*)'", words)]
        hint = near(first.found.strip("'"), named)
        messages.append(f"found {first.found}, expected {' or '.join(expected)}{hint}")
    return Mistake(path, "; or ".join(dict.fromkeys(messages)), first.at_key, first.missing)


def shown(value: object) -> str:
    """A value as it is told in a message: short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else repr(value[:57] + "...")
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return str(value)[:60]


# -- the way through nested models


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error of pydantic's is: the path, its type, and the type that holds it."""

    path: KeyPath
    type: Any
    holder: Any
    at_key: bool
    in_union: bool


def _locate(location: Iterable[str | int], model: type[BaseModel]) -> _Place:
    """Follows pydantic's location, in which a step into a union is followed by a branch's name,
    and an error of a mapping's key is followed by `[key]`."""
    path: list[str | int] = []
    here: Any = model
    holder: Any = None
    at_key = in_union = False
    for part in location:
        branches = list(_branches(here))
        if part == "[key]":
            at_key = True
        elif len(branches) > 1:
            name = str(part).partition("[")[0]
            here = next((each for each in branches if _name(each) == name), None)
            in_union = True
        else:
            path.append(part)
            holder, here = branches[0], _inside(branches[0], part)
    return _Place(tuple(path), here, holder, at_key, in_union)


def _branches(annotation: Any) -> Iterator[Any]:
    """The types that a value may have, None left out; at least one."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            if each is not NoneType:
                yield from _branches(each)
    else:
        yield annotation


def _name(annotation: Any) -> str:
    return str(getattr(get_origin(annotation) or annotation, "__name__", ""))


def _fields(model: Any) -> dict[str, Any]:
    """The keys of a model with their types; nothing for any other type."""
    fields = getattr(model, "model_fields", {})
    return {field.alias or name: field.annotation for name, field in fields.items()}


def _inside(annotation: Any, part: str | int) -> Any:
    """The type of an entry of a model, a mapping or a list; None where it is not known."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(origin, type) and inner:
        return inner[-1] if issubclass(origin, Mapping) else inner[0]
    return _fields(annotation).get(str(part))


def wanted(annotation: Any) -> str:
    """What a value of this type looks like, in words; empty where there are none."""
    simple = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    words = []
    for each in _branches(annotation):
        origin = get_origin(each) or each
        if origin is Literal:
            words += [shown(option) for option in get_args(each)]
        elif origin in simple:
            words.append(simple[origin])
        elif isinstance(origin, type) and issubclass(origin, Mapping | BaseModel):
            words.append("a mapping")
        elif isinstance(origin, type) and issubclass(origin, Path):
            words.append("a path")
        elif isinstance(origin, type) and issubclass(origin, list | tuple | set):
            words.append("a list")
    return " or ".join(words)
