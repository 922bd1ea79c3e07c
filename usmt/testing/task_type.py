"""`check_task_type`: what holds for every task type, whatever it predicts."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType, TaskTypeOptions
from usmt.testing.broken_rule import BrokenRuleError, described, keeping, told_alone
from usmt.testing.call_rules import (
    check_class,
    check_functions,
    made,
    numbers_of,
    pairs_of,
    spec_of,
)
from usmt.testing.discovery import check_imports_nothing_slow
from usmt.testing.equality import same
from usmt.testing.plugin_line import placed as where_it_is
from usmt.testing.subject import Subject, label_on

if TYPE_CHECKING:
    from torch import Tensor


@told_alone
def check_task_type(
    task_type: type[TaskType],
    spec: TaskSpec | Mapping[str, Any],
    *,
    labels: Sequence[tuple[Any, Size]],
    bad_labels: Sequence[tuple[Any, Size]],
    ideal: Callable[[dict[str, Tensor]], Any],
    wrong: Callable[[Any, Size], Any],
    best: Mapping[str, float] | None = None,
    worst: Mapping[str, float] | None = None,
    within: Mapping[str, float] | None = None,
    options: TaskTypeOptions | None = None,
    placed: bool = True,
) -> None:
    """Checks that a task type keeps its contract. Takes a second or two on a processor.

    Args:
        task_type: the class.
        spec: of one task; or only the fields that the type adds to those of every task.
        labels: three or more good labels that differ, each with the (height, width) of its image.
            Small sizes keep the check quick: (24, 32), say. Images that are not square and labels
            away from the centre show most mistakes.
        bad_labels: labels that `problems` must name, each with the size of its image.
        ideal: the target of one label -> the prediction of one row (both without the batch
            dimension) that says exactly what the target says. From it come perfect results:
            `decode` must lead back to the label's own pixels, however the image was scaled,
            mirrored or turned. It has the form of a row of the head's prediction: a tensor of as
            many dimensions, or a dict of such tensors. Targets are those of a network's input of
            (64, 96); of the image's own size (h, w); of a square four times as large as its longer
            side, as it is and moved; and of (4 h, 4 w + 32). The head itself is asked at (64, 96),
            with maps of the strides (16, 16, 16, 16), (4, 8, 16, 32) and (16,), or those of them
            for which `decoder` and `head` raise no UsmtError. So a map that `ideal` gives may have
            any resolution that `loss` and `decode` can read: one cell for each 4 x 4 pixels of the
            input, say, of which the size is in the target if the target is a map.
        wrong: (label, size of the image) -> a result that is as wrong as can be.
        best: by metric, its value over perfect results. By default 1 where higher is better, else
            0.
        worst: by metric, its documented value over wrong results of all labels. A metric that is
            not named must be worse than at its best.
        within: by metric, how far it may be from its best after `decode`, for a type that rounds:
            places to the cells of a map, say. By default 1e-3.
        options: of the type. By default `task_type.Options()`.
        placed: whether a label says where in the image something is. If so, the target of one
            label at least must change when the image is mirrored. If not (a class, a grade, a
            width in pixels), no target may, and `decode` must give the same for every frame for
            which the target is the same.

    Raises:
        BrokenRuleError: for the first rule that does not hold, of the type or of this call.
    """
    check_class(task_type)
    name = task_type.__name__
    check_functions(name, ideal=ideal, wrong=wrong)
    good = pairs_of(name, "labels", labels)
    if len(good) < 3:
        raise BrokenRuleError(
            f"{name}: a check needs three or more good labels that differ",
            found=f"{len(good)} labels",
            do="give check_task_type more of them",
        )
    bad = pairs_of(name, "bad_labels", bad_labels)
    best, worst, within = (
        numbers_of(name, argument, given)
        for argument, given in (("best", best), ("worst", worst), ("within", within))
    )
    with where_it_is(task_type):
        made_type, one_spec = made(task_type, options), spec_of(task_type, spec)
        subject = Subject(
            made_type, one_spec, good, bad, ideal, wrong, best, worst, within, bool(placed)
        )
        _check_serialisation(subject)
        _check_rules(subject)
        check_imports_nothing_slow(task_type)


def _check_rules(subject: Subject) -> None:
    # They need torch, which the modules that plugins import must not.
    from usmt.testing.fixed_seed import fixed_seed
    from usmt.testing.geometry_rules import check_geometry, check_placed
    from usmt.testing.label_rules import check_labels
    from usmt.testing.learning_rules import check_learning
    from usmt.testing.loss_rules import check_loss
    from usmt.testing.metric_rules import check_metrics
    from usmt.testing.network_rules import check_network
    from usmt.testing.result_rules import check_results

    rules: dict[str, list[Callable[[Subject], None]]] = {
        "problems, wrap, target or the statistics": [check_labels, check_placed],
        "decoder, head or loss": [check_network, check_loss, check_learning],
        "metrics": [check_metrics],
        "decode, trivial or the pictures": [check_geometry, check_results],
    }
    for asked, checks in rules.items():
        before = _copied(subject)
        for check in checks:
            with fixed_seed():
                check(subject)
        _check_untouched(subject, before, asked)


def _copied(subject: Subject) -> list[Any]:
    with keeping(
        f"{subject.name}: labels must be picklable, for other processes read them",
        do="use plain values, arrays, or dataclasses that a module defines",
    ):
        return [pickle.loads(pickle.dumps(label)) for label, _ in subject.labels]


def _check_untouched(subject: Subject, before: Sequence[Any], asked: str) -> None:
    for (label, size), was in zip(subject.labels, before, strict=True):
        if not same(label, was):
            raise BrokenRuleError(
                f"{subject.name} must leave the labels as they are that it is given",
                given=label_on(was, size),
                found=f"after {asked}: {described(label)}, with other values",
                do="copy a label before changing it",
            )


def _check_serialisation(subject: Subject) -> None:
    """Specs and options are kept in run folders as JSON, and task types go to other processes."""
    models: list[tuple[str, BaseModel]] = [
        ("Spec", subject.spec),
        ("Options", subject.type.options),
    ]
    for part, model in models:
        rule = f"{subject.name}.{part} must be the same after a way through JSON"
        with keeping(rule, do="use fields of plain types, or give pydantic a serialiser"):
            text = json.dumps(model.model_dump(mode="json", by_alias=True))
            again = type(model).model_validate(json.loads(text))
        if again != model:
            raise BrokenRuleError(
                rule,
                expected=repr(model),
                found=repr(again),
                do="a validator must leave alone what it has validated before",
            )
    with keeping(
        f"{subject.name} must be picklable, for it is sent to other processes",
        do="define the class in a module, and keep no state in it but `options`",
    ):
        pickle.loads(pickle.dumps(subject.type))
