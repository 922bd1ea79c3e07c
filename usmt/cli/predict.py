"""`usmt predict`: what a run's network says of a dataset, or of single images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, Session, open_run_session
from usmt.cli.train import parse_data
from usmt.errors import ConfigError

if TYPE_CHECKING:
    from usmt.predict.model import Model


def register(app: typer.Typer) -> None:
    app.command("predict")(predict)


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files, or folders of them.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME=ROOT", help="Predict a whole dataset, e.g. to submit."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Predict this task; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the predictions.")] = Path("predictions"),
    tta: Annotated[
        bool,
        typer.Option(
            "--tta", help="Also look at images mirrored, as far as the task allows it, and join."
        ),
    ] = False,
    pixel_size: Annotated[
        str | None,
        typer.Option(
            metavar="MM", help="Size of a pixel in mm, or WIDTH,HEIGHT: measure in mm as well."
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a pass of the network.")] = 16,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="auto: CUDA if there is a device.")
    ] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option(help="auto: bf16 on CUDA devices that have it, else fp32."),
    ] = "auto",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace predictions of another model, or of another image."
        ),
    ] = False,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Predict single images, or a whole dataset in the form in which it is handed in.

    Of a dataset, what was predicted is kept: a command that was stopped goes on when it is given
    again.
    """
    from usmt.predict.model import load
    from usmt.train.run_folder import RunFolder

    _check_one_of(images, data)
    size = _parse_pixel_size(pixel_size) if pixel_size is not None else None
    bindings = parse_data([data]) if data is not None else {}
    if data is not None and size is not None:
        raise ConfigError("--pixel-size is for single images, not for --data")
    settings = RunFolder.of(run).settings()
    session = open_run_session(settings, None, plugins_dir, json)
    model = load(run, device=device, precision=precision, plugins=session.plugins)
    chosen = {"tta": tta, "batch_size": batch_size, "overwrite": overwrite}
    if bindings:
        _predict_dataset(model, session, bindings, task or [], out, chosen)
    else:
        _predict_files(model, session, images or [], task or [], out, size, chosen)


def _predict_dataset(
    model: Model,
    session: Session,
    bindings: dict[str, Any],
    only: list[str],
    out: Path,
    chosen: dict[str, Any],
) -> None:
    from usmt.data.collection import open_datasets
    from usmt.predict.on_dataset import Job, predict_dataset

    (dataset,) = open_datasets(session.plugins, bindings).values()
    job = Job(dataset, out, only, **chosen)
    predict_dataset(model, job, session.output)


def _predict_files(
    model: Model,
    session: Session,
    images: list[Path],
    only: list[str],
    out: Path,
    pixel_size: tuple[float, float] | None,
    chosen: dict[str, Any],
) -> None:
    from usmt.predict.on_files import FilesJob, image_files, predict_files

    specs = [model.spec(name) for name in dict.fromkeys(only)] or [model.spec()]
    job = FilesJob(image_files(images), specs, out, pixel_size=pixel_size, **chosen)
    predict_files(model, job, session.output)


def _check_one_of(images: list[Path] | None, data: str | None) -> None:
    if bool(images) == (data is not None):
        said = "both images and --data" if images else "neither images nor --data"
        raise ConfigError(
            f"nothing is clear to predict: {said}",
            hint="usmt predict RUN IMAGE... --task ID, or usmt predict RUN --data NAME=ROOT",
        )


def _parse_pixel_size(text: str) -> tuple[float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 < number < 1000 for number in numbers):
        raise ConfigError(
            f"--pixel-size {text}: expected a size in mm, or WIDTH,HEIGHT", hint="e.g. 0.18"
        )
    return numbers[0], numbers[-1]
