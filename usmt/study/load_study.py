"""Reads a study: its file, with the options of the command laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from usmt.errors import ConfigError
from usmt.mistakes import shown
from usmt.study.spec import ANY_TASK, OWN, StudySpec
from usmt.train.load_settings import PRESETS, assigned, config_error, merge, preset_values
from usmt.yaml_file import YamlError, YamlFile, read_yaml, validate


def load_study(file: Path | None, options: Mapping[str, Any], assignments: list[str]) -> StudySpec:
    """Lays the file, options of the command and `--set key=value` (settings) over each other.

    Raises:
        ConfigError, YamlError: for everything that is unknown, of the wrong type or out of range.
    """
    read = read_yaml(file) if file is not None else None
    given = _over(read.data if read else {}, options)
    for text in assignments:
        given = merge(given, {"settings": assigned(text)})
    if read is not None:
        if not isinstance(read.data.get("settings", {}), dict):
            found = f"found {shown(read.data['settings'])}, expected a mapping of settings"
            raise YamlError([read.problem(("settings",), found)])
        _check_own(read.data, read)
        validate(StudySpec, read, values=_complete(given))
    _check_own(given, None)
    try:
        study = StudySpec.model_validate(_complete(given))
    except ValidationError as error:
        hint = "How to write a study: docs/how_to/study.md"
        raise config_error(error, StudySpec, hint=hint) from None
    for factor in study.learning_rate.factors:
        study.run_settings(
            [ANY_TASK], seed=study.seeds[0], moe=False, fraction=1.0, factor=factor, splits={}
        )
    return study


def _over(file: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in place of the file's keys; but settings are laid over settings, and factors are
    those of a grid."""
    given = {**file, **options}
    settings = file.get("settings", {})
    if isinstance(settings, dict):
        given["settings"] = merge(settings, options.get("settings", {}))
    search = file.get("learning_rate")
    if "learning_rate" in options and isinstance(search, dict):
        kept = {key: value for key, value in search.items() if key not in ("sampler", "trials")}
        given["learning_rate"] = {**kept, **options["learning_rate"]}
    return given


def _complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """With the preset below the settings."""
    preset, settings = given.get("preset", "small"), given.get("settings", {})
    if preset not in PRESETS or not isinstance(settings, dict):
        return {**given, "settings": settings}
    settings = merge(merge(preset_values(preset), settings), {"tasks": [ANY_TASK]})
    return {**given, "settings": settings}


def _check_own(given: Mapping[str, Any], file: YamlFile | None) -> None:
    """Raises YamlError or ConfigError for settings that the study decides."""
    settings, budget = given.get("settings"), given.get("budget")
    budget = budget if isinstance(budget, dict) else {}
    taken: dict[tuple[str, ...], str] = {
        path: f"a study decides this for each run: `{key}`" for path, key in OWN.items()
    }
    if budget.get("epochs") is not None:
        taken["epochs",] = "`budget: {epochs: ...}` says it"
    if budget.get("steps") is not None or budget.get("images") is not None:
        taken["sampler", "images_per_epoch"] = "the budget decides it"
    if budget.get("images") is not None:
        taken["sampler", "kind"] = "a budget of images draws all tasks alike: `uniform`"
    for path, reason in taken.items():
        if not _has(settings, path):
            continue
        if file is not None:
            raise YamlError([file.problem(("settings", *path), reason, at_key=True)])
        raise ConfigError(f"settings.{'.'.join(path)}: {reason}", hint="Leave it out.")


def _has(values: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
