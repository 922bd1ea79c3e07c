"""For the scripts beside this one: the fields of a pydantic model in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from usmt import Identifier

NAME = next(part.pattern for part in get_args(Identifier)[1].metadata)
WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true`, `false`",
    "string": "text",
    "null": "`null`",
}
MANY = {
    "whole number": "whole numbers",
    "number": "numbers",
    "text": "texts",
    "name": "names",
    "path": "paths",
    "mapping": "mappings",
}
SIGNS = {
    "exclusiveMinimum": ">",
    "minimum": ">=",
    "exclusiveMaximum": "<",
    "maximum": "<=",
    "multipleOf": "multiple of",
}


def fields(model: type[BaseModel], whole: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """(dotted key, what may stand there, default) of each field that is not itself a group of
    fields; `whole` names groups that are not entered."""
    schema = model.model_json_schema()
    yield from _fields(schema, schema.get("$defs", {}), whole)


def _fields(
    schema: dict[str, Any], models: dict[str, Any], whole: tuple[str, ...], before: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        key = before + name
        group = models.get(field.get("$ref", "").rpartition("/")[2], {})
        if group and key not in whole:
            yield from _fields(group, models, whole, f"{key}.")
            continue
        said = field.get("description", "")
        meaning = "mapping" if group else kind(field, models)
        meaning += f"; {said}" if said else ""
        yield key, meaning, shown(field["default"]) if "default" in field else ""


def kind(schema: dict[str, Any], models: dict[str, Any]) -> str:
    """What a value may be, with its bounds."""
    if "$ref" in schema:
        return kind(models[schema["$ref"].rpartition("/")[2]], models)
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{option}`" for option in schema.get("enum", [schema.get("const")]))
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(option, models) for option in options))
    if schema.get("type") == "array":
        return _list(schema, models)
    if schema.get("type") == "object":
        return _mapping(schema, models)
    words = WORDS.get(schema.get("type", ""), "anything")
    if schema.get("format") == "path":
        words = "path"
    elif schema.get("pattern") == NAME:
        words = "name"
    bounds = [f"{sign} {schema[name]:g}" for name, sign in SIGNS.items() if name in schema]
    return " ".join([words, ", ".join(bounds)]).strip()


def _list(schema: dict[str, Any], models: dict[str, Any]) -> str:
    if items := schema.get("prefixItems"):
        return f"list of {len(items)} {' or '.join({_many(item, models): None for item in items})}"
    least = schema.get("minItems", 0)
    number = f"{least} or more " if least > 1 else ""
    return f"list of {number}{_many(schema.get('items', {}), models)}"


def _mapping(schema: dict[str, Any], models: dict[str, Any]) -> str:
    if properties := schema.get("properties"):
        inner = (f"`{name}` ({kind(each, models)})" for name, each in properties.items())
        return f"mapping with {', '.join(inner)}"
    values = next(iter(schema.get("patternProperties", {}).values()), None)
    values = values or schema.get("additionalProperties")
    return f"mapping of names to {_many(values, models)}" if isinstance(values, dict) else "mapping"


def _many(schema: dict[str, Any], models: dict[str, Any]) -> str:
    one = kind(schema, models)
    noun = next((noun for noun in MANY if one == noun or one.startswith(f"{noun} >")), "")
    return one.replace(noun, MANY[noun], 1) if noun else one


def shown(value: Any) -> str:
    """A value as it stands in YAML."""
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {shown(each).strip('`')}" for key, each in value.items())
        return f"`{{{inner}}}`"
    if isinstance(value, list):
        return f"`[{', '.join(shown(each).strip('`') for each in value)}]`"
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else value
    return f"`{text:g}`" if isinstance(text, float) else f"`{text}`" if text != "" else ""
