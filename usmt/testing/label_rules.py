"""Rules for a task type's labels: what is wrong with them, how they follow the image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from usmt.data.geometry import OUTSIDE, Frame, fit, move
from usmt.task_type import Size
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.subject import Subject, label_on

JUNK: tuple[Any, ...] = (
    *(None, True, -1, 10**30, 0.5, math.nan, math.inf, 1j, "", "text", b"\x00", object(), int),
    *([], [[]], [None], ["a", "b"], [[1], [2, 3]], {}, {"x": 1}, {1, 2}, (), (1, "2")),
    *(np.zeros(0), np.zeros((0, 0)), np.zeros((3, 3, 3)), np.full((2, 2), np.nan)),
    *(np.array(None), np.array(["a"]), np.array([{}, []], object), np.int64(-5), np.float32("inf")),
)
"""What a dataset with a mistake may take for a label."""

ANY_SIZE: Size = (1, 1)
XYXY = tv_tensors.BoundingBoxFormat.XYXY


def check_labels(subject: Subject) -> None:
    """Everything about labels that needs no network."""
    for label, size in subject.labels:
        if found := problems_of(subject, label, size):
            raise BrokenRuleError(
                f"{subject.name}.problems must be empty for a good label",
                given=label_on(label, size),
                expected="[]",
                found=str(found),
                do="let `problems` pass it, or take it out of `labels`",
            )
    for label, size in subject.bad_labels:
        if not problems_of(subject, label, size):
            raise BrokenRuleError(
                f"{subject.name}.problems must say what is wrong with a bad label",
                given=label_on(label, size),
                expected="one or more reasons",
                found="[]",
                do="check for it in `problems`; a label without problems is trained on",
            )
    for junk in JUNK:
        problems_of(subject, junk, subject.labels[0][1])
    for label, _ in subject.labels:
        problems_of(subject, label, ANY_SIZE)
    _check_statistics(subject)
    _check_targets(subject)


def problems_of(subject: Subject, label: Any, size: Size) -> list[str]:
    """What `problems` says, if it says it in the form that it must."""
    rule = f"{subject.name}.problems must return a list of texts, whatever the label is"
    do = "check type and shape before values; what cannot be compared is a problem, too"
    with keeping(rule, given=label_on(label, size), do=do):
        problems = subject.type.problems(subject.spec, label, size)
    if not isinstance(problems, list) or not all(isinstance(each, str) for each in problems):
        raise BrokenRuleError(
            rule,
            given=label_on(label, size),
            expected="a list of texts, empty for a good label",
            found=described(problems),
            do="return [] or [reason, ...]",
        )
    return problems


def target_of(
    subject: Subject, label: Any, size: Size, network: Size, matrix: np.ndarray | None = None
) -> tuple[dict[str, Tensor], Frame]:
    """One label as training has it: fitted to the network's size, moved; and the frame that leads
    back."""
    frame = Frame.fit(size, network)
    move_by = np.eye(3) if matrix is None else matrix
    with keeping(
        f"{subject.name}.wrap and .target must work for every good label",
        given=f"{label_on(label, size)}, for a network's input of {network}",
    ):
        wrapped = subject.type.wrap(subject.spec, label, size)
        moved = {name: move(fit(value, frame), move_by) for name, value in wrapped.items()}
        target = subject.type.target(subject.spec, moved, network)
    return target, frame.then(move_by)


def _check_targets(subject: Subject) -> None:
    """Wrapped labels lie on the image's canvas, targets can be stacked."""
    forms: list[dict[str, Any]] = []
    places: list[tuple[np.ndarray, Size]] = []
    for label, size in subject.labels:
        with keeping(
            f"{subject.name}.wrap must work for every good label", given=label_on(label, size)
        ):
            wrapped = subject.type.wrap(subject.spec, label, size)
        _check_canvas(subject, wrapped, label, size)
        places += _places(wrapped)
        target, _ = target_of(subject, label, size, (64, 96))
        again, _ = target_of(subject, label, size, (64, 96))
        rule = f"{subject.name}.target must give tensors by name, the same each time"
        if (
            not isinstance(target, dict)
            or not target
            or not all(isinstance(value, Tensor) for value in target.values())
        ):
            raise BrokenRuleError(
                rule, expected="a dict of torch tensors, one or more", found=described(target)
            )
        if not same(target, again):
            raise BrokenRuleError(
                rule,
                found="two calls gave two targets",
                do="draw nothing at random, and leave the label as it is",
            )
        for key, value in target.items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise BrokenRuleError(
                    f"{subject.name}.target must be finite for a good label",
                    given=label_on(label, size),
                    found=f"'{key}' holds NaN or infinity",
                    do="mark what a label does not have in a tensor of its own",
                )
        forms.append({name: (tuple(v.shape), v.dtype) for name, v in target.items()})
    _check_order(subject, places)
    for (label, size), form in zip(subject.labels, forms, strict=True):
        if form != forms[0]:
            raise BrokenRuleError(
                f"{subject.name}.target must give tensors of one shape and dtype for all labels, "
                "for they are stacked to a batch",
                given=label_on(label, size),
                expected=str(forms[0]),
                found=str(form),
                do="scale to the network's `size`; pad what may be more or fewer",
            )


