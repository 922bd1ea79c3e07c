"""`check_task_type`: what holds for every task type, whatever it predicts."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType, TaskTypeOptions
from usmt.testing.broken_rule import BrokenRuleError, keeping, told_alone
from usmt.testing.discovery import check_imports_nothing_slow
from usmt.testing.subject import Subject

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
) -> None:
    """Checks that a task type keeps its contract. Takes a second or two on a processor.

    Args:
        task_type: the class.
        spec: of one task; or only the fields that the type adds to those of every task.
        labels: three or more good labels that differ, each with the (height, width) of its image.
            Small sizes keep the check quick: (24, 32), say.
        bad_labels: labels that `problems` must name, each with the size of its image.
        ideal: the target of one label -> the prediction of one row (without the batch dimension)
            that says exactly what the target says. From it come perfect results: `decode` must
            lead back to the label's own pixels, however the image was scaled, mirrored or turned.
        wrong: (label, size of the image) -> a result that is as wrong as can be.
        best: by metric, its value over perfect results. By default 1 where higher is better, else
            0.
        worst: by metric, its documented value over wrong results of all labels. A metric that is
            not named must be worse than at its best.
        within: by metric, how far it may be from its best after `decode`, for a type that rounds:
            places to the cells of a map, say. By default 1e-3.
        options: of the type. By default `task_type.Options()`.

    Raises:
        BrokenRuleError: for the first rule that does not hold.
    """
    # They need torch, which the modules that plugins import must not.
    from usmt.testing.label_rules import check_labels
    from usmt.testing.metric_rules import check_metrics
    from usmt.testing.network_rules import check_network
    from usmt.testing.result_rules import check_results

    subject = Subject(
        task_type(_options(task_type) if options is None else options),
        _spec(task_type, spec),
        labels,
        ideal,
        wrong,
        best or {},
        worst or {},
        within or {},
    )
    _check_serialisation(subject)
    check_labels(subject, bad_labels)
    check_network(subject)
    check_metrics(subject)
    check_results(subject)
    check_imports_nothing_slow(task_type)


def _options(task_type: type[TaskType]) -> TaskTypeOptions:
    with keeping(
        f"{task_type.__name__}.Options() must work without arguments: every option has a default",
        do="give each field of Options a default",
    ):
        return task_type.Options()


def _spec(task_type: type[TaskType], spec: TaskSpec | Mapping[str, Any]) -> TaskSpec:
    name = task_type.__name__
    if not isinstance(spec, TaskSpec):
        base = {"id": "task", "title": "Task", "type": task_type.name, "organ": "any"}
        fields = {**base, "dataset": "any", "flip": "none", **spec}
        with keeping(f"{name}.Spec must take the fields of a good spec", given=str(fields)):
            return task_type.Spec.model_validate(fields)
    if type(spec) is not task_type.Spec or spec.type != task_type.name:
        raise BrokenRuleError(
            f"{name}: the spec must be one of its own type",
            given=f"a {type(spec).__name__} with type: {spec.type}",
            expected=f"a {task_type.Spec.__name__} with type: {task_type.name}",
            do="check the call of check_task_type",
        )
    return spec


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
