"""Finding plugins, and keeping a broken one from harming the rest.

Plugins are the entry points of group `usmt` and the loose modules of `--plugins-dir`. Each is
loaded and asked by itself, so that it is known who gives what. What goes wrong is recorded with
the plugin (`usmt plugins list`) and raised only when something that may be its is needed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy

from usmt import hookspecs
from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset
from usmt.errors import PluginError, near
from usmt.executor import Executor
from usmt.mistakes import shown
from usmt.plugin_faults import (
    called,
    class_place,
    classes_of,
    contained,
    folders_of,
    hook_faults,
    refuse,
    stated_version_fault,
)
from usmt.task_type import TaskType

if TYPE_CHECKING:
    import typer

Kind = Literal["task_type", "dataset", "backbone", "executor"]
KINDS: dict[Kind, type] = {
    "task_type": TaskType,
    "dataset": Dataset,
    "backbone": BackboneFamily,
    "executor": Executor,
}
T = TypeVar("T")


@dataclass(slots=True)
class PluginInfo:
    """One plugin: where it comes from, what it gives, what is wrong with it.

    Attributes:
        name: of the entry point, or of the loose file.
        distribution: the one that declares the entry point; of a loose file, its path.
        errors: one for each thing that is broken; what is sound is used all the same.
        given: names of its classes, by kind.
    """

    name: str
    distribution: str
    version: str | None = None
    disabled: bool = False
    errors: list[str] = field(default_factory=list)
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


class Provided(dict[str, T]):
    """What plugins give, by name. Asking for a name that is missing raises `PluginError`."""

    def __init__(self, explain: Callable[[str], PluginError]) -> None:
        super().__init__()
        self._explain = explain

    def __missing__(self, name: str) -> T:
        raise self._explain(name)


class Plugins:
    """All plugins that were found.

    Attributes:
        task_types, datasets, backbones, executors: the classes by name, without the names that
            two plugins give.
        spec_dirs: each folder with the name of the plugin that gives it.
        loaded: every plugin, the failed and the disabled among them.
        warnings: what the user should be told about the discovery itself.
        dirs: the folders of loose plugins.
    """

    def __init__(self, dirs: Sequence[Path] = ()) -> None:
        self.dirs = tuple(dirs)
        self.task_types = Provided[type[TaskType]](partial(self._missing, "task_type"))
        self.datasets = Provided[type[Dataset]](partial(self._missing, "dataset"))
        self.backbones = Provided[type[BackboneFamily]](partial(self._missing, "backbone"))
        self.executors = Provided[type[Executor]](partial(self._missing, "executor"))
        self.spec_dirs: list[tuple[Path, str]] = []
        self.loaded: list[PluginInfo] = []
        self.warnings: list[str] = []
        self._manager = pluggy.PluginManager("usmt")
        self._manager.add_hookspecs(hookspecs)
        self._at_work: list[tuple[PluginInfo, object, str]] = []
        self._givers: dict[tuple[Kind, str], list[tuple[PluginInfo, type]]] = {}
        self._tables: dict[Kind, Provided[Any]] = {
            "task_type": self.task_types,
            "dataset": self.datasets,
            "backbone": self.backbones,
            "executor": self.executors,
        }

    def task_type(self, name: str) -> type[TaskType]:
        """Raises `PluginError` when no plugin gives it, or two do."""
        return self.task_types[name]

    def dataset(self, name: str) -> type[Dataset]:
        """Raises `PluginError` when no plugin gives it, or two do."""
        return self.datasets[name]

    def backbone(self, name: str) -> type[BackboneFamily]:
        """The family of this name. Raises `PluginError` when no plugin gives it, or two do."""
        return self.backbones[name]

    def executor(self, name: str) -> type[Executor]:
        """Raises `PluginError` when no plugin gives it, or two do."""
        return self.executors[name]

    def provider(self, kind: Kind, name: str) -> PluginInfo:
        """The plugin that gives the class of this kind and name. Raises `PluginError`."""
        givers = self._givers.get((kind, name), [])
        if len(givers) != 1:
            raise self._missing(kind, name)
        return givers[0][0]

    def left_out(self) -> list[str]:
        """A line for each plugin that failed or is disabled: what is missing may be its."""
        why = {"failed": "failed: {0.error}", "disabled": "is disabled by USMT_DISABLE_PLUGINS"}
        return [
            f"  plugin {info} {why[info.status].format(info)}"
            for info in self.loaded
            if info.status in why
        ]

    def add(self, info: PluginInfo, root: str, load: Callable[[], object]) -> None:
        """Loads one plugin and takes what it gives. `root` is its top-level module."""
        same = next((other for other in self.loaded if other.name == info.name), None)
        self.loaded.append(info)
        if info.disabled:
            return
        if same:
            info.errors.append(f"a plugin of this name is there already: {same}")
            return
        plugin: object = None
        with contained(info.errors, root):
            plugin = load()
            refuse(plugin)
            self._manager.register(plugin, info.name)
            self._at_work.append((info, plugin, root))
        if not self._manager.has_plugin(info.name):
            if plugin is None and (fault := stated_version_fault(root)):
                info.errors.append(fault)
            return
        with contained(info.errors, root):
            info.errors += hook_faults(self._manager, plugin)
        for kind, base in KINDS.items():
            with contained(info.errors, root):
                for each in self._implementations(f"usmt_{kind}s", plugin):
                    for cls in classes_of(each, base):
                        info.given[kind].append(cls.name)
                        self._give(kind, info, cls)
        with contained(info.errors, root):
            for each in self._implementations("usmt_spec_dirs", plugin):
                info.spec_dirs += folders_of(each)
            self.spec_dirs += [(folder, info.name) for folder in info.spec_dirs]

    def add_commands(self, app: typer.Typer) -> None:
        """Lets every plugin add commands to the command line; a clash is the plugin's error."""
        from typer import Typer
        from typer.main import get_group

        taken = dict.fromkeys(get_group(app).commands, "usmt")
        for info, plugin, root in self._at_work:
            own = Typer()
            with contained(info.errors, root):
                for each in self._implementations("usmt_commands", plugin):
                    each.function(own) if each.argnames else each.function()
                    for name in get_group(own).commands:
                        if name in taken:
                            raise PluginError(
                                f"{called(each)}: the command '{name}' is given by {taken[name]} "
                                "too"
                            )
                names = list(get_group(own).commands)
                app.registered_commands += own.registered_commands
                app.registered_groups += own.registered_groups
                taken |= dict.fromkeys(names, str(info))
                info.commands = names

    def _implementations(self, hook: str, plugin: object) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return [each for each in caller.get_hookimpls() if each.plugin is plugin]

    def _give(self, kind: Kind, info: PluginInfo, cls: Any) -> None:
        givers = self._givers.setdefault((kind, cls.name), [])
        givers.append((info, cls))
        if len(givers) == 1:
            self._tables[kind][cls.name] = cls
            return
        self._tables[kind].pop(cls.name, None)
        for giver in {id(info): info for info, _ in givers}.values():
            giver.errors.append(self._clash(kind, cls.name))

    def _clash(self, kind: Kind, name: str) -> str:
        givers = [f"{info}{class_place(cls)}" for info, cls in self._givers[kind, name]]
        return f"the {words(kind)} '{name}' is given by {' and '.join(givers)}"

    def _missing(self, kind: Kind, name: str) -> PluginError:
        givers = self._givers.get((kind, name), [])
        if len(givers) > 1:
            return PluginError(
                self._clash(kind, name),
                hint=f"Leave one of them out, e.g. USMT_DISABLE_PLUGINS={givers[-1][0].name}",
            )
        known = self._tables[kind]
        lines = [f"no plugin gives the {words(kind)} {shown(name)}{near(name, known)}"]
        lines += self.left_out()
        there = ", ".join(sorted(known)) or "none"
        return PluginError("\n".join(lines), hint=f"The {words(kind)}s that there are: {there}")


