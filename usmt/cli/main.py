"""`usmt`: the command line's entry, and the only place where errors become exit codes.

0: fine. 1: the user's error. 2: a defect of usmt. 130: interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from usmt.cli import (
    backbones,
    data,
    datasets,
    evaluate,
    groups,
    plugins,
    predict,
    study,
    tasks,
    train,
)
from usmt.cli.session import START, PluginsDirOption, SpecsOption, Start
from usmt.errors import UsmtError
from usmt.output import Output
from usmt.plugin_faults import OF_THE_MACHINE, WAY_OUT, in_words
from usmt.plugins import load_plugins

COMMANDS = (train, evaluate, study, predict, data, tasks, groups, datasets, backbones, plugins)


def run() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Runs one command line and gives its exit code."""
    output = Output()
    try:
        found = load_plugins(_plugins_dirs(arguments))
        START.set(Start(found))
        app = build_app()
        found.add_commands(app)
        get_command(app)(args=list(arguments), prog_name="usmt")
    except SystemExit as end:
        return _flushed(_code(end, output))
    except UsmtError as error:
        output.error(error)
        return _flushed(1)
    except KeyboardInterrupt:
        output.note("interrupted")
        return 130
    except BrokenPipeError:
        return _flushed(1)
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            return _defect(error, output)
        place = error.filename2 or error.filename or "a file"
        output.error(UsmtError(f"{place}: {error.strerror}"))
        return _flushed(1)
    except Exception as error:
        return _defect(error, output)
    finally:
        START.set(None)
    return 0


def _defect(error: Exception, output: Output) -> int:
    """Tells what nobody foresaw: a defect of usmt, or of a plugin if it came up in its code."""
    start = START.get()
    if start is not None and (found := start.plugins.at_fault(error)):
        plugin, place = found
        output.error(UsmtError(f"plugin {plugin}: {in_words(error)} ({place})", hint=WAY_OUT))
        return 1
    output.note(traceback.format_exc().rstrip())
    output.error(
        UsmtError(
            f"this is a defect of usmt {version('usmt')}: {type(error).__name__}: {error}",
            hint="Please report it with the lines above and the command that you gave.",
        )
    )
    return 2


def build_app() -> typer.Typer:
    """The command line without the plugins' commands."""
    app = typer.Typer(
        name="usmt",
        help="Train one model for many ultrasound tasks, and see which belong together.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if sys.stdout.isatty() and sys.stderr.isatty() else None,
    )
    app.callback()(_options)
    for module in COMMANDS:
        module.register(app)
    return app


def _options(
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda given: _show_version() if given else None,
            help="Show the version and stop.",
        ),
    ] = False,
) -> None:
    start = START.get()
    if start is not None:  # the folders of plugins were read before the command was known
        start.specs = specs or []


def _show_version() -> None:
    Output().text(f"usmt {version('usmt')}")
    raise typer.Exit()


def _plugins_dirs(arguments: Sequence[str]) -> list[Path]:
    """The values of `--plugins-dir`, wherever they stand: plugins add commands, so they must be
    loaded before the command line can be read in earnest."""
    found = []
    for argument, following in zip(arguments, [*arguments, ""][1:], strict=True):
        if argument == "--":
            break
        if argument == "--plugins-dir" and following:
            found.append(Path(following))
        elif argument.startswith("--plugins-dir="):
            found.append(Path(argument.partition("=")[2]))
    return found


def _code(end: SystemExit, output: Output) -> int:
    """The exit code; wrong usage, on which the command line library ends with 2, is 1 here."""
    if end.code == 130:
        output.note("interrupted")
    if isinstance(end.code, str):
        output.note(end.code)
        return 1
    return 1 if end.code == 2 else end.code or 0


def _flushed(code: int) -> int:
    """Writes out stdout; a reader that has gone away is no error worth telling."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
