"""The built-in dataset `phantom`: simulated ultrasound for every task, and no data needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usmt import Dataset, hookimpl
from usmt_phantom.commands import add_commands
from usmt_phantom.dataset import Phantom

if TYPE_CHECKING:
    import typer

__all__ = ["Phantom"]


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return [Phantom]


@hookimpl
def usmt_commands(app: typer.Typer) -> None:
    add_commands(app)
