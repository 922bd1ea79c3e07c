"""What every command has: plugins, tasks and groups, and a place to write to."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usmt.loose_plugins import still_needed
from usmt.output import Output
from usmt.plugins import Plugins, load_plugins
from usmt.specs import Catalogue, load_catalogue

if TYPE_CHECKING:
    from usmt.train.config import RunSettings

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON on stdout.")]
SpecsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--specs",
        metavar="DIR",
        help="Folder with more tasks/ and groups/; may be repeated. Also: USMT_SPECS.",
    ),
]
PluginsDirOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugins-dir",
        metavar="DIR",
        help="Folder with loose plugins; may be repeated. Also: USMT_PLUGINS_DIR.",
    ),
]


@dataclass
class Start:
    """What is known before the command is: the plugins (they may give the command itself) and
    the spec folders given in front of it."""

    plugins: Plugins
    specs: Sequence[Path] = ()


START: ContextVar[Start | None] = ContextVar("start", default=None)


@dataclass
class Session:
    """What a command works with. The specs are read when they are first asked for."""

    plugins: Plugins
    output: Output
    spec_dirs: list[Path]

    @cached_property
    def catalogue(self) -> Catalogue:
        """All tasks and groups. Raises `SpecError`."""
        return load_catalogue(self.plugins, self.spec_dirs)


def open_run_session(
    run: RunSettings,
    specs: Sequence[Path] | None,
    plugins_dirs: Sequence[Path] | None,
    json: bool,
) -> Session:
    """For a run that exists: with the folders that it names, and those of the command.

    The run holds the specs of its tasks; the folders that they came from may be gone. Whether one
    that is gone held a plugin that is needed is known when it is asked for. Plugins that are given
    with the command take the place of those that the run remembers.
    """
    spec_dirs = [*filter(Path.is_dir, run.specs), *(specs or [])]
    start = START.get()
    given = [*(start.plugins.dirs if start else ()), *(plugins_dirs or [])]
    session = open_session(spec_dirs, [*given, *still_needed(run.plugins_dirs, given)], json)
    session.plugins.gone = [folder for folder in run.plugins_dirs if not folder.is_dir()]
    return session


def open_session(
    specs: Sequence[Path | str] | None,
    plugins_dirs: Sequence[Path | str] | None,
    json: bool,
    *,
    tell_failed: bool = True,
) -> Session:
    """Built from a command's own options and those given in front of it.

    With `tell_failed` it says which plugins failed: the user may be looking for what they give.
    """
    start = START.get()
    wanted = [Path(path).expanduser().resolve() for path in plugins_dirs or []]
    if start is None or not set(wanted) <= set(start.plugins.dirs):
        start = Start(load_plugins(wanted), start.specs if start else ())
        START.set(start)
    spec_dirs = [*start.specs, *map(Path, specs or [])]
    session = Session(start.plugins, Output(json=json), spec_dirs)
    for warning in start.plugins.warnings:
        session.output.warning(warning)
    failed = [info.name for info in start.plugins.loaded if info.status == "failed"]
    if failed and tell_failed:
        session.output.warning(f"plugins that failed: {', '.join(failed)} (see: usmt plugins list)")
    return session
