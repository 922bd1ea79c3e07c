"""`usmt plugins`: what is installed, what it gives, and what is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, open_session
from usmt.errors import ConfigError, near
from usmt.plugin_info import PluginInfo
from usmt.plugins import words
from usmt.scaffold.new_plugin import PluginKind, write_plugin

PLUGIN_KINDS: tuple[str, ...] = get_args(PluginKind)


def register(app: typer.Typer) -> None:
    plugins = typer.Typer(help="Look at the plugins, or begin one.", no_args_is_help=True)
    plugins.command("list")(list_plugins)
    plugins.command("new")(new_plugin)
    app.add_typer(plugins, name="plugins")


def list_plugins(plugins_dir: PluginsDirOption = None, json: JsonOption = False) -> None:
    """All plugins: where they come from, what they give, why one failed, and likely slips."""
    session = open_session(None, plugins_dir, json, tell_failed=False)
    loaded = session.plugins.loaded
    session.output.data([as_data(info) for info in loaded])
    session.output.table(
        "",
        ("name", "distribution", "version", "status", "gives"),
        [
            (info.name, info.distribution, info.version, info.status, _gives(info))
            for info in loaded
        ],
    )
    for info in loaded:
        for error in info.errors:
            session.output.text(f"\n{info.name}: {error}")
        for remark in info.remarks:
            session.output.text(f"\n{info.name}, a remark: {remark}")


def new_plugin(
    kind: Annotated[
        str, typer.Argument(metavar="|".join(PLUGIN_KINDS), help="What the plugin adds.")
    ],
    name: Annotated[str, typer.Argument(help="Of the distribution and of what it adds: my-lab.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: NAME.")] = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Write a small distribution that adds a task type, a dataset or a backbone.

    It installs, passes its own test and trains as it stands; its comments say what to change.
    """
    if kind not in PLUGIN_KINDS:
        raise ConfigError(
            f"'{kind}' is nothing that a plugin adds{near(kind, PLUGIN_KINDS)}",
            hint=f"There are: {', '.join(PLUGIN_KINDS)}",
        )
    session = open_session(None, plugins_dir, json)
    folder = out or Path(name)
    files = write_plugin(cast(PluginKind, kind), name, folder, session.plugins)
    session.output.data(files)
    session.output.text("\n".join(map(str, files)))
    session.output.text(f"\nWhat to do next is in {folder / 'README.md'}")


def as_data(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "status": info.status,
        "error": info.error,
        **{f"{kind}s": names for kind, names in info.given.items()},
        "spec_dirs": info.spec_dirs,
        "commands": info.commands,
        "remarks": info.remarks,
    }


def _gives(info: PluginInfo) -> list[str]:
    return [
        *(f"{words(kind)} {name}" for kind, names in info.given.items() for name in names),
        *(f"specs {folder}" for folder in info.spec_dirs),
        *(f"command {name}" for name in info.commands),
    ]