def _check_canvas(subject: Subject, wrapped: Any, label: Any, size: Size) -> None:
    rule = f"{subject.name}.wrap must return a dict whose geometry is that of the image"
    if not isinstance(wrapped, Mapping) or not all(isinstance(name, str) for name in wrapped):
        raise BrokenRuleError(rule, expected="a dict by name", found=described(wrapped))
    for name, value in wrapped.items():
        if isinstance(value, tv_tensors.KeyPoints | tv_tensors.BoundingBoxes):
            canvas = tuple(value.canvas_size)
        elif isinstance(value, tv_tensors.Mask):
            if value.dtype in (torch.bool, torch.int8):
                raise BrokenRuleError(
                    rule,
                    expected=f"a mask `{name}` that can hold {OUTSIDE}, which it is filled with "
                    "where the moved image has no pixels",
                    found=str(value.dtype),
                    do="give uint8, and leave out such pixels in `target` or `loss`",
                )
            canvas = tuple(value.shape[-2:])
        else:
            continue
        if getattr(value, "format", XYXY) is not XYXY:
            raise BrokenRuleError(
                rule,
                expected=f"`{name}` in the format XYXY: left, top, right, bottom",
                found=str(value.format),
                do="convert the numbers; usmt moves the edges of a box",
            )
        if canvas != tuple(size):
            raise BrokenRuleError(
                rule,
                given=label_on(label, size),
                expected=f"`{name}` on a canvas of {tuple(size)}",
                found=f"one of {canvas}",
                do="pass on the `size` that `wrap` is given: (height, width)",
            )


def _places(wrapped: Mapping[str, Any]) -> list[tuple[np.ndarray, Size]]:
    """Positions (n, 2) of points and of corners of boxes, each with its canvas."""
    return [
        (value.as_subclass(Tensor).double().numpy().reshape(-1, 2), value.canvas_size)
        for value in wrapped.values()
        if isinstance(value, tv_tensors.KeyPoints | tv_tensors.BoundingBoxes)
    ]


def _check_order(subject: Subject, places: list[tuple[np.ndarray, Size]]) -> None:
    """Rows before columns is an easy mistake, and led back it is one that no metric sees."""

    def outside(positions: np.ndarray, canvas: Size) -> bool:
        return bool(((positions < -1) | (positions > np.add(canvas[::-1], 1))).any())

    if any(outside(each, canvas) for each, canvas in places) and not any(
        outside(each[:, ::-1], canvas) for each, canvas in places
    ):
        raise BrokenRuleError(
            f"{subject.name}.wrap must give positions as (x, y), columns before rows",
            given="all labels of the check",
            found="positions outside of the canvas, all of which lie on it as (y, x)",
            do="turn them round",
        )


def _check_statistics(subject: Subject) -> None:
    """What `usmt data check` and `usmt data stats` ask of each label."""
    of, spec = subject.type, subject.spec
    names: list[set[str]] = []
    for label, size in subject.labels:
        given = label_on(label, size)
        rule = f"{subject.name}.{{}} must work for every good label"
        with keeping(rule.format("concerns"), given=given):
            concerns = of.concerns(spec, label, size)
        with keeping(rule.format("classes"), given=given):
            classes = list(of.classes(spec))
        with keeping(rule.format("classes_in"), given=given):
            held = of.classes_in(spec, label)
        with keeping(rule.format("label_numbers"), given=given, do="give a dict of numbers"):
            numbers = {k: float(v) for k, v in of.label_numbers(spec, label, size).items()}
        if not isinstance(concerns, list) or not all(isinstance(each, str) for each in concerns):
            raise BrokenRuleError(
                f"{subject.name}.concerns must return a list of texts",
                given=given,
                found=described(concerns),
            )
        if classes != list(dict.fromkeys(classes)) or isinstance(held, str):
            raise BrokenRuleError(
                f"{subject.name}.classes must name each class once, and classes_in give a list",
                given=given,
                found=f"{described(classes)} and {described(held)}",
            )
        if unknown := [name for name in held if name not in classes]:
            raise BrokenRuleError(
                f"{subject.name}.classes_in must name classes that `classes` names",
                given=given,
                expected=f"some of {classes}",
                found=str(unknown),
            )
        names.append(set(numbers))
        if names[-1] != names[0]:
            raise BrokenRuleError(
                f"{subject.name}.label_numbers must give the same names for every label",
                given=given,
                expected=str(sorted(names[0])),
                found=str(sorted(names[-1])),
                do="give NaN for a number that a label does not have",
            )
