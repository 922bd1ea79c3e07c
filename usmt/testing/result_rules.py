"""Rules for what a task type makes of predictions: results, files, pictures, guesses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from usmt.data.geometry import Frame
from usmt.measurement import Measurement
from usmt.task_type import Size
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.geometry_rules import decoded
from usmt.testing.network_rules import INPUT, parts_of, random_maps, row_of
from usmt.testing.score_rules import (
    Pairs,
    perfect_pairs,
    scores_of,
    selection_of,
    wrong_pairs,
)
from usmt.testing.subject import Subject, image_of

ELSEWHERE: tuple[Size, ...] = ((17, 45), (1, 1))
"""Sizes of images that were not among the labels."""
POWERS = {"length": 1, "area": 2, "angle": 0}
"""How a measurement grows with the pixel size."""


def check_results(subject: Subject) -> None:
    """What is done with results: of a network, ideal, wrong, and guessed."""
    _check_trivial(subject)
    fresh = _own_pairs(subject)
    selection_of(subject, scores_of(subject, fresh))
    perfect = perfect_pairs(subject)
    for pairs in (perfect, wrong_pairs(subject), fresh):
        for (result, _), (_, size) in zip(pairs, subject.labels, strict=True):
            check_files(subject, result, size)
        drawn = [result for result, _ in pairs]
        _check_pictures(subject, "draw_result", drawn, must_draw=pairs is perfect)
    _check_pictures(subject, "draw_label", [label for label, _ in subject.labels])


def _own_pairs(subject: Subject) -> Pairs:
    """What a fresh network says, decoded."""
    rows, parts = len(subject.labels), parts_of(subject).eval()
    pairs = []
    with torch.inference_mode():
        prediction = parts(random_maps(parts.features, rows))
        for row, (label, size) in enumerate(subject.labels):
            one, frame = row_of(prediction, row), Frame.fit(size, INPUT)
            pairs.append((decoded(subject, one, frame), label))
    return pairs


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
    if not isinstance(images, dict) or not all(isinstance(i, np.ndarray) for i in images.values()):
        raise BrokenRuleError(
            rule, given=given, expected="a dict of arrays", found=described(images)
        )
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
    _check_measures(subject, result, given)


def _check_measures(subject: Subject, result: Any, given: str) -> None:
    """Those that the spec declares, in the units of the pixel size."""
    with keeping(f"{subject.name}.measure must work for every result", given=given):
        measured, doubled = (
            subject.type.measure(subject.spec, result, pixel) for pixel in ((0.5, 0.25), (1.0, 0.5))
        )
    declared = list(getattr(subject.spec, "measurements", {}))
    if (
        not isinstance(measured, dict)
        or list(measured) != declared
        or not all(isinstance(each, Measurement) for each in measured.values())
    ):
        raise BrokenRuleError(
            f"{subject.name}.measure must give a Measurement for each that the spec declares",
            given=given,
            expected=str(declared),
            found=described(measured),
        )
    for name, each in measured.items():
        if each.dimension not in POWERS:
            raise BrokenRuleError(
                f"{subject.name}.measure must say what dimension '{name}' has",
                expected=f"one of {', '.join(POWERS)}",
                found=described(each.dimension),
            )
        expected = each.value * 2 ** POWERS[each.dimension]
        if not np.isclose(doubled[name].value, expected, rtol=1e-3, atol=1e-6, equal_nan=True):
            raise BrokenRuleError(
                f"{subject.name}.measure must be in the units of the pixel size, by the dimension",
                given=f"'{name}', of the dimension {each.dimension}, with pixels of (0.5, 0.25), "
                "and with pixels twice as large",
                expected=f"{each.value:.6g} and {expected:.6g}",
                found=f"{each.value:.6g} and {doubled[name].value:.6g}",
                do="multiply x by the width and y by the height of a pixel, then measure",
            )


def _check_trivial(subject: Subject) -> None:
    rule = f"{subject.name}.trivial must give a predictor that maps an image's size to a result"
    with keeping(rule, do="it is fitted on labels, one or more, and asked for any size"):
        guess = subject.type.trivial(subject.spec, list(subject.labels))
        guesses = [guess(size) for _, size in subject.labels]
        again = subject.type.trivial(subject.spec, list(subject.labels))(subject.labels[0][1])
        of_one = subject.type.trivial(subject.spec, list(subject.labels[:1]))
        others = [(each(size), size) for size in ELSEWHERE for each in (guess, of_one)]
    for result in (*guesses, *(result for result, _ in others)):
        subject.check_is_result(result, "the predictor of `trivial`")
    if not same(guesses[0], again):
        raise BrokenRuleError(f"{subject.name}.trivial must give the same predictor each time")
    labels = [label for label, _ in subject.labels]
    scores = scores_of(subject, list(zip(guesses, labels, strict=True)))
    if np.isnan(scores[subject.type.primary]):
        raise BrokenRuleError(
            f"{subject.name}: the trivial predictor must have a score",
            found=f"{subject.type.primary} is nan",
        )
    selection_of(subject, scores)
    sized = [(result, size) for result, (_, size) in zip(guesses, subject.labels, strict=True)]
    for result, size in (*sized, *others):
        check_files(subject, result, size)
    _check_pictures(subject, "draw_result", guesses, must_draw=False)


def _check_pictures(
    subject: Subject, method: str, drawn: list[Any], *, must_draw: bool = True
) -> None:
    draw = getattr(subject.type, method)
    changed = [
        _check_picture(subject, method, draw, each, size)
        for each, (_, size) in zip(drawn, subject.labels, strict=True)
    ]
    if must_draw and not any(changed):
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
