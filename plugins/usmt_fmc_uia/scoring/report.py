"""The scores as tables, as JSON and as a CSV file with a row an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from usmt import Output, write_csv
from usmt_fmc_uia.cells import KINDS
from usmt_fmc_uia.scoring.score import differences, means
from usmt_fmc_uia.scoring.task_score import HEADLINES, Figures, TaskScore, figure

PER_IMAGE = ("task", "image_path", "metric", "official", "strict", "remark")


def say_scores(scores: Sequence[TaskScore], output: Output) -> None:
    """A table for each type, one of the places where official and strict differ; or all as JSON."""
    official, strict = means(scores, "official"), means(scores, "strict")
    found = differences(scores)
    for kind in KINDS:
        mine = [score for score in scores if score.task.kind == kind]
        if mine:
            columns = [f"{name}{side}" for name in HEADLINES[kind] for side in ("", " strict")]
            rows = [
                (
                    score.task.id,
                    len(score.task.rows),
                    score.official["num_samples"] if score.official else None,
                    *_cells(kind, score.official, score.strict),
                )
                for score in mine
            ]
            mean = ("mean", None, None, *_cells(kind, official[kind], strict[kind]))
            output.table(kind, ("task", "rows", "counted", *columns), [*rows, mean])
    if found:
        output.table(
            "Where official and strict differ",
            ("task", "metric", "official", "strict", "why"),
            [(one.task, one.metric, one.official, one.strict, one.reason) for one in found],
        )
    output.data(
        {
            "tasks": {score.task.id: _task_data(score) for score in scores},
            "means": {
                kind: {"official": official[kind], "strict": strict[kind]} for kind in official
            },
            "differences": [asdict(one) for one in found],
        }
    )


def write_per_image(path: Path, scores: Sequence[TaskScore]) -> None:
    """One row for each value of each image; empty where it is not counted."""
    rows = [
        (score.task.id, one.image_path, one.metric, one.official, one.strict, one.remark)
        for score in scores
        for one in score.images
    ]
    write_csv(path, PER_IMAGE, rows)


def _cells(kind: str, official: Figures | None, strict: Figures | None) -> list[float | None]:
    return [figure(side, metric) for metric in HEADLINES[kind] for side in (official, strict)]


def _task_data(score: TaskScore) -> dict[str, Any]:
    return {"type": score.task.kind, "official": score.official, "strict": score.strict}
