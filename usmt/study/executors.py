"""The executor that a study is run with, as a plugin gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from usmt.executor import Executor
from usmt.plugins import Plugins
from usmt.train.load_settings import assigned, config_error, merge


def make_executor(plugins: Plugins, name: str, assignments: Sequence[str], jobs: int) -> Executor:
    """An executor with its options, `key=value` in YAML. Raises PluginError, ConfigError, and
    whatever UsmtError the executor has when it cannot be had."""
    kind = plugins.executor(name)
    values: dict[str, Any] = {}
    for text in assignments:
        values = merge(values, assigned(text, option="--executor-set", example="cpus=2"))
    try:
        options = kind.Options.model_validate(values)
    except ValidationError as error:
        hint, told = "See docs/how_to/executors.md", "--executor-set "
        raise config_error(error, kind.Options, hint=hint, told=told) from None
    return kind(options, jobs)
