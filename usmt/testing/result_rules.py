"""Rules for what a task type makes of predictions: results, files, pictures, guesses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from usmt.data.geometry import Frame
from usmt.measurement import Measurement
from usmt.task_type import Size, TaskType
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.label_rules import moves, target_of
from usmt.testing.metric_rules import check_best, perfect_pairs, scores_of, wrong_pairs
from usmt.testing.network_rules import INPUT, PLAIN, parts_of, random_maps, row_of
from usmt.testing.subject import Subject, image_of, label_on


def check_results(subject: Subject) -> None:
    """The way back to original pixels, and all that is done with results."""
    _check_way_back(subject)
    _check_views(subject)
    _check_own_predictions(subject)
    for (result, _), (_, size) in zip(perfect_pairs(subject), subject.labels, strict=True):
        check_files(subject, result, size)
    for (result, _), (_, size) in zip(wrong_pairs(subject), subject.labels, strict=True):
        check_files(subject, result, size)
    _check_trivial(subject)
    _check_pictures(subject)


def _canvas(size: Size) -> Size:
    """So large that whole pixels stay whole ones under all `moves`."""
    return (4 * max(size),) * 2


def _decoded(subject: Subject, prediction: Any, frame: Frame) -> Any:
    with keeping(
        f"{subject.name}.decode must work for every prediction of a network",
        given=image_of(frame.original),
    ):
        result = subject.type.decode(subject.spec, prediction, frame)
        again = subject.type.decode(subject.spec, prediction, frame)
    if not isinstance(result, subject.type.Result):
        raise BrokenRuleError(
            f"{subject.name}.decode must give what the class names as `Result`",
            expected=subject.type.Result.__name__,
            found=described(result),
        )
    if not same(result, again):
        raise BrokenRuleError(
            f"{subject.name}.decode must give the same result each time",
            expected=described(result),
            found=described(again),
            do="draw nothing at random, and do not change the prediction in place",
        )
    return result


def _check_way_back(subject: Subject) -> None:
    """However the image was scaled, mirrored or turned, an ideal prediction gives the label."""
    for how in moves((4, 4)):
        pairs = []
        for label, size in subject.labels:
            canvas = _canvas(size)
            target, frame = target_of(subject, label, size, canvas, moves(canvas)[how])
            pairs.append((_decoded(subject, subject.ideal(target), frame), label))
        check_best(
            subject,
            pairs,
            given=f"decode(ideal(target), frame) of images on a canvas four times as large, {how}",
            do="`decode` leads back with frame.to_original or frame.restore; `wrap` gives what has "
            "a place as torchvision's Mask, BoundingBoxes or KeyPoints, which follow the image; "
            "`within` is for types that round",
        )


def _check_views(subject: Subject) -> None:
    if type(subject.type).decode_views is TaskType.decode_views:
        return
    pairs = []
    for label, size in subject.labels:
        canvas = _canvas(size)
        views = []
        for how, matrix in moves(canvas).items():
            if "turned" not in how:
                target, frame = target_of(subject, label, size, canvas, matrix)
                views.append((subject.ideal(target), frame))
        with keeping(
            f"{subject.name}.decode_views must join several views of an image",
            given=f"{len(views)} views of {image_of(size)}",
        ):
            pairs.append((subject.type.decode_views(subject.spec, views), label))
            alone = subject.type.decode_views(subject.spec, views[:1])
        if not same(alone, _decoded(subject, *views[0])):
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


def _check_own_predictions(subject: Subject) -> None:
    """Whatever a fresh network says can be decoded, scored, written and drawn."""
    rows = len(subject.labels)
    with torch.inference_mode():
        prediction = parts_of(subject).eval()(random_maps(PLAIN, rows))
        for row, (label, size) in enumerate(subject.labels):
            result = _decoded(subject, row_of(prediction, row), Frame.fit(size, INPUT))
            scores_of(subject, [(result, label)])
            check_files(subject, result, size)


def check_files(subject: Subject, result: Any, size: Size) -> None:
    """What `usmt predict` writes of a result."""
    of, spec = subject.type, subject.spec
    given = f"the result {described(result)} of {image_of(size)}"
    rule = f"{subject.name}.as_data must give plain values that JSON has, by name"
    with keeping(rule, given=given, do="numbers as float and int, arrays as lists, no NaN"):
        data = of.as_data(spec, result)
        again = json.loads(json.dumps(data, allow_nan=False))
    if not isinstance(data, dict) or again != data:
        raise BrokenRuleError(
            rule,
            given=given,
            expected=described(again),
            found=described(data),
            do="use texts as keys, and lists",
        )
    rule = f"{subject.name}.as_images must give uint8 images of the original's size"
    with keeping(rule, given=given):
        images = of.as_images(spec, result)
    for name, image in images.items():
        if (
            image.dtype != np.uint8
            or image.shape[:2] != tuple(size)
            or image.shape[2:] not in ((), (3,))
        ):
            raise BrokenRuleError(
                rule,
                given=given,
                expected=f"uint8 {tuple(size)}, or with 3 channels",
                found=f"'{name}', {described(image)}",
            )
        if name in data:
            raise BrokenRuleError(
                f"{subject.name}.as_data must leave out what as_images gives", found=f"'{name}'"
            )
    with keeping(f"{subject.name}.measure must work for every result", given=given):
        measured = of.measure(spec, result, (0.5, 0.25))
    declared = list(getattr(spec, "measurements", {}))
    if list(measured) != declared or not all(
        isinstance(each, Measurement) for each in measured.values()
    ):
        raise BrokenRuleError(
            f"{subject.name}.measure must give a Measurement for each that the spec declares",
            given=given,
            expected=str(declared),
            found=described(measured),
        )


def _check_trivial(subject: Subject) -> None:
    rule = f"{subject.name}.trivial must give a predictor that maps an image's size to a result"
    with keeping(rule):
        guess = subject.type.trivial(subject.spec, subject.labels)
        guesses = [guess(size) for _, size in subject.labels]
        again = subject.type.trivial(subject.spec, subject.labels)(subject.labels[0][1])
    if not same(guesses[0], again):
        raise BrokenRuleError(f"{subject.name}.trivial must give the same predictor each time")
    labels = [label for label, _ in subject.labels]
    scores = scores_of(subject, list(zip(guesses, labels, strict=True)))
    if np.isnan(scores[subject.type.primary]):
        raise BrokenRuleError(
            f"{subject.name}: the trivial predictor must have a score",
            found=f"{subject.type.primary} is nan",
        )
    for result, (_, size) in zip(guesses, subject.labels, strict=True):
        check_files(subject, result, size)


def _check_pictures(subject: Subject) -> None:
    results = [result for result, _ in perfect_pairs(subject)]
    labels = [label for label, _ in subject.labels]
    sizes = [size for _, size in subject.labels]
    for method, drawn in (("draw_label", labels), ("draw_result", results)):
        draw = getattr(subject.type, method)
        changed = [
            _check_picture(subject, method, draw, each, size)
            for each, size in zip(drawn, sizes, strict=True)
        ]
        if not any(changed):
            raise BrokenRuleError(
                f"{subject.name}.{method} must draw something",
                given="all labels of the check",
                found="pictures that are the images as they were",
            )


def _check_picture(
    subject: Subject, method: str, draw: Callable[..., Any], drawn: Any, size: Size
) -> bool:
    rule = f"{subject.name}.{method} must give a new uint8 picture of the image's size"
    image = np.random.default_rng(0).integers(0, 90, (*size, 3), dtype=np.uint8)
    before = image.copy()
    with keeping(rule, given=f"{described(drawn)} on {image_of(size)}"):
        picture = draw(subject.spec, image, drawn)
    if (
        not isinstance(picture, np.ndarray)
        or (picture.shape, picture.dtype) != (image.shape, np.uint8)
        or np.shares_memory(picture, image)
        or not np.array_equal(image, before)
    ):
        found = described(picture)
        if isinstance(picture, np.ndarray) and np.shares_memory(picture, image):
            found = "the image itself, drawn upon"
        elif not np.array_equal(image, before):
            found = "the image that was given was changed"
        raise BrokenRuleError(
            rule,
            given=image_of(size),
            expected=f"a new uint8 array {image.shape}",
            found=found,
            do="draw on image.copy()",
        )
    return not np.array_equal(picture, image)