def words(kind: Kind) -> str:
    """As people read it: `task type`."""
    return kind.replace("_", " ")


def load_plugins(plugins_dirs: Sequence[Path] = ()) -> Plugins:
    """Finds and loads all plugins but those of `USMT_DISABLE_PLUGINS` (names with commas, or `*`).

    Args:
        plugins_dirs: folders of loose plugins, `*.py` files or packages, added to those of
            `USMT_PLUGINS_DIR`. Names that start with `_` or `.` are left alone.

    Raises:
        PluginError: one of the folders does not exist.
    """
    from_environment = os.environ.get("USMT_PLUGINS_DIR", "").split(os.pathsep)
    plugins = Plugins(_folders([*filter(None, from_environment), *plugins_dirs]))
    listed = os.environ.get("USMT_DISABLE_PLUGINS", "").split(",")
    disabled = {word.strip() for word in listed} - {""}

    def is_disabled(name: str) -> bool:
        return name in disabled or "*" in disabled

    for point in sorted(entry_points(group="usmt"), key=lambda point: point.name):
        dist = point.dist
        name, version = (dist.name, dist.version) if dist else ("unknown distribution", None)
        info = PluginInfo(point.name, name, version, is_disabled(point.name))
        plugins.add(info, re.split("[.:]", point.value)[0], point.load)
    for folder in plugins.dirs:
        for path in _loose_modules(folder):
            info = PluginInfo(path.stem, str(path), None, is_disabled(path.stem))
            plugins.add(info, path.stem, partial(_import_loose, path))
    known = {info.name for info in plugins.loaded}
    for name in sorted(disabled - known - {"*"}):
        plugins.warnings.append(
            f"USMT_DISABLE_PLUGINS: there is no plugin '{name}'{near(name, known)}"
        )
    return plugins


def _folders(paths: Iterable[Path | str]) -> list[Path]:
    """Absolute and each once. Raises `PluginError` for one that does not exist."""
    folders = {Path(path).expanduser().resolve(): None for path in paths}
    for folder in folders:
        if not folder.is_dir():
            raise PluginError(
                f"{folder}: there is no such folder", hint="See --plugins-dir or USMT_PLUGINS_DIR."
            )
    return list(folders)


def _loose_modules(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.name[0] not in "_." and (path.suffix == ".py" or (path / "__init__.py").is_file())
    ]


def _import_loose(path: Path) -> Any:
    """Imports it under its own name, so that other processes can import it too (data workers)."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    invalidate_caches()
    spec = find_spec(path.stem)
    file = path / "__init__.py" if path.is_dir() else path
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != file:
        raise PluginError(
            f"{path}: the name of the module '{path.stem}' is taken "
            f"by {spec.origin if spec else 'something else'}",
            hint="Rename the file.",
        )
    return import_module(path.stem)
