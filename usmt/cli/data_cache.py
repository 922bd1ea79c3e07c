"""`usmt data cache`: images that are decoded and fitted once, and kept on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, SpecsOption, open_session
from usmt.cli.train import parse_data
from usmt.errors import ConfigError, DataError
from usmt.output import Output
from usmt.specs import user_spec_dirs

FolderOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the cache; default: USMT_CACHE, else ~/.cache/usmt."),
]
MB = 2**20


def add_to(data: typer.Typer) -> None:
    cache = typer.Typer(no_args_is_help=True, help="Images prepared once for training.")
    cache.command("build")(build)
    cache.command("show")(show)
    cache.command("clear")(clear)
    data.add_typer(cache, name="cache")


def build(
    data: Annotated[list[str], typer.Argument(metavar="NAME=ROOT", help="Dataset and its folder.")],
    group: Annotated[str | None, typer.Option(help="All tasks of this group.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="This task; give it several times.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the network's input; default: the preset's.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="small or paper, as the training will be given.")
    ] = "small",
    config: Annotated[
        Path | None, typer.Option(help="YAML file with settings, as the training will be given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, as for the training."),
    ] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Prepare the images of some tasks, or of all that the data hold, before they are trained on.

    Settings that change a prepared image are to be the training's: the size and the options of
    task types.
    """
    from usmt.data.cache import user_folder
    from usmt.train.load_settings import load_settings
    from usmt.train.prepare import prepare

    bindings = parse_data(data)
    session = open_session(specs, plugins_dir, json)
    lenient = not (group or task or config)
    known = [spec.id for spec in session.catalogue.tasks.values() if spec.dataset in bindings]
    options: dict[str, Any] = {
        "group": group,
        "tasks": known if lenient else task,
        "data": bindings,
        "image_size": size,
        "specs": [str(path) for path in user_spec_dirs(session.spec_dirs)] or None,
        "plugins_dirs": [str(path) for path in session.plugins.dirs] or None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    if not known and lenient:
        raise ConfigError(f"no known task reads {', '.join(bindings)}", hint="Give --task ID")
    settings = load_settings(preset, config, given, set_ or [])
    found = prepare(settings, session.catalogue, session.plugins, session.output, lenient=lenient)
    folder = settings.cache.folder or user_folder()
    session.output.table(
        f"Prepared images of {settings.image_size} x {settings.image_size} in {folder}",
        ["task", "images", "prepared now", "there already", "not kept", "defects"],
        [
            [name, one.images, one.prepared, one.present, one.unkept, len(one.defects)]
            for name, one in found.items()
        ],
    )
    session.output.data(
        {
            "folder": str(folder),
            "size": [settings.image_size, settings.image_size],
            "tasks": {
                name: {
                    "images": one.images,
                    "prepared": one.prepared,
                    "present": one.present,
                    "unkept": one.unkept,
                    "defects": [str(defect) for defect in one.defects],
                }
                for name, one in found.items()
            },
        }
    )
    defects = [defect for one in found.values() for defect in one.defects]
    if defects:
        raise DataError.of(defects)


def show(folder: FolderOption = None, json: JsonOption = False) -> None:
    """Show what the cache holds, by dataset, task and size."""
    from usmt.data.cache import cached_files, user_folder
    from usmt.train.config import CacheSettings

    output = Output(json=json)
    folder = folder or user_folder()
    limit = CacheSettings().disk_mb * MB
    parts: dict[tuple[str, str, str], list[float]] = {}
    files = total = 0
    for file in cached_files(folder):
        part = parts.setdefault((file.dataset, file.task, file.size), [0, 0, 0])
        part[:] = part[0] + 1, part[1] + file.bytes, max(part[2], file.used)
        files, total = files + 1, total + file.bytes
    output.table(
        f"Prepared images in {folder}: {files} files, {total / MB:.1f} MB",
        ["dataset", "task", "size", "files", "MB", "last used"],
        [
            [
                *names,
                int(count),
                round(size / MB, 1),
                time.strftime("%Y-%m-%d", time.localtime(used)),
            ]
            for names, (count, size, used) in sorted(parts.items())
        ],
        note=f"the limit is {limit // MB} MB, unless a run sets cache.disk_mb",
    )
    output.data(
        {
            "folder": str(folder),
            "files": files,
            "bytes": total,
            "limit": limit,
            "parts": [
                {
                    "dataset": dataset,
                    "task": task,
                    "size": size,
                    "files": int(count),
                    "bytes": int(b),
                }
                for (dataset, task, size), (count, b, _) in sorted(parts.items())
            ],
        }
    )


def clear(
    task: Annotated[
        list[str] | None, typer.Option(help="Only of this task; may be repeated.")
    ] = None,
    folder: FolderOption = None,
    json: JsonOption = False,
) -> None:
    """Remove prepared images; they are made again when they are needed."""
    from usmt.data.cache import remove, user_folder

    output = Output(json=json)
    folder = folder or user_folder()
    removed = remove(folder, task or [])
    total = sum(file.bytes for file in removed)
    output.text(f"Removed {len(removed)} prepared images, {total / MB:.1f} MB, from {folder}")
    output.data({"folder": str(folder), "files": len(removed), "bytes": total})
