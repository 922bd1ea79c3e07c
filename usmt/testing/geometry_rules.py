"""Rules for how labels follow the image, and how results lead back to its own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from usmt.data.geometry import Frame, affine
from usmt.errors import UsmtError
from usmt.task_type import Size, TaskType
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.label_rules import target_of
from usmt.testing.network_rules import INPUT, parts_of, random_maps, row_of
from usmt.testing.score_rules import check_best
from usmt.testing.subject import Subject, image_of, label_on

MIRRORED = ("mirrored left to right", "mirrored upside down")
QUARTER = 90.0
ROUNDING = 1e-6
"""How far results of views that say the same may differ."""

Seen = tuple[Any, Frame]
"""One row's prediction, with the frame that leads back."""


def moves(canvas: Size) -> dict[str, np.ndarray]:
    """Moves of a square canvas that take whole pixels to whole pixels, in words."""
    return {
        "as it is": np.eye(3),
        MIRRORED[0]: affine(canvas, flip_horizontal=True),
        MIRRORED[1]: affine(canvas, flip_vertical=True),
        "turned by a quarter": affine(canvas, degrees=QUARTER),
        "mirrored and turned by three quarters": affine(
            canvas, flip_horizontal=True, degrees=3 * QUARTER
        ),
        "at half the size, to the side": affine(canvas, scale=0.5, shift=(6.0, -4.0)),
    }


def looks(size: Size) -> dict[str, tuple[Size, np.ndarray]]:
    """Ways to show an image, on canvases so large that whole pixels stay whole ones, in words."""
    square = (4 * max(size),) * 2
    return {
        **{how: (square, move) for how, move in moves(square).items()},
        "as it is, on a canvas that is wider": ((4 * size[0], 4 * size[1] + 32), np.eye(3)),
    }


def check_placed(subject: Subject) -> None:
    """Labels that say where something is are mirrored with the image, others are not."""
    changed = _changed_by_moves(subject)
    mirrored = [how for how in MIRRORED if changed[how]]
    if subject.placed and not mirrored:
        raise BrokenRuleError(
            f"{subject.name}: a label that says where something is must be mirrored with the image",
            given="all labels of the check, the image mirrored left to right or upside down",
            expected="targets that change",
            found="targets that are as they were",
            do="give check_task_type(..., placed=False) if labels have no place (a class, a "
            "grade, a width in pixels). Else mend `wrap`: it gives what has a place as "
            "torchvision's Mask, BoundingBoxes or KeyPoints, which follow the image, and `target` "
            "reads them",
        )
    if not subject.placed and mirrored:
        raise BrokenRuleError(
            f"{subject.name}: labels without a place must not change with the image (placed=False)",
            given=f"the image {mirrored[0]}",
            expected="the targets as they were",
            found="targets that changed",
            do="leave placed=False out if labels say where something is; else let `wrap` give "
            "plain values",
        )


def check_geometry(subject: Subject) -> None:
    """The way back to original pixels, for one view of an image and for several."""
    _check_way_back(subject)
    if not subject.placed:
        _check_frames_alike(subject)
    if _has_mean(subject):
        _check_views(subject)
        _check_all_count(subject)


def decoded(subject: Subject, prediction: Any, frame: Frame) -> Any:
    """A result, of the class that it must have and the same each time."""
    before = tree_map(Tensor.clone, prediction)
    with keeping(
        f"{subject.name}.decode must work for every prediction of a network",
        given=image_of(frame.original),
    ):
        result = subject.type.decode(subject.spec, prediction, frame)
        again = subject.type.decode(subject.spec, prediction, frame)
    subject.check_is_result(result, "decode")
    if not same(tree_leaves(prediction), tree_leaves(before)):
        raise BrokenRuleError(
            f"{subject.name}.decode must leave the prediction as it is",
            do="copy a tensor before changing it in place (`clamp_`, `mul_`, `[...] =`)",
        )
    if not same(result, again):
        raise BrokenRuleError(
            f"{subject.name}.decode must give the same result each time",
            expected=described(result),
            found=described(again),
            do="draw nothing at random, and keep nothing from one call to the next",
        )
    return result


def _changed_by_moves(subject: Subject) -> dict[str, bool]:
    """Whether a move of the image changes the target of a label, by move."""
    changed = dict.fromkeys(moves((4, 4)), False)
    for label, size in subject.labels:
        canvas = (4 * max(size),) * 2
        still, _ = target_of(subject, label, size, canvas)
        for how, matrix in moves(canvas).items():
            moved, _ = target_of(subject, label, size, canvas, matrix)
            changed[how] |= not same(dict(still), dict(moved), within=ROUNDING)
    return changed


