"""`usmt phantom`: look at the phantom's images, and plant relations between tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_commands(app: typer.Typer) -> None:
    """Adds `usmt phantom sheet` and `usmt phantom family`."""
    phantom = typer.Typer(
        help="Simulated images, and tasks with known relations.", no_args_is_help=True
    )
    phantom.command("sheet")(sheet)
    phantom.command("family")(family)
    app.add_typer(phantom, name="phantom")


def sheet(
    out: Annotated[Path, typer.Option(help="Where the PNG goes.")] = Path("phantom_sheet.png"),
    task: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this task; may be repeated.")
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=512, help="Width of an image, pixels.")] = 128,
    columns: Annotated[
        int, typer.Option(min=1, max=20, help="Images of each task, each bare and labelled.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images.")] = 0,
) -> None:
    """Draw a contact sheet: some images of every task, with their labels."""
    from usmt import UsmtError, load_catalogue, load_plugins
    from usmt_phantom.casting import can_draw
    from usmt_phantom.sheet import draw_sheet

    plugins = load_plugins()
    catalogue = load_catalogue(plugins)
    if task:  # one that cannot be drawn is an error here, and else left out
        specs = [catalogue.task(name) for name in task]
    else:
        specs = [spec for _, spec in sorted(catalogue.tasks.items()) if can_draw(spec)]
    types = {spec.type: plugins.task_types[spec.type] for spec in specs}
    drawers = {name: cls(cls.Options()) for name, cls in types.items()}
    picture = draw_sheet(specs, drawers, size=size, columns=columns, seed=seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        picture.save(out, "PNG", optimize=True)
    except OSError as error:
        raise UsmtError(f"{out} cannot be written: {error.strerror or error}") from error
    typer.echo(str(out))


def family(
    out: Annotated[Path, typer.Option(help="Folder for the tasks, groups and study.")],
    images: Annotated[
        int, typer.Option(min=40, max=100_000, help="Training images of the largest tasks.")
    ] = 320,
    test: Annotated[int, typer.Option(min=10, max=100_000, help="Test images of each task.")] = 120,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="Of the conflict; 0: there is none.")
    ] = 1.0,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each run of the study.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images.")] = 0,
) -> None:
    """Write five tasks with known relations, and a study that must find them.

    Two tasks share what must be learnt, one is misled by another, and one is unrelated.
    """
    from usmt_phantom.family import write_family

    study = write_family(out, images=images, strength=strength, test=test, epochs=epochs, seed=seed)
    typer.echo(str(study))
