"""Rules for a task type's metrics."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
from torchmetrics import Metric

from usmt.evaluate.rows import HasRows
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.score_rules import (
    Pairs,
    check_best,
    check_selection,
    check_worst,
    filled,
    perfect_pairs,
    scores_of,
    value_of,
    wrong_pairs,
)
from usmt.testing.subject import Subject


def check_metrics(subject: Subject) -> None:
    """Values at both ends, parts that make up the whole, rows, the selection score."""
    perfect, wrong = perfect_pairs(subject), wrong_pairs(subject)
    _check_form(subject)
    check_best(subject, perfect, "perfect results: decode(ideal(target)), unscaled")
    _check_empty(subject, "a fresh one, after others have seen images")
    check_worst(subject, wrong)
    check_selection(subject, wrong)
    mixed = [*perfect[:2], *wrong[2:]]
    _check_parts(subject, mixed)
    _check_empty(subject, "one that has seen images, after `reset`", mixed)
    for name, metric in subject.type.metrics(subject.spec).items():
        if getattr(metric, "per_image", False):
            _check_per_image(subject, name, mixed)
        if isinstance(metric, HasRows):
            _check_rows(subject, name, mixed)


def _check_form(subject: Subject) -> None:
    with keeping(f"{subject.name}.metrics must return torchmetrics objects by name"):
        metrics = subject.type.metrics(subject.spec)
    if not isinstance(metrics, dict) or not metrics:
        raise BrokenRuleError(
            f"{subject.name}.metrics must return torchmetrics objects by name",
            expected="a dict",
            found=described(metrics),
        )
    if subject.type.primary not in metrics:
        raise BrokenRuleError(
            f"{subject.name}.primary must be one of the metrics",
            expected=f"one of {', '.join(metrics)}",
            found=subject.type.primary,
        )
    for kind, names in (("best", subject.best), ("worst", subject.worst)):
        if unknown := [name for name in names if name not in metrics]:
            raise BrokenRuleError(
                f"{subject.name}: `{kind}` must name metrics of the type",
                expected=f"some of {', '.join(metrics)}",
                found=", ".join(unknown),
                do="check the call of check_task_type",
            )
    again = subject.type.metrics(subject.spec)
    for name, metric in metrics.items():
        rule = f"{subject.name}: the metric '{name}' must be a fresh torchmetrics.Metric"
        if not isinstance(metric, Metric) or metric is again[name]:
            raise BrokenRuleError(
                rule, found=described(metric), do="make a new object at each call of `metrics`"
            )
        if not isinstance(metric.higher_is_better, bool):
            raise BrokenRuleError(
                f"{subject.name}: the metric '{name}' must say whether higher is better",
                expected="True or False",
                found=described(metric.higher_is_better),
                do="set higher_is_better in its class",
            )
    _check_empty(subject, "a fresh one")


def _check_empty(subject: Subject, given: str, seen: Pairs = ()) -> None:
    """A metric knows nothing before its first image, nor after `reset`."""
    metrics = filled(subject, seen)
    for name, metric in metrics.items():
        rule = f"{subject.name}: the metric '{name}' must be NaN before any image"
        with keeping(rule, given=given):
            if seen:
                metric.reset()
            value = value_of(metric)
        if not math.isnan(value):
            raise BrokenRuleError(
                rule,
                given=given,
                expected="nan",
                found=f"{value:g}",
                do="keep all it knows in `add_state`, and divide by the number of images without "
                "a guard against zero",
            )


def _check_parts(subject: Subject, pairs: Pairs) -> None:
    """Metrics that saw parts of the images, in any order, make up the whole."""
    expected = scores_of(subject, pairs)
    found = [("in another order", scores_of(subject, pairs[::-1]))]
    for cut in range(1, len(pairs)):
        first, second = filled(subject, pairs[:cut]), filled(subject, pairs[cut:])
        for name, metric in first.items():
            with keeping(
                f"{subject.name}: the metric '{name}' must go through a pickle and be merged, for "
                "several processes score together",
                do="define its class in a module, and keep all it knows in `add_state`",
            ):
                metric.merge_state(pickle.loads(pickle.dumps(second[name])))
        merged = {name: value_of(metric) for name, metric in first.items()}
        found.append((f"as {cut} and {len(pairs) - cut} images in two processes", merged))
    for how, scores in found:
        for name, value in scores.items():
            if not _close(value, expected[name]):
                raise BrokenRuleError(
                    f"{subject.name}: the metric '{name}' must be over all images, however they "
                    "come",
                    given=f"{len(pairs)} images {how}",
                    expected=f"{expected[name]:.8g}, as in one go",
                    found=f"{value:.8g}",
                    do="keep sums and counts in `add_state`, and divide in `compute`",
                )


def _check_per_image(subject: Subject, name: str, pairs: Pairs) -> None:
    """A value for each image as well, which leaves the whole as it is."""
    metric = subject.type.metrics(subject.spec)[name]
    for pair in pairs:
        value, alone = float(metric(*pair)), scores_of(subject, [pair])[name]
        if not _close(value, alone):
            raise BrokenRuleError(
                f"{subject.name}: the metric '{name}' has per_image, so a call must give the value "
                "of that image alone",
                expected=f"{alone:.8g}",
                found=f"{value:.8g}",
            )
    whole = scores_of(subject, pairs)[name]
    if not _close(value_of(metric), whole):
        raise BrokenRuleError(
            f"{subject.name}: the metric '{name}' must be the same whether it is called or updated",
            expected=f"{whole:.8g}",
            found=f"{value_of(metric):.8g}",
        )


def _check_rows(subject: Subject, name: str, pairs: Pairs) -> None:
    """Rows of single images give the metric over any sample, images repeated or left out."""
    metric: Any = subject.type.metrics(subject.spec)[name]
    samples = [[1] * len(pairs), [0] * len(pairs)]
    samples += [[(i + j) % 3 for j in range(len(pairs))] for i in range(len(pairs))]
    rule = f"{subject.name}: `pool` of the metric '{name}' must give it over any sample of images"
    with keeping(rule, do="rows are (N, V) numbers, weights (R, N), the answer (R,)"):
        rows = np.array([list(metric.row(*pair)) for pair in pairs], np.float64)
        found = np.asarray(metric.pool(rows, np.array(samples)), np.float64)
    if found.shape != (len(samples),):
        raise BrokenRuleError(rule, expected=f"an array ({len(samples)},)", found=described(found))
    for value, counts in zip(found.tolist(), samples, strict=True):
        sample = [pair for pair, n in zip(pairs, counts, strict=True) for _ in range(n)]
        expected = scores_of(subject, sample)[name] if sample else math.nan
        if not _close(value, expected):
            raise BrokenRuleError(
                rule,
                given=f"images that are in the sample {counts} times",
                expected=f"{expected:.8g}, as `compute` over them",
                found=f"{value:.8g}",
            )


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9) or (one != one and other != other)
