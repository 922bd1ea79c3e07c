"""What a task type is asked in the middle of a command, and whether its answer keeps the contract.

A mistake of a plugin's author is told with the task, the task type, the method and its line, what
was expected and what came. Without these checks some of them would train, on nonsense.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import default_collate
from torchmetrics import Metric

from usmt.errors import PluginError
from usmt.measurement import Measurement
from usmt.plugin_faults import blamed, fault
from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType


def asking(
    task_type: TaskType, spec: TaskSpec, method: str, about: str = ""
) -> AbstractContextManager[None]:
    """While a method of a task type is called for a task: what it raises becomes a `PluginError`,
    see `blamed`.

    Args:
        about: what it is asked about, if anything: the place of a record.
    """
    what = _asked(task_type, spec, method) + (f" for {about}" if about else "")
    return blamed(what, task_type, getattr(task_type, method))


# -- labels


def problems(task_type: TaskType, spec: TaskSpec, label: Any, size: Size, place: str) -> list[str]:
    """See `TaskType.problems`; `place` of the record is for the message. Raises PluginError."""
    with asking(task_type, spec, "problems", place):
        return list(task_type.problems(spec, label, size))


def wrap(task_type: TaskType, spec: TaskSpec, label: Any, size: Size) -> dict[str, Any]:
    """See `TaskType.wrap`. Raises PluginError."""
    with asking(task_type, spec, "wrap"):
        return dict(task_type.wrap(spec, label, size))


def target(
    task_type: TaskType, spec: TaskSpec, wrapped: dict[str, Any], size: Size
) -> dict[str, Tensor]:
    """See `TaskType.target`. Raises PluginError."""
    with asking(task_type, spec, "target"):
        target = task_type.target(spec, wrapped, size)
    if not isinstance(target, dict) or not target or any(v is None for v in target.values()):
        expected = "a dict of tensors, one or more"
        raise _broken(task_type, spec, "target", f"gave {_told(target)}, expected {expected}")
    return target


def stacked(
    task_type: TaskType, spec: TaskSpec, targets: Sequence[dict[str, Tensor]], keys: Sequence[str]
) -> dict[str, Tensor]:
    """Targets of some records as one, (n, ...). Raises PluginError for those that differ.

    Args:
        keys: the records', for the message.
    """
    try:
        if all(each.keys() == targets[0].keys() for each in targets):
            together: dict[str, Tensor] = default_collate(list(targets))
            return together
        raise LookupError
    except (RuntimeError, TypeError, LookupError):
        first = _form(targets[0])
        odd = [i for i, each in enumerate(targets) if _form(each) != first]
        if not odd:
            raise
        said = (
            f"gave {first} for {keys[0]}, but {_form(targets[odd[0]])} for {keys[odd[0]]}; "
            "expected tensors of the same names and shapes for all records: they are stacked"
        )
        raise _broken(task_type, spec, "target", said) from None


# -- training


def losses(
    task_type: TaskType, spec: TaskSpec, prediction: Any, target: dict[str, Tensor], rows: int
) -> Tensor:
    """One loss a row, (rows,), float32; see `TaskType.loss`. Raises PluginError."""
    check_prediction(task_type, spec, prediction, rows)
    with asking(task_type, spec, "loss"):
        losses = task_type.loss(spec, prediction, target)
    if not isinstance(losses, Tensor) or losses.shape != (rows,):
        expected = f"a tensor ({rows},): one loss a row"
        raise _broken(task_type, spec, "loss", f"gave {_told(losses)}, expected {expected}")
    return losses.float()


def check_prediction(task_type: TaskType, spec: TaskSpec, prediction: Any, rows: int) -> None:
    """Raises PluginError unless a head gave tensors whose first dimension is `rows`."""
    for leaf in tree_leaves(prediction):
        if not isinstance(leaf, Tensor) or leaf.shape[:1] != (rows,):
            raise _broken(
                task_type,
                spec,
                "head",
                f"made a module that gave {_told(leaf)} for {rows} images, expected a tensor or a "
                f"dict of tensors, each ({rows}, ...)",
            )


# -- results


def decoded(task_type: TaskType, spec: TaskSpec, prediction: Any, frame: Any) -> Any:
    """The result for one image; see `TaskType.decode`. Raises PluginError."""
    with asking(task_type, spec, "decode"):
        result = task_type.decode(spec, prediction, frame)
    return _as_declared(task_type, spec, "decode", result)


def decoded_views(task_type: TaskType, spec: TaskSpec, views: Sequence[tuple[Any, Any]]) -> Any:
    """One result from several views; see `TaskType.decode_views`. Raises PluginError."""
    with asking(task_type, spec, "decode_views"):
        result = task_type.decode_views(spec, views)
    return _as_declared(task_type, spec, "decode_views", result)


def trivial(
    task_type: TaskType, spec: TaskSpec, labels: Sequence[tuple[Any, Size]]
) -> Callable[[Size], Any]:
    """The trivial predictor; see `TaskType.trivial`. It and this raise PluginError."""
    with asking(task_type, spec, "trivial"):
        predictor = task_type.trivial(spec, labels)
    if not callable(predictor):
        expected = "a function of an image's (height, width)"
        raise _broken(task_type, spec, "trivial", f"gave {_told(predictor)}, expected {expected}")

    def predict(size: Size) -> Any:
        with asking(task_type, spec, "trivial"):
            return predictor(size)

    return predict


def measured(
    task_type: TaskType, spec: TaskSpec, result: Any, pixel_size: tuple[float, float]
) -> dict[str, Measurement]:
    """See `TaskType.measure`. Raises PluginError."""
    with asking(task_type, spec, "measure"):
        found = task_type.measure(spec, result, pixel_size)
    if not isinstance(found, dict):
        expected = "a dict of usmt.Measurement by name"
        raise _broken(task_type, spec, "measure", f"gave {_told(found)}, expected {expected}")
    for name, one in found.items():
        if not isinstance(one, Measurement):
            said = f"gave {_told(one)} as '{name}', expected a usmt.Measurement"
            raise _broken(task_type, spec, "measure", said)
    return found


def drawn(
    task_type: TaskType,
    spec: TaskSpec,
    method: Literal["draw_label", "draw_result"],
    image: np.ndarray,
    shown: Any,
) -> np.ndarray:
    """The image, uint8 (H, W, 3), with a label or a result drawn on it; see `TaskType`. Raises
    PluginError."""
    with asking(task_type, spec, method):
        picture = getattr(task_type, method)(spec, image, shown)
    if not isinstance(picture, np.ndarray) or (picture.shape, picture.dtype) != (
        image.shape,
        np.uint8,
    ):
        said = f"gave {_told(picture)}, expected an array, uint8 {image.shape}"
        raise _broken(task_type, spec, method, said)
    return picture


# -- scores


def metrics(task_type: TaskType, spec: TaskSpec) -> dict[str, Metric]:
    """Fresh metrics by name; see `TaskType.metrics`. Raises PluginError."""
    with asking(task_type, spec, "metrics"):
        metrics = task_type.metrics(spec)
    if not isinstance(metrics, dict):
        expected = "a dict of torchmetrics by name"
        raise _broken(task_type, spec, "metrics", f"gave {_told(metrics)}, expected {expected}")
    for name, metric in metrics.items():
        if not isinstance(metric, Metric):
            said = f"gave {_told(metric)} as '{name}', expected a torchmetrics Metric"
            raise _broken(task_type, spec, "metrics", f"{said}: an ImageMetric, say")
    if task_type.primary not in metrics:
        known = ", ".join(metrics) or "none"
        said = f"lacks '{task_type.primary}', the primary one; it gave {known}"
        raise _broken(task_type, spec, "metrics", said)
    if metrics[task_type.primary].higher_is_better is None:
        said = f"gave '{task_type.primary}' without higher_is_better, expected True or False"
        raise _broken(task_type, spec, "metrics", said)
    return metrics


def scoring(task_type: TaskType, spec: TaskSpec, metric: str) -> AbstractContextManager[None]:
    """While a metric of a task type is at work; see `asking`."""
    what = f"task {spec.id}: the metric '{metric}' of the task type {task_type.name}"
    return blamed(what, task_type, task_type.metrics)


def number(task_type: TaskType, spec: TaskSpec, metric: str, value: Any) -> float:
    """What a metric gave over one image or all. Raises PluginError unless it is a number."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        said = f"gave '{metric}', whose compute() gave {_told(value)}, expected one number"
        raise _broken(task_type, spec, "metrics", said) from None


