"""`check_task_type` passes a sound task type, and names the rule that a broken one breaks."""

from __future__ import annotations

from typing import Any

import broken_task_types as broken
import pytest
from imports_torch import Slow
from sound_task_type import BAD_LABELS, LABELS, Spot, wrong_place

from usmt import TaskType
from usmt.testing import BrokenRuleError, check_task_type

CASES = {
    broken.ProblemsRaise: ["problems must return a list of texts, whatever", "TypeError"],
    broken.AcceptsAnything: ["must say what is wrong with a bad label", "(3.0, 40.0)"],
    broken.StaysWhereItIs: ["'distance' must be 0 for perfect results", "KeyPoints"],
    broken.CanvasTurned: ["geometry is that of the image", "(24, 32)", "(32, 24)"],
    broken.TargetsOfManyShapes: ["tensors of one shape", "(4,)"],
    broken.UnusedParameter: ["gradients must reach every parameter", "head.spare"],
    broken.MeanOverRows: ["loss must give one number for each row", "one number for all rows"],
    broken.RowsMixed: ["compute each row from that row alone"],
    broken.BatchNormalised: ["a head must work with one row too", "batch normalisation"],
    broken.NoGradient: ["loss must have a gradient", "detach"],
    broken.GrowingLoss: ["smaller for an ideal prediction", "sign"],
    broken.StuckHead: ["training steps on one batch must lower the loss"],
    broken.UnseededHead: ["the same seed must give the same network"],
    broken.ForgetsTheFrame: ["'distance' must be 0", "four times as large", "frame.to_original"],
    broken.DecodesAtRandom: ["decode must give the same result each time"],
    broken.AveragesInTheNetwork: ["decode_views of ideal predictions", "with its own frame"],
    broken.OneBatch: ["must be over all images, however they come", "sums and counts"],
    broken.ZeroWithoutImages: ["'distance' must be NaN before any image", "found:    0"],
    broken.WrongPool: ["`pool` of the metric 'distance' must give it over any sample"],
    broken.HiddenState: ["must be over all images", "in two processes", "add_state"],
    broken.UnpicklableMetric: ["go through a pickle"],
    broken.NoPrimary: ["primary must be one of the metrics", "expected: one of distance"],
    broken.ScoreOfTwo: ["selection_score must be in [0, 1]"],
    broken.ErrorAsScore: ["must be 1 where all metrics are at their best", "higher is better here"],
    broken.NotJson: ["as_data must give plain values", "not JSON serializable"],
    broken.FloatImage: ["uint8 images", "float64 of shape (24, 32)"],
    broken.UndeclaredMeasurement: ["a Measurement for each that the spec declares", "depth"],
    broken.DrawsOnTheImage: ["draw_result must give a new uint8 picture", "image.copy()"],
    broken.DrawsNothing: ["draw_label must draw something"],
    broken.OptionsThatChange: ["Options must be the same after a way through JSON", "radius=4"],
    broken.NoNumbersTwice: ["label_numbers must give the same names for every label"],
    Slow: ["imports_torch: importing it must import no slow library", "imports_torch.py:5"],
}


def check(task_type: type[TaskType], **changed: Any) -> None:
    call: dict[str, Any] = {
        "labels": LABELS,
        "bad_labels": BAD_LABELS,
        "ideal": lambda target: target["spot"],
        "wrong": wrong_place,
        "worst": {"distance": 50},
    }
    check_task_type(task_type, {}, **{**call, **changed})


def test_a_sound_task_type_passes():
    check(Spot)


@pytest.mark.parametrize("task_type", CASES, ids=lambda each: each.__name__)
def test_a_broken_rule_is_named(task_type: type[TaskType]) -> None:
    with pytest.raises(BrokenRuleError) as caught:
        check(task_type)
    text = str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert task_type.__name__ in text or task_type.__module__ in text
    for part in CASES[task_type]:
        assert part in text, text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"labels": LABELS[:2]}, "three or more good labels"),
        ({"labels": [*LABELS, ((99.0, 3.0), (24, 32))]}, "must be empty for a good label"),
        ({"worst": {"distance": 3}}, "3, as documented"),
        ({"worst": {"mre": 3}}, "`worst` must name metrics of the type"),
        ({"best": {"distance": 1}}, "'distance' must be 1 for perfect results"),
        ({"wrong": lambda label, size: wrong_place(label, size).x}, "must take a result"),
    ],
)
def test_a_wrong_call_is_told(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BrokenRuleError) as caught:
        check(Spot, **changed)
    assert said in str(caught.value)


def test_a_type_that_rounds_says_by_how_much():
    rounds = {"ideal": lambda target: target["spot"].mul(64).round() / 64}
    with pytest.raises(BrokenRuleError, match="must be 0 for perfect results"):
        check(Spot, **rounds)
    check(Spot, **rounds, within={"distance": 2.0}, worst={})
