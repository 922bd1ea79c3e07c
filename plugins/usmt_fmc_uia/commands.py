"""`usmt score` and `usmt submission check`: a folder of predictions on the challenge's data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON on stdout.")]
TaskOption = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="Only this task; may be repeated.")
]


def add_commands(app: typer.Typer) -> None:
    """Adds `usmt score` and `usmt submission check`."""
    app.command("score")(score)
    submission = typer.Typer(
        help="Look at a folder of predictions before it is handed in.", no_args_is_help=True
    )
    submission.command("check")(check)
    # Keeps `check` a command of its own name, though it is the only one.
    submission.callback()(lambda: None)
    app.add_typer(submission, name="submission")


def score(
    data_root: Annotated[Path, typer.Argument(help="Folder with csv_files and the labels.")],
    predictions: Annotated[Path, typer.Argument(help="Folder of the predictions.")],
    task: TaskOption = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write each image's values here.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Score predictions as the challenge's published scorer does, and strictly beside it."""
    from usmt import Output, RootOptions
    from usmt_fmc_uia.cells import KINDS
    from usmt_fmc_uia.dataset import FmcUia
    from usmt_fmc_uia.scoring.challenge_task import choose, read_tasks
    from usmt_fmc_uia.scoring.report import say_scores, write_per_image
    from usmt_fmc_uia.scoring.score import score as score_tasks

    FmcUia(RootOptions(root=data_root))  # says what is wrong with the folder
    _hush_opencv()
    output = Output(json=json)
    tasks = choose(read_tasks(data_root), task or [])
    for one in tasks:
        if one.kind not in KINDS:
            output.warning(f"task '{one.id}' is not scored: its task_name is '{one.name}'")
    rows = sum(len(one.rows) for one in tasks)
    with output.progress("scoring", rows) as bar:
        scores = score_tasks(tasks, data_root, predictions, bar.advance)
    if csv is not None:
        write_per_image(csv, scores)
    say_scores(scores, output)


def check(
    predictions: Annotated[Path, typer.Argument(help="Folder of the predictions.")],
    data: Annotated[Path, typer.Option(metavar="ROOT", help="Folder with csv_files.")],
    task: TaskOption = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write all defects here.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check that predictions are complete and well formed; labels are not needed."""
    from usmt import Output, RootOptions, write_csv
    from usmt_fmc_uia.dataset import FmcUia
    from usmt_fmc_uia.records import Root
    from usmt_fmc_uia.scoring.challenge_task import choose, read_tasks
    from usmt_fmc_uia.submission_check import check_submission
    from usmt_fmc_uia.submission_report import COLUMNS, as_row, say_defects
    from usmt_fmc_uia.tables import read_table

    FmcUia(RootOptions(root=data))  # says what is wrong with the folder
    _hush_opencv()
    output, root = Output(json=json), Root(data)
    tables = [read_table(path) for path in sorted(root.csv_files.glob("*.csv"))]
    if task:
        choose(read_tasks(data), task)  # says which of them there is not
    with output.progress("checking", sum(len(table.rows) for table in tables)) as bar:
        defects = check_submission(predictions, tables, root, task or None, bar.advance)
    if csv is not None:
        write_csv(csv, COLUMNS, [as_row(defect) for defect in defects])
    say_defects(predictions, defects, output)


def _hush_opencv() -> None:
    """Files that OpenCV cannot read are told of in the answer."""
    from cv2.utils import logging

    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
