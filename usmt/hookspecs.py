"""The hooks: the one page that a plugin author reads.

A plugin is any importable module named by an entry point in the group `usmt`. It implements the
hooks it wants, each marked with `@usmt.hookimpl`, and returns what it contributes. Hooks are
called at discovery, by every command: do not import torch at the top of the module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset
from usmt.executor import Executor
from usmt.task_type import TaskType

if TYPE_CHECKING:
    import typer

API_VERSION = 1
"""Of the hooks and contracts. A plugin says which one it is written for, as `USMT_API` in its
module; one that is written for another is listed as failed, and not used. It grows when plugins
must be changed, not when something is added."""

hookspec = pluggy.HookspecMarker("usmt")
hookimpl = pluggy.HookimplMarker("usmt")


@hookspec
def usmt_task_types() -> list[type[TaskType]]:  # type: ignore[empty-body]
    """Task types, as classes."""


@hookspec
def usmt_datasets() -> list[type[Dataset]]:  # type: ignore[empty-body]
    """Datasets, as classes."""


@hookspec
def usmt_backbones() -> list[type[BackboneFamily]]:  # type: ignore[empty-body]
    """Families of backbones, as classes."""


@hookspec
def usmt_executors() -> list[type[Executor]]:  # type: ignore[empty-body]
    """Executors, which run the jobs of a study, as classes."""


@hookspec
def usmt_spec_dirs() -> list[Path]:  # type: ignore[empty-body]
    """Folders with `tasks/*.yaml` and `groups/*.yaml`."""


@hookspec
def usmt_commands(app: typer.Typer) -> None:
    """Adds commands to the `usmt` command line."""
