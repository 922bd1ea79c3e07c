"""A run's settings, put together: a preset, over which a file (`--config`), the named options of
the command and `--set key=value` are laid, in this order."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from usmt.errors import ConfigError, near
from usmt.train.config import RunSettings
from usmt.yaml_file import explain, parse_value, read_yaml, validate

PRESETS = ("small", "paper")


def load_settings(
    preset: str, config: Path | None, options: dict[str, Any], assignments: list[str]
) -> RunSettings:
    """Lays preset, file, named options and `key=value` assignments over each other.

    Args:
        preset: name of a preset in `usmt/train/presets`.
        config: a YAML file with any of the settings.
        options: nested settings that the command's named options give.
        assignments: `dotted.key=value` with the value in YAML.

    Raises:
        ConfigError: for every setting that is unknown, of the wrong type or out of range.
    """
    values = preset_values(preset)
    if config is not None:
        file = read_yaml(config)
        _check_file(file, values, options)
        values = merge(values, file.data)
    values = merge(values, options)
    for text in assignments:
        values = merge(values, assigned(text))
    try:
        return RunSettings.model_validate(values)
    except ValidationError as error:
        raise config_error(
            error, RunSettings, hint="All settings: docs/reference/settings.md"
        ) from None


def config_error(
    error: ValidationError, model: type[BaseModel], *, hint: str, told: str = ""
) -> ConfigError:
    """All that is wrong with values that did not come from a file; `told` stands before it."""
    lines = [": ".join(filter(None, each)) for each in explain(error, model)]
    return ConfigError(told + "\n".join(lines), hint=hint)


def preset_values(preset: str) -> dict[str, Any]:
    """The settings that a preset gives. Raises ConfigError with the near name."""
    if preset not in PRESETS:
        raise ConfigError(
            f"unknown preset '{preset}'{near(preset, PRESETS)}", hint=f"one of {', '.join(PRESETS)}"
        )
    return read_yaml(Path(str(files("usmt.train") / "presets" / f"{preset}.yaml"))).data


def _check_file(file: Any, preset: dict[str, Any], options: dict[str, Any]) -> None:
    """Reports the file's own mistakes with line numbers, before anything else is laid over it."""
    complete = merge(merge(preset, options), file.data)
    complete.setdefault("tasks", [])
    if complete.get("group") is None and not complete["tasks"]:
        complete["group"] = "any"  # the group may still come from --set
    validate(RunSettings, file, values=complete)


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: mappings are merged key by key, anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def assigned(text: str, *, option: str = "--set", example: str = "epochs=20") -> dict[str, Any]:
    """`dotted.key=value`, the value in YAML, as nested settings. Raises ConfigError, naming the
    option that it was given with."""
    key, equals, value = text.partition("=")
    if not equals or not key or any(not part for part in key.split(".")):
        raise ConfigError(
            f"{option} {text}: not of the form key=value", hint=f"e.g. {option} {example}"
        )
    nested: Any = parse_value(value, where=f"{option} {text}")
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return dict(nested)