def selection_score(task_type: TaskType, spec: TaskSpec, scores: Mapping[str, float]) -> float:
    """See `TaskType.selection_score`. Raises PluginError unless it is a number, of any size."""
    with asking(task_type, spec, "selection_score"):
        return float(task_type.selection_score(spec, dict(scores)))


def check_selection(
    task_type: TaskType, spec: TaskSpec, value: float, scores: Mapping[str, float]
) -> None:
    """Raises PluginError unless a selection score is one to choose the best weights by. It may be
    NaN where a metric is."""
    if math.isnan(value) and any(map(math.isnan, scores.values())):
        return
    if math.isnan(value) or not -_SLACK <= value <= 1 + _SLACK:
        given = ", ".join(f"{name} {score:g}" for name, score in scores.items())
        said = f"gave {value:g} for {given}; expected 0 to 1, higher for better"
        raise _broken(task_type, spec, "selection_score", said)


_SLACK = 1e-6
"""For what is a sum of many."""


# -- how it is told


def _asked(task_type: TaskType, spec: TaskSpec, method: str) -> str:
    return f"task {spec.id}: {method}() of the task type {task_type.name}"


def _broken(task_type: TaskType, spec: TaskSpec, method: str, said: str) -> PluginError:
    return fault(f"{_asked(task_type, spec, method)} {said}", getattr(task_type, method))


def _as_declared(task_type: TaskType, spec: TaskSpec, method: str, result: Any) -> Any:
    """A result of the type that the task type declares, if it does."""
    expected = task_type.Result
    if not isinstance(result, (int, float) if expected is float else expected):
        said = f"gave {_told(result)}, expected a {expected.__name__}, as its Result says"
        raise _broken(task_type, spec, method, said)
    return result


def _told(value: Any) -> str:
    """A value in a few words: what it is, and its shape."""
    if value is None:
        return "None"
    kind = type(value).__name__
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array, {value.dtype} {value.shape}"
    if isinstance(value, Mapping):
        return f"a {kind} of {', '.join(map(str, value)) or 'nothing'}"
    return f"a {kind}"


def _form(target: Mapping[str, Any]) -> str:
    """Names and shapes: `spot (2,), seen ()`."""
    shapes = {name: tuple(getattr(value, "shape", ())) for name, value in target.items()}
    return ", ".join(f"{name} {shape}" for name, shape in sorted(shapes.items()))
