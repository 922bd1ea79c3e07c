"""`usmt data`: what is in a dataset, what is wrong with it, and how it is split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from usmt.cli import data_cache
from usmt.cli.session import JsonOption, PluginsDirOption, Session, SpecsOption, open_session
from usmt.cli.train import parse_data
from usmt.errors import ConfigError, UsmtError

if TYPE_CHECKING:
    from usmt.data.split import Split
    from usmt.inspect.inventory import Inventory

DataArgument = Annotated[
    str, typer.Argument(metavar="NAME[=ROOT]", help="Dataset and its folder, as in --data.")
]
TaskOption = Annotated[
    list[str] | None,
    typer.Option(metavar="ID", help="Only this task; may be repeated. Without it: all."),
]


def register(app: typer.Typer) -> None:
    data = typer.Typer(help="Look at data before they are trained on.", no_args_is_help=True)
    data.command("check")(check)
    data.command("stats")(stats)
    data.command("show")(show)
    data.command("split")(split)
    data_cache.add_to(data)
    app.add_typer(data, name="data")


def check(
    data: DataArgument,
    task: TaskOption = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the whole list to this file.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A frozen split that the data must fit.")
    ] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Find everything that is wrong or odd about a dataset."""
    from usmt.data.split import Split
    from usmt.inspect.check import check_dataset
    from usmt.inspect.check_report import raise_errors, say_checked, write_list
    from usmt.train.config import SplitSettings

    session = open_session(specs, plugins_dir, json)
    frozen = None if split is None else (str(split), Split.read(split))
    inventory = _inventory(session, data, task)
    usual = SplitSettings()
    checked = check_dataset(
        inventory, session.output, frozen, seed=usual.seed, val=usual.val, test=usual.test
    )
    if csv is not None:
        with _writing(csv):
            write_list(checked, csv)
    say_checked(checked, session.output, csv)
    raise_errors(checked, csv)


def stats(
    data: DataArgument,
    task: TaskOption = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw them as a picture, too.")
    ] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Describe a dataset in numbers, task by task."""
    from usmt.inspect.statistics import take_statistics
    from usmt.inspect.statistics_picture import draw_statistics
    from usmt.inspect.statistics_report import say_statistics
    from usmt.whole_file import write_bytes

    session = open_session(specs, plugins_dir, json)
    inventory = _inventory(session, data, task)
    if out is not None:
        _check_suffix(out, ".png")
    tasks = take_statistics(inventory, session.output)
    if out is not None:
        with _writing(out):
            write_bytes(out, draw_statistics(tasks))
    say_statistics(inventory.name, tasks, session.output)
    for defect in inventory.tasks_left_out():
        session.output.warning(str(defect))
    if out is not None:
        session.output.note(f"the picture is in {out}")


def show(
    data: DataArgument,
    task: Annotated[list[str], typer.Option(metavar="ID", help="Task; may be repeated.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="PNG or HTML, by its name; default: labels-TASK.png, here."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Images of each task.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the lot by which images are taken.")] = 0,
    side: Annotated[
        Literal["train", "val", "test"] | None,
        typer.Option(help="Only from this side of the split, as training draws it."),
    ] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
) -> None:
    """Draw images with their labels, each beside the bare image."""
    from usmt.inspect.label_gallery import as_html, as_png, draw_examples
    from usmt.whole_file import write_bytes

    session = open_session(specs, plugins_dir, json=False)
    tasks = list(dict.fromkeys(task))
    out = out or Path(f"labels-{'-'.join(tasks)}.png")
    _check_suffix(out, ".png", ".html")
    inventory = _inventory(session, data, tasks)
    records = inventory.records
    if side is not None:
        sides = _draw_split(session, _inventory(session, data, None)).places
        names = {name for name, place in sides.items() if place.side == side}
        records = [record for record in records if (record.task, record.key) in names]
    galleries = {}
    with session.output.progress("drawing labels", len(tasks)) as bar:
        for name in tasks:
            of_task = [record for record in records if record.task == name]
            galleries[name] = draw_examples(inventory, name, of_task, count, seed)
            bar.advance()
    with _writing(out):
        page = as_png(galleries) if out.suffix == ".png" else as_html(inventory.name, galleries)
        write_bytes(out, page)
    session.output.text(str(out))


def split(
    data: DataArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the split goes, a CSV file.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Default: 0.")] = None,
    val: Annotated[
        float | None,
        typer.Option(min=0, max=0.5, help="Share of the training part that validates; 0.2."),
    ] = None,
    test: Annotated[
        float | None,
        typer.Option(min=0, max=0.5, help="Share of all that is kept for the test; 0.2."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Draw a dataset's split and keep it, for many runs."""
    from usmt.inspect.freeze_split import say_split

    if out.exists() and not force:
        raise ConfigError(
            f"{out}: exists, and runs may depend on it",
            hint="Choose another --out, or replace it: --force",
        )
    session = open_session(specs, plugins_dir, json)
    inventory = _inventory(session, data, None)
    drawn = _draw_split(session, inventory, seed=seed, val=val, test=test)
    with _writing(out):
        drawn.write(out)
    say_split(inventory, drawn, session.output)
    session.output.note(f"the split is in {out}; train with it: --split {out}")


def _inventory(session: Session, data: str, tasks: list[str] | None) -> Inventory:
    from usmt.inspect.inventory import take_inventory

    return take_inventory(parse_data([data]), session.plugins, session.catalogue, tasks or [])


def _draw_split(session: Session, inventory: Inventory, **given: float | None) -> Split:
    """As training would draw it but for what is given."""
    from usmt.inspect.freeze_split import split_inventory
    from usmt.train.config import SplitSettings

    settings = SplitSettings.model_validate({k: v for k, v in given.items() if v is not None})
    return split_inventory(
        inventory,
        session.output,
        seed=settings.seed,
        val=settings.val,
        test=settings.test,
    )


def _check_suffix(out: Path, *suffixes: str) -> None:
    if out.suffix not in suffixes:
        raise ConfigError(f"{out}: expected a file name that ends in {' or '.join(suffixes)}")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsmtError(f"{path} cannot be written: {error.strerror or error}") from None
