"""Masks: DSC and HD of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from usmt_fmc_uia.scoring.challenge_task import ChallengeTask
from usmt_fmc_uia.scoring.mask_score import METRICS, ClassScores, MaskScore, score_mask
from usmt_fmc_uia.scoring.task_score import (
    Figures,
    ImageScore,
    Reason,
    TaskScore,
    official_figures,
)
from usmt_fmc_uia.tables import Row


def score_segmentation(
    task: ChallengeTask,
    csv_files: Path,
    folder: Path,
    pool: Executor,
    progress: Callable[[int], object],
) -> TaskScore:
    """Scores the masks in `folder`; reads the labels that the rows name."""

    def one(listed: tuple[Row, bool]) -> MaskScore:
        row, again = listed
        return score_mask(csv_files, folder, row, task.classes, again)

    scores = []
    for score in pool.map(one, list(task.images())):
        scores.append(score)
        progress(1)
    official = [score.official for score in scores if score.official is not None]
    strict = [score.strict for score in scores if score.strict is not None]
    figures, reasons = official_figures(task, None, lambda: _official(official, task.classes))
    return TaskScore(
        task,
        figures,
        _strict(strict, task.classes),
        reasons + _reasons(scores, official),
        [image for score in scores for image in _per_image(score, task.classes)],
    )


def _official(scores: Sequence[ClassScores], classes: int) -> Figures:
    """A class that neither mask holds has DSC 1 and HD 0."""
    by_class = {c: scores for c in range(classes) if scores}
    return _figures(by_class, len(scores), nothing=0.0)


def _strict(scores: Sequence[ClassScores], classes: int) -> Figures:
    """A class that neither mask holds is left out."""
    by_class = {c: [score for score in scores if score.present[c]] for c in range(classes)}
    held = {c: mine for c, mine in by_class.items() if mine}
    return _figures(held, len(scores), nothing=float("nan"))


def _figures(
    by_class: Mapping[int, Sequence[ClassScores]], samples: int, nothing: float
) -> Figures:
    """Means over images, then over foreground classes; `nothing` without any of those."""
    per_class = {
        c: {
            "DSC": float(np.mean([score.dsc[c] for score in scores])),
            "HD": float(np.mean([score.hd[c] for score in scores])),
        }
        for c, scores in by_class.items()
    }
    foreground = [figures for c, figures in per_class.items() if c > 0]
    means = {
        metric: float(np.mean([figures[metric] for figures in foreground]))
        if foreground
        else nothing
        for metric in METRICS
    }
    named = {f"class_{c}": figures for c, figures in per_class.items()}
    return {**means, "num_samples": samples, "per_class": named}


def _reasons(scores: Sequence[MaskScore], official: Sequence[ClassScores]) -> list[Reason]:
    counts = Counter(score.remark for score in scores if score.remark is not None)
    reasons = [remark.reason(count) for remark, count in counts.items()]
    absent = sum(not held for score in official for held in score.present[1:])
    if absent:
        pairs = "1 pair of image and class is" if absent == 1 else f"{absent} pairs are"
        text = f"{pairs} in neither label nor prediction"
        text += ": the official scorer counts DSC 1 and HD 0; strict: left out"
        reasons.append(Reason(text, METRICS))
    return reasons


def _per_image(score: MaskScore, classes: int) -> Iterator[ImageScore]:
    image = score.row.cells.get("image_path", "")
    official, strict = score.official, score.strict
    for c in range(classes):
        absent = strict is not None and not strict.present[c]
        remark = score.remark.one if score.remark else "in neither mask" if absent else ""
        for metric in ("dsc", "hd"):
            yield ImageScore(
                image,
                f"{metric}_class_{c}",
                getattr(official, metric)[c] if official is not None else None,
                getattr(strict, metric)[c] if strict is not None and not absent else None,
                remark,
            )
