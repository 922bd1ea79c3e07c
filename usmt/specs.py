"""The catalogue: every task and group that plugins and the user describe in YAML.

A folder of specs has `tasks/ID.yaml` and `groups/ID.yaml`. All files are read and all mistakes of
all files are reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usmt.errors import SpecError, UsmtError, near
from usmt.plugins import Plugins
from usmt.task_spec import GroupSpec, TaskSpec
from usmt.yaml_file import Problem, YamlError, YamlFile, read_yaml, validate

USER = "user"
"""Who gives the folders of `--specs` and USMT_SPECS."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tasks and groups.

    Attributes:
        tasks: by id, each as its task type's own spec.
        groups: by id.
        files, group_files: where each was written.
        givers, group_givers: the plugin that gives it, or `user`.
        unavailable: why a plugin's task cannot be used, by id: its task type is missing or broken.
    """

    tasks: Mapping[str, TaskSpec]
    groups: Mapping[str, GroupSpec]
    files: Mapping[str, Path]
    group_files: Mapping[str, Path]
    givers: Mapping[str, str]
    group_givers: Mapping[str, str]
    unavailable: Mapping[str, str]

    def task(self, name: str) -> TaskSpec:
        """The spec of a task. Raises SpecError with the near name, or why it cannot be used."""
        if name in self.unavailable:
            raise SpecError(f"the task '{name}' cannot be used: {self.unavailable[name]}")
        if name not in self.tasks:
            raise SpecError(
                f"there is no task '{name}'{near(name, self.tasks)}", hint="See: usmt tasks list"
            )
        return self.tasks[name]

    def group_tasks(self, name: str) -> list[TaskSpec]:
        """The specs of a group's tasks, in its order. Raises SpecError."""
        if name not in self.groups:
            raise SpecError(
                f"there is no group '{name}'{near(name, self.groups)}", hint="See: usmt groups list"
            )
        listed = self.groups[name].tasks
        return [self.task(task) for task in (self.tasks if listed == "all" else listed)]

    def groups_of(self, task: str) -> list[str]:
        """The ids of the groups that a task is in."""
        return [
            name for name, group in self.groups.items() if group.tasks == "all" or task in group.tasks
        ]


def load_catalogue(plugins: Plugins, spec_dirs: Sequence[Path] = ()) -> Catalogue:
    """Reads the spec folders of all plugins, of USMT_SPECS, and `spec_dirs`.

    Raises SpecError with every mistake of every file.
    """
    reader = _Reader(plugins)
    for folder, giver in plugins.spec_dirs:
        reader.read_folder(folder, giver)
    for folder in _user_dirs(spec_dirs):
        _check_folder(folder)
        reader.read_folder(folder, USER)
    reader.check_groups()
    if reader.problems:
        count = len(reader.problems)
        raise SpecError(
            "\n".join(str(problem) for problem in reader.problems),
            hint=f"{count} mistake{'s' if count > 1 else ''} in specs; how to write them: "
            "docs/specs.md",
        )
    return reader.catalogue()


def _user_dirs(spec_dirs: Sequence[Path]) -> list[Path]:
    named = [Path(text) for text in os.environ.get("USMT_SPECS", "").split(os.pathsep) if text]
    folders = [folder.expanduser().resolve() for folder in [*named, *spec_dirs]]
    return list(dict.fromkeys(folders))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise SpecError(f"--specs {folder}: there is no such folder")
    if not (folder / "tasks").is_dir() and not (folder / "groups").is_dir():
        raise SpecError(
            f"--specs {folder}: has neither tasks/ nor groups/",
            hint="Put task specs into tasks/ID.yaml and groups into groups/ID.yaml",
        )


class _Reader:
    """Collects specs and mistakes over all folders."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self.problems: list[Problem] = []
        self.tasks: dict[str, tuple[TaskSpec, YamlFile, str]] = {}
        self.groups: dict[str, tuple[GroupSpec, YamlFile, str]] = {}
        self.unavailable: dict[str, str] = {}
        self.faulty: set[str] = set()

    def read_folder(self, folder: Path, giver: str) -> None:
        for path in _yaml_files(folder / "tasks"):
            self._try(path, giver, self._read_task)
        for path in _yaml_files(folder / "groups"):
            self._try(path, giver, self._read_group)

    def _try(self, path: Path, giver: str, read: object) -> None:
        assert callable(read)
        try:
            read(read_yaml(path), giver)
        except YamlError as error:
            self.problems += error.problems
            self.faulty.add(path.stem)

    def _read_task(self, file: YamlFile, giver: str) -> None:
        _check_name(file)
        kind = file.data.get("type")
        if isinstance(kind, str) and kind not in self.plugins.task_types:
            reason = self._no_type(kind)
            if giver == USER:
                raise YamlError([file.problem(("type",), reason)])
            self.unavailable[file.path.stem] = reason
            return
        if not isinstance(kind, str):
            spec = validate(TaskSpec, file)
        else:
            spec = validate(self.plugins.task_types[kind].Spec, file)
        self._add(self.tasks, spec.id, spec, file, giver)

    def _no_type(self, kind: str) -> str:
        try:
            self.plugins.task_type(kind)
        except UsmtError as error:
            return f"{error.message}{near(kind, self.plugins.task_types)}; allowed: " + ", ".join(
                sorted(self.plugins.task_types)
            )
        return ""

    def _read_group(self, file: YamlFile, giver: str) -> None:
        _check_name(file)
        group = validate(GroupSpec, file)
        self._add(self.groups, group.id, group, file, giver)

    def _add(self, table: dict, name: str, spec: object, file: YamlFile, giver: str) -> None:  # type: ignore[type-arg]
        if name in table:
            other = table[name][1]
            line, _ = other.keys.get(("id",), (1, 1))
            message = f"the id '{name}' is taken by {other.path}:{line}"
            raise YamlError([file.problem(("id",), message)])
        table[name] = (spec, file, giver)

    def check_groups(self) -> None:
        """Groups name tasks of any folder, so they are checked last."""
        known = {*self.tasks, *self.unavailable, *self.faulty}
        for group, file, _ in self.groups.values():
            listed = [] if group.tasks == "all" else group.tasks
            for place, task in enumerate(listed):
                if task not in known:
                    message = f"there is no task '{task}'{near(task, known)}"
                    self.problems.append(file.problem(("tasks", place), message))
                if task in listed[:place]:
                    message = f"the task '{task}' is listed twice"
                    self.problems.append(file.problem(("tasks", place), message))

    def catalogue(self) -> Catalogue:
        return Catalogue(
            tasks={name: spec for name, (spec, _, _) in sorted(self.tasks.items())},
            groups={name: group for name, (group, _, _) in sorted(self.groups.items())},
            files={name: file.path for name, (_, file, _) in self.tasks.items()},
            group_files={name: file.path for name, (_, file, _) in self.groups.items()},
            givers={name: giver for name, (_, _, giver) in self.tasks.items()},
            group_givers={name: giver for name, (_, _, giver) in self.groups.items()},
            unavailable=self.unavailable,
        )


def _yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())


def _check_name(file: YamlFile) -> None:
    name = file.data.get("id")
    if isinstance(name, str) and name != file.path.stem:
        message = f"found '{name}', expected '{file.path.stem}' as the file is named"
        raise YamlError([file.problem(("id",), message)])
