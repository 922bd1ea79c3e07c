"""Rules for what `check_task_type` is given: a class that is one, and what its author says of it.

Their messages are for somebody who has written the call, perhaps in haste.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType, TaskTypeOptions
from usmt.testing import plugin_class
from usmt.testing.broken_rule import BrokenRuleError, described, keeping

_HERE = "check the call of check_task_type"


def check_class(task_type: Any) -> None:
    """A class that can be made, with the names that tables, specs and settings need."""
    if not isinstance(task_type, type) or not issubclass(task_type, TaskType):
        hint = "give the class itself, not an object of it"
        raise BrokenRuleError(
            "check_task_type must be given a subclass of usmt.TaskType",
            found=described(task_type),
            do=hint if isinstance(task_type, TaskType) else "write `class Mine(TaskType)`",
        )
    name, primary = task_type.__name__, getattr(task_type, "primary", None)
    plugin_class.check_class(task_type, TaskType)
    if not isinstance(primary, str):
        raise BrokenRuleError(
            f"{name}.primary must name the metric that stands for the type in tables",
            expected="a text, one of the names in `metrics`",
            found="nothing" if primary is None else described(primary),
            do='write primary = "..." in the class',
        )
    bases: dict[str, type] = {"Spec": TaskSpec, "Options": TaskTypeOptions, "Result": object}
    for attribute, base in bases.items():
        value = getattr(task_type, attribute)
        if not isinstance(value, type) or not issubclass(value, base):
            raise BrokenRuleError(
                f"{name}.{attribute} must be a class"
                + (f" that derives from usmt.{base.__name__}" if base is not object else ""),
                found=described(value),
            )
    try:
        isinstance(None, task_type.Result)
    except TypeError as error:
        raise BrokenRuleError(
            f"{name}.Result must be a class whose objects isinstance can tell, such as a dataclass",
            found=f"{task_type.Result.__name__}: {error}",
            do="for a TypedDict write Result = dict; mark a Protocol @typing.runtime_checkable",
        ) from None


def made(task_type: type[TaskType], options: TaskTypeOptions | None) -> TaskType:
    """The task type with its options."""
    name = task_type.__name__
    if options is None:
        with keeping(
            f"{name}.Options() must work without arguments: every option has a default",
            do="give each field of Options a default",
        ):
            options = task_type.Options()
    elif not isinstance(options, task_type.Options):
        raise BrokenRuleError(
            f"{name}: `options` must be the type's own",
            expected=f"a {task_type.Options.__name__}",
            found=described(options),
            do=_HERE,
        )
    with keeping(f"{name} must be made from its options alone", do="keep to __init__(options)"):
        return task_type(options)


def spec_of(task_type: type[TaskType], spec: TaskSpec | Mapping[str, Any]) -> TaskSpec:
    """The spec of one task, which may be given as its own fields only."""
    name = task_type.__name__
    if isinstance(spec, Mapping):
        base = {"id": "task", "title": "Task", "type": task_type.name, "organ": "any"}
        fields = {**base, "dataset": "any", "flip": "none", **spec}
        with keeping(f"{name}.Spec must take the fields of a good spec", given=str(fields)):
            return task_type.Spec.model_validate(fields)
    if type(spec) is not task_type.Spec or spec.type != task_type.name:
        of = getattr(spec, "type", None)
        raise BrokenRuleError(
            f"{name}: the spec must be one of its own type, or a dict of the fields that it adds",
            given=f"a {type(spec).__name__}" + (f" with type: {of}" if of else ""),
            expected=f"a {task_type.Spec.__name__} with type: {task_type.name}",
            do=_HERE,
        )
    return spec


def pairs_of(name: str, argument: str, given: Any) -> list[tuple[Any, Size]]:
    """Labels with the sizes of their images, as they must be given."""
    rule = f"{name}: `{argument}` must be a list of (label, (height, width)) of images in pixels"
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise BrokenRuleError(rule, found=described(given), do=_HERE)
    pairs = list(given)
    for at, pair in enumerate(pairs):
        if not isinstance(pair, Sequence) or len(pair) != 2 or not _is_size(pair[1]):
            raise BrokenRuleError(rule, found=f"{argument}[{at}] is {described(pair)}", do=_HERE)
    return [(label, (int(size[0]), int(size[1]))) for label, size in pairs]


def check_functions(name: str, *, ideal: Any, wrong: Any) -> None:
    """`ideal` and `wrong` can be called with what they are given."""
    for argument, value, asked in (
        ("ideal", ideal, ("target",)),
        ("wrong", wrong, ("label", "size")),
    ):
        rule = f"{name}: `{argument}` must be a function of ({', '.join(asked)})"
        if not callable(value):
            raise BrokenRuleError(rule, found=described(value), do=_HERE)
        try:
            inspect.signature(value).bind(*asked)
        except TypeError as error:
            raise BrokenRuleError(rule, found=str(error), do=_HERE) from None
        except ValueError:  # some functions in C do not tell their signature
            continue


def numbers_of(name: str, argument: str, given: Any) -> dict[str, float]:
    """Values by metric."""
    values = {} if given is None else given
    if not isinstance(values, Mapping) or not all(isinstance(v, Real) for v in values.values()):
        raise BrokenRuleError(
            f"{name}: `{argument}` must be numbers by metric", found=described(given), do=_HERE
        )
    return {str(metric): float(value) for metric, value in values.items()}


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, Sequence)
        and not isinstance(size, str)
        and len(size) == 2
        and all(isinstance(side, Integral) and int(side) > 0 for side in size)
    )
