"""Plugins that are not installed: the modules and packages in the folders of `--plugins-dir`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from usmt.errors import PluginError

NO_PLUGINS = {"conftest", "noxfile", "setup", "tests"}
"""What may lie beside a plugin that is being written, and would do something when imported."""


def existing_folders(paths: Iterable[Path | str]) -> list[Path]:
    """Absolute and each once. Raises `PluginError` for one that does not exist."""
    folders = {Path(path).expanduser().resolve(): None for path in paths}
    for folder in folders:
        if not folder.is_dir():
            raise PluginError(
                f"{folder}: there is no such folder", hint="See --plugins-dir or USMT_PLUGINS_DIR."
            )
    return list(folders)


def loose_modules(folder: Path) -> list[Path]:
    """The `*.py` files and packages of a folder, but for names that start with `_` or `.`, tests,
    and scripts that a Python project may have."""
    return [
        path
        for path in sorted(folder.iterdir())
        if (path.suffix == ".py" or (path / "__init__.py").is_file())
        and not path.name.startswith(("_", ".", "test_"))
        and path.stem not in NO_PLUGINS
    ]


def still_needed(remembered: Iterable[Path], given: Iterable[Path]) -> list[Path]:
    """Of the folders that a run remembers those that are there, without those all of whose
    plugins are in the folders that are given now: they are an older place of the same."""
    now = {path.stem for folder in given if folder.is_dir() for path in loose_modules(folder)}
    return [
        folder
        for folder in remembered
        if folder.is_dir() and not {path.stem for path in loose_modules(folder)} <= now
    ]


def import_loose(path: Path) -> Any:
    """Imports it under its own name, so that other processes can import it too (data workers).

    Raises `PluginError` if another module has that name.
    """
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    invalidate_caches()
    spec = find_spec(path.stem)
    file = path / "__init__.py" if path.is_dir() else path
    if spec is None or spec.origin is None or not file.samefile(spec.origin):
        raise PluginError(
            f"{path}: the name of the module '{path.stem}' is taken "
            f"by {spec.origin if spec else 'something else'}",
            hint="Rename the file.",
        )
    return import_module(path.stem)
