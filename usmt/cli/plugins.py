"""`usmt plugins`: what is installed, what it gives, and what is broken."""

from __future__ import annotations

from typing import Any

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, open_session
from usmt.plugins import PluginInfo, words


def register(app: typer.Typer) -> None:
    plugins = typer.Typer(help="Look at the plugins.", no_args_is_help=True)
    plugins.callback()(lambda: None)  # keeps `list` a command of its own, though it is the only one
    plugins.command("list")(list_plugins)
    app.add_typer(plugins, name="plugins")


def list_plugins(plugins_dir: PluginsDirOption = None, json: JsonOption = False) -> None:
    """All plugins: where they come from, what they give, and why one failed."""
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
    }


def _gives(info: PluginInfo) -> list[str]:
    return [
        *(f"{words(kind)} {name}" for kind, names in info.given.items() for name in names),
        *(f"specs {folder}" for folder in info.spec_dirs),
        *(f"command {name}" for name in info.commands),
    ]