def _check_way_back(subject: Subject) -> None:
    """However the image was scaled, mirrored or turned, an ideal prediction gives the label."""
    for how in looks((4, 4)):
        pairs = []
        for label, size in subject.labels:
            canvas, matrix = looks(size)[how]
            target, frame = target_of(subject, label, size, canvas, matrix)
            pairs.append((decoded(subject, subject.ideal_prediction(target), frame), label))
        check_best(
            subject,
            pairs,
            given=f"decode(ideal(target), frame) of images on a canvas four times as large, {how}",
            do="`decode` leads back with frame.to_original or frame.restore; `wrap` gives what has "
            "a place as torchvision's Mask, BoundingBoxes or KeyPoints, which follow the image; "
            "`within` is for types that round",
        )


def _check_frames_alike(subject: Subject) -> None:
    """What has no place is decoded alike however the image lay, if its target is the same so."""
    size, side = subject.labels[0][1], (96, 96)
    still = Frame.fit(size, side)
    changed = _changed_by_moves(subject)
    for prediction in _fresh_predictions(subject):
        expected = decoded(subject, prediction, still)
        for how, matrix in moves(side).items():
            if changed[how]:
                continue
            found = decoded(subject, prediction, still.then(matrix))
            if not same(expected, found, within=ROUNDING):
                raise BrokenRuleError(
                    f"{subject.name}.decode must not depend on the frame where the target does not "
                    "(placed=False)",
                    given=f"one prediction, for {image_of(size)}, {how}",
                    expected=described(expected),
                    found=described(found),
                    do="leave `frame` alone; or leave out placed=False, and let `wrap` give "
                    "labels that follow the image",
                )


def _has_mean(subject: Subject) -> bool:
    """Whether several views can be joined. A type without a mean says so with a UsmtError."""
    if type(subject.type).decode_views is TaskType.decode_views:
        return False
    (view,) = _fresh_predictions(subject)[:1]
    try:
        _joined(subject, [(view, Frame.fit(subject.labels[0][1], INPUT))] * 2)
    except BrokenRuleError as error:
        if isinstance(error.__cause__, UsmtError):
            return False
        raise
    return True


def _check_views(subject: Subject) -> None:
    pairs = []
    for label, size in subject.labels:
        views = []
        for how, (canvas, matrix) in looks(size).items():
            if "turned" not in how and "wider" not in how:
                target, frame = target_of(subject, label, size, canvas, matrix)
                views.append((subject.ideal_prediction(target), frame))
        pairs.append((_joined(subject, views), label))
        alone = _joined(subject, views[:1])
        if not same(alone, decoded(subject, *views[0]), within=ROUNDING):
            raise BrokenRuleError(
                f"{subject.name}.decode_views of one view must be what `decode` gives",
                given=label_on(label, size),
                found=described(alone),
            )
    check_best(
        subject,
        pairs,
        given="decode_views of ideal predictions for the image as it is, mirrored and made smaller",
        do="lead each view back with its own frame before they are joined",
    )


def _check_all_count(subject: Subject) -> None:
    """One view among three that say something else does not decide alone, wherever it stands."""
    size = subject.labels[0][1]
    targets = [target_of(subject, label, of, INPUT)[0] for label, of in subject.labels]
    predictions = [subject.ideal_prediction(each) for each in targets]
    predictions += _fresh_predictions(subject)
    frame = Frame.fit(size, INPUT)
    alone = [decoded(subject, each, frame) for each in predictions]
    differ = [
        (one, other)
        for one, other in permutations(range(len(alone)), 2)
        if not same(alone[one], alone[other], within=ROUNDING)
    ]
    orders = {
        "first": lambda one, other: [one, *[other] * 3],
        "last": lambda one, other: [*[other] * 3, one],
    }
    for place, order in orders.items():
        if differ and all(
            same(
                _joined(subject, [(predictions[at], frame) for at in order(one, other)]),
                alone[one],
                within=ROUNDING,
            )
            for one, other in differ
        ):
            raise BrokenRuleError(
                f"{subject.name}.decode_views must join all views",
                given="one view and three others that say something else",
                expected="what most say, or a mean",
                found=f"what the {place} view says alone",
                do="decode each view with its own frame, then take the mean",
            )


def _joined(subject: Subject, views: Sequence[Seen]) -> Any:
    with keeping(
        f"{subject.name}.decode_views must join several views of an image",
        given=f"{len(views)} views of {image_of(views[0][1].original)}",
    ):
        result = subject.type.decode_views(subject.spec, list(views))
    subject.check_is_result(result, "decode_views")
    return result


def _fresh_predictions(subject: Subject) -> list[Any]:
    """Rows that a fresh network predicts."""
    rows = len(subject.labels)
    parts = parts_of(subject).eval()
    with torch.inference_mode():
        prediction = parts(random_maps(parts.features, rows))
    return [row_of(prediction, row) for row in range(rows)]
