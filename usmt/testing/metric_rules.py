"""Rules for a task type's metrics and for the score by which the best weights are chosen."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from torchmetrics import Metric

from usmt.data.geometry import Frame
from usmt.evaluate.rows import HasRows
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.label_rules import target_of
from usmt.testing.subject import Subject, label_on

Pairs = Sequence[tuple[Any, Any]]
"""Results with the labels of the same images."""

TOLERANCE = 1e-3


def check_metrics(subject: Subject) -> None:
    """Values at both ends, parts that make up the whole, rows, the selection score."""
    perfect, wrong = perfect_pairs(subject), wrong_pairs(subject)
    _check_form(subject)
    check_best(subject, perfect, "perfect results: decode(ideal(target)), unscaled")
    _check_worst(subject, wrong)
    _check_selection(subject, wrong)
    mixed = [*perfect[:2], *wrong[2:]]
    _check_parts(subject, mixed)
    for name, metric in subject.type.metrics(subject.spec).items():
        if getattr(metric, "per_image", False):
            _check_per_image(subject, name, mixed)
        if isinstance(metric, HasRows):
            _check_rows(subject, name, mixed)


def perfect_pairs(subject: Subject) -> list[tuple[Any, Any]]:
    """The ideal prediction for each label, at the image's own size."""
    pairs = []
    for label, size in subject.labels:
        target, _ = target_of(subject, label, size, size)
        with keeping(
            f"{subject.name}.decode must take what `ideal` gives", given=label_on(label, size)
        ):
            prediction = subject.ideal(target)
            result = subject.type.decode(subject.spec, prediction, Frame.fit(size, size))
        pairs.append((result, label))
    return pairs


def wrong_pairs(subject: Subject) -> list[tuple[Any, Any]]:
    """A wrong result for each label."""
    return [(subject.wrong(label, size), label) for label, size in subject.labels]


def scores_of(subject: Subject, pairs: Pairs) -> dict[str, float]:
    """Every metric over some images."""
    return {name: _value(metric) for name, metric in _filled(subject, pairs).items()}


def best_of(subject: Subject) -> dict[str, float]:
    """Every metric at its best."""
    metrics = subject.type.metrics(subject.spec)
    return {
        name: subject.best.get(name, 1.0 if metric.higher_is_better else 0.0)
        for name, metric in metrics.items()
    }


def check_best(subject: Subject, pairs: Pairs, given: str, do: str = "") -> None:
    """Metrics are at their best over results that should be perfect."""
    best = best_of(subject)
    for name, value in scores_of(subject, pairs).items():
        if math.isnan(best[name]) and math.isnan(value):
            continue
        if not abs(value - best[name]) <= subject.within.get(name, TOLERANCE):
            raise BrokenRuleError(
                f"{subject.name}: the metric '{name}' must be {best[name]:g} for perfect results",
                given=given,
                expected=f"{best[name]:g}",
                found=f"{value:.6g}",
                do=do
                or "check the metric, `decode` and `ideal`; another best value, or labels "
                "over which it is defined, can be given to check_task_type",
            )


def _filled(subject: Subject, pairs: Pairs) -> dict[str, Metric]:
    metrics = subject.type.metrics(subject.spec)
    for result, label in pairs:
        for name, metric in metrics.items():
            with keeping(
                f"{subject.name}: the metric '{name}' must take a result and a label",
                given=f"{described(result)} and {described(label)}",
            ):
                metric.update(result, label)
    return metrics


def _value(metric: Metric) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scores that are not defined
        return float(metric.compute())


def _check_form(subject: Subject) -> None:
    with keeping(f"{subject.name}.metrics must return torchmetrics objects by name"):
        metrics = subject.type.metrics(subject.spec)
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
        with keeping(f"{subject.name}: the metric '{name}' must be NaN before any image"):
            value = _value(metric)
        if not math.isnan(value):
            raise BrokenRuleError(
                f"{subject.name}: the metric '{name}' must be NaN before any image",
                expected="nan",
                found=f"{value:g}",
                do="divide by the number of images without a guard against zero",
            )


def _check_worst(subject: Subject, wrong: Pairs) -> None:
    best = best_of(subject)
    for name, value in scores_of(subject, wrong).items():
        if name in subject.worst:
            expected = subject.worst[name]
            tolerance = subject.within.get(name, TOLERANCE)
            sound = abs(value - expected) <= tolerance or (value != value and expected != expected)
            words = f"{expected:g}, as documented"
        else:
            higher = subject.type.metrics(subject.spec)[name].higher_is_better
            sound = value < best[name] if higher else value > best[name]
            words = f"worse than {best[name]:g}"
        if not sound:
            raise BrokenRuleError(
                f"{subject.name}: the metric '{name}' must be at its worst for wrong results",
                given="the results of `wrong` for all labels",
                expected=words,
                found=f"{value:.6g}",
                do="check the metric, and `wrong` and `worst` in the call of check_task_type",
            )


def _check_selection(subject: Subject, wrong: Pairs) -> None:
    chosen = []
    for scores in (best_of(subject), scores_of(subject, wrong)):
        with keeping(f"{subject.name}.selection_score must take all metrics", given=str(scores)):
            score = float(subject.type.selection_score(subject.spec, scores))
        if not 0 <= score <= 1:
            raise BrokenRuleError(
                f"{subject.name}.selection_score must be in [0, 1]",
                given=str(scores),
                found=f"{score:g}",
                do="it is averaged over tasks of all types: scale it, and cut it off at the ends",
            )
        chosen.append(score)
    if abs(chosen[0] - 1) > TOLERANCE or chosen[1] >= chosen[0]:
        raise BrokenRuleError(
            f"{subject.name}.selection_score must be 1 where all metrics are at their best, and "
            "less for wrong results",
            given=f"{best_of(subject)} and {scores_of(subject, wrong)}",
            expected="1, and less than 1",
            found=f"{chosen[0]:g} and {chosen[1]:g}",
            do="higher is better here, even where a lower error is",
        )


def _check_parts(subject: Subject, pairs: Pairs) -> None:
    """Metrics that saw parts of the images, in any order, make up the whole."""
    expected = scores_of(subject, pairs)
    found = [("in another order", scores_of(subject, pairs[::-1]))]
    for cut in range(1, len(pairs)):
        first, second = _filled(subject, pairs[:cut]), _filled(subject, pairs[cut:])
        for name, metric in first.items():
            with keeping(
                f"{subject.name}: the metric '{name}' must go through a pickle and be merged, for "
                "several processes score together",
                do="define its class in a module, and keep all it knows in `add_state`",
            ):
                metric.merge_state(pickle.loads(pickle.dumps(second[name])))
        merged = {name: _value(metric) for name, metric in first.items()}
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
    if not _close(_value(metric), whole):
        raise BrokenRuleError(
            f"{subject.name}: the metric '{name}' must be the same whether it is called or updated",
            expected=f"{whole:.8g}",
            found=f"{_value(metric):.8g}",
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
