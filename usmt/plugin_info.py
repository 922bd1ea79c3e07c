"""What is known of one plugin: where it comes from, what it gives, what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset
from usmt.executor import Executor
from usmt.task_type import TaskType

Kind = Literal["task_type", "dataset", "backbone", "executor"]
KINDS: dict[Kind, type] = {
    "task_type": TaskType,
    "dataset": Dataset,
    "backbone": BackboneFamily,
    "executor": Executor,
}


@dataclass(slots=True)
class PluginInfo:
    """One plugin: where it comes from, what it gives, what is wrong with it.

    Attributes:
        name: of the entry point, or of the loose file.
        distribution: the one that declares the entry point; of a loose file, its path.
        errors: one for each thing that is broken; what is sound is used all the same.
        remarks: what is likely to be a slip, and harms nothing.
        given: names of its classes, by kind.
    """

    name: str
    distribution: str
    version: str | None = None
    disabled: bool = False
    errors: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    given: dict[Kind, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    spec_dirs: list[Path] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    @property
    def status(self) -> Literal["ok", "failed", "disabled"]:
        if self.disabled:
            return "disabled"
        return "failed" if self.errors else "ok"

    @property
    def error(self) -> str | None:
        return "\n".join(self.errors) or None

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"{self.name} ({self.distribution}{version})"
