"""The built-in dataset `fmc_uia`: the challenge's files as they are, and the 27 task specs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from usmt import Dataset, hookimpl
from usmt_fmc_uia.commands import add_commands
from usmt_fmc_uia.dataset import FmcUia

if TYPE_CHECKING:
    import typer

__all__ = ["FmcUia"]


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return [FmcUia]


@hookimpl
def usmt_spec_dirs() -> list[Path]:
    """In a wheel the specs lie inside this package, in a checkout at the repository's root."""
    here = Path(__file__).resolve()
    candidates = (here.parent / "task_specs", here.parents[2] / "task_specs")
    return [next(folder for folder in candidates if folder.is_dir())]


@hookimpl
def usmt_commands(app: typer.Typer) -> None:
    add_commands(app)
