"""Writes docs/reference/cli.md from the commands themselves; with --check, only compares.

python docs/write_cli.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.main import get_command
from written_page import REFERENCE, table, write

from usmt import load_plugins
from usmt.cli.main import build_app

HEAD = """# Command line

Every command, as `--help` tells of it. Data go to stdout, everything else to stderr; colours and
bars are for terminals only (`NO_COLOR` is honoured). The exit code is 0 when all is well, 1 for an
error of the user, 2 for a defect of usmt, 130 when it was interrupted.
"""
VALUES = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def page() -> str:
    app = build_app()
    load_plugins().add_commands(app)
    root = get_command(app)
    context = _context(root, None, "usmt")
    return "\n".join([HEAD, *_described(root, context, depth=1)])


def _described(command: Any, context: Any, depth: int) -> Iterator[str]:
    if depth > 1:
        yield f"{'#' * depth} {context.command_path}\n"
        yield f"{inspect.cleandoc(command.help or '')}\n"
    shown = [param for param in command.params if not param.hidden]
    subcommands = getattr(command, "commands", {})
    if not subcommands or depth == 1:
        hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
        rows = {param: _row(param, hints[param.name]) for param in shown}
        arguments = [rows[p][0].strip("`") for p in shown if p.param_type_name == "argument"]
        rest = ["COMMAND ..."] if subcommands else arguments
        yield f"```text\n{' '.join([context.command_path, '[OPTIONS]', *rest])}\n```\n"
        yield table(["", "meaning", "default"], list(rows.values()))
    for name, each in subcommands.items():
        if not each.hidden:
            yield from _described(each, _context(each, context, name), depth + 1)


def _row(param: Any, hint: Any) -> list[str]:
    kind, said = get_args(hint)  # Annotated[kind, what typer was told of it]
    ends = ((">=", said.min), ("<=", said.max))
    bounds = ", ".join(f"{sign} {end:g}" for sign, end in ends if end is not None)
    meaning = f"{param.help or ''}{f' ({bounds})' if bounds else ''}"
    if param.param_type_name == "argument":
        name = param.metavar or param.name.upper()
        if not param.required and name[0] != "[":
            name = f"[{name}{'...' if param.nargs == -1 else ''}]"
        return [f"`{name}`", meaning, ""]
    if getattr(param, "is_flag", False):
        names = [*param.opts, *param.secondary_opts]
        default = f"`{names[not param.default]}`" if param.secondary_opts else ""
        return [f"`{' / '.join(names)}`", meaning, default]
    if param.required:
        meaning += " Required."
    value = param.metavar or _value(kind)
    default = "" if param.default in (None, "") else f"`{param.default}`"
    return [f"`{param.opts[0]} {value}`", meaning, default]


def _value(kind: Any) -> str:
    """What stands for a value of this type, as typer itself would find one."""
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if isinstance(kind, type):
        return "|".join(kind) if issubclass(kind, StrEnum) else VALUES[kind]
    return _value(next(each for each in get_args(kind) if each is not NoneType))


def _context(command: Any, parent: Any, name: str) -> Any:
    return command.context_class(command, info_name=name, parent=parent)


if __name__ == "__main__":
    write(REFERENCE / "cli.md", page())
