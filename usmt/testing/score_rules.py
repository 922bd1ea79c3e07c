"""Rules for a task type's scores: at both ends, and that by which weights are chosen."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

from torchmetrics import Metric

from usmt.data.geometry import Frame
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.label_rules import target_of
from usmt.testing.subject import Subject, label_on

Pairs = Sequence[tuple[Any, Any]]
"""Results with the labels of the same images."""

TOLERANCE = 1e-3


def perfect_pairs(subject: Subject) -> list[tuple[Any, Any]]:
    """The ideal prediction for each label, at the image's own size."""
    pairs = []
    for label, size in subject.labels:
        target, _ = target_of(subject, label, size, size)
        with keeping(
            f"{subject.name}.decode must take what `ideal` gives", given=label_on(label, size)
        ):
            prediction = subject.ideal_prediction(target)
            result = subject.type.decode(subject.spec, prediction, Frame.fit(size, size))
        subject.check_is_result(result, "decode")
        pairs.append((result, label))
    return pairs


def wrong_pairs(subject: Subject) -> list[tuple[Any, Any]]:
    """A wrong result for each label."""
    return [(subject.wrong_result(label, size), label) for label, size in subject.labels]


def scores_of(subject: Subject, pairs: Pairs) -> dict[str, float]:
    """Every metric over some images."""
    scores = {}
    for name, metric in filled(subject, pairs).items():
        with keeping(
            f"{subject.name}: `compute` of the metric '{name}' must give one number",
            given=f"{len(pairs)} images",
            do="over whatever results and labels it has; NaN where it is not defined",
        ):
            scores[name] = value_of(metric)
    return scores


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


def check_worst(subject: Subject, wrong: Pairs) -> None:
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


def selection_of(subject: Subject, scores: dict[str, float]) -> float:
    """The score by which weights are chosen; NaN only where a metric is."""
    with keeping(f"{subject.name}.selection_score must take all metrics", given=str(scores)):
        score = float(subject.type.selection_score(subject.spec, dict(scores)))
    undefined = math.isnan(score) and any(map(math.isnan, scores.values()))
    if not undefined and not 0 <= score <= 1:
        raise BrokenRuleError(
            f"{subject.name}.selection_score must be in [0, 1]",
            given=str(scores),
            found=f"{score:g}",
            do="it is averaged over tasks of all types: scale it, and cut it off at the ends",
        )
    return score


def check_selection(subject: Subject, wrong: Pairs) -> None:
    chosen = [selection_of(subject, each) for each in (best_of(subject), scores_of(subject, wrong))]
    if abs(chosen[0] - 1) > TOLERANCE or chosen[1] >= chosen[0]:
        raise BrokenRuleError(
            f"{subject.name}.selection_score must be 1 where all metrics are at their best, and "
            "less for wrong results",
            given=f"{best_of(subject)} and {scores_of(subject, wrong)}",
            expected="1, and less than 1",
            found=f"{chosen[0]:g} and {chosen[1]:g}",
            do="higher is better here, even where a lower error is",
        )


def filled(subject: Subject, pairs: Pairs) -> dict[str, Metric]:
    metrics = subject.type.metrics(subject.spec)
    for result, label in pairs:
        for name, metric in metrics.items():
            with keeping(
                f"{subject.name}: the metric '{name}' must take a result and a label",
                given=partial(_words, result, label),
            ):
                metric.update(result, label)
    return metrics


def _words(result: Any, label: Any) -> str:
    return f"{described(result)} and {described(label)}"


def value_of(metric: Metric) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scores that are not defined
        return float(metric.compute())
