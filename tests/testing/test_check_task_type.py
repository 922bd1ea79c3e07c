"""`check_task_type` passes a sound task type, and names the rule that a broken one breaks."""

from __future__ import annotations

from typing import Any

import broken_task_types as broken
import pytest
import sound_task_types as sound
import torch
from imports_torch import Slow
from sound_task_type import BAD_LABELS, LABELS, Spot, wrong_place

from usmt import TaskType
from usmt.testing import BrokenRuleError, check_task_type

CASES = {
    broken.ProblemsRaise: ["problems must return a list of texts, whatever", "TypeError"],
    broken.AcceptsAnything: ["must say what is wrong with a bad label", "(3.0, 40.0)"],
    broken.StaysWhereItIs: ["must be mirrored with the image", "placed=False", "KeyPoints"],
    broken.NeverMoves: ["must be mirrored with the image", "targets that are as they were"],
    broken.CornerWidthHeight: ["`box` in the format XYXY", "XYWH"],
    broken.MaskOfTruths: ["`on` that can hold 255", "torch.bool", "uint8"],
    broken.InfiniteTarget: ["target must be finite", "'spot'"],
    broken.CanvasTurned: ["geometry is that of the image", "(24, 32)", "(32, 24)"],
    broken.TargetsOfManyShapes: ["tensors of one shape", "(4,)"],
    broken.UnusedParameter: ["gradients must reach every parameter", "head.spare"],
    broken.Misspelt: ["would never be called", "as_image", "did you mean 'as_images'?"],
    broken.MeanOverRows: ["loss must give one number for each row", "one number for all rows"],
    broken.RowsMixed: ["compute each row from that row alone"],
    broken.RowsMixedAtRandom: ["compute each row from that row alone", "beside others"],
    broken.DrawsElsewhere: ["the same for the same seed", "torch's own generator"],
    broken.TargetOfAnotherKind: ["target must give tensors by name", "a dict of torch tensors"],
    broken.ResultIsATypedDict: ["Result must be a class whose", "PlaceByName", "Result = dict"],
    broken.ResultIsAProtocol: ["Result must be a class whose", "HasPlace", "runtime_checkable"],
    broken.BatchNormalised: ["must not depend on the other rows", "head.3, a BatchNorm1d"],
    broken.BatchNormalisedMaps: ["in training", "head.0, a BatchNorm2d", "nn.GroupNorm"],
    broken.FixedMaps: ["maps of any height and width"],
    broken.OneHeadForAll: ["must give new modules each time"],
    broken.OtherChannels: ["decoder must map a list", "(3, 5, h', w')", "(3, 16, 4, 6)"],
    broken.RefusesAllMaps: ["must take some backbone's maps", "only maps of stride 7"],
    broken.HalfOfTheTarget: ["must see that a prediction is for the mirror image", "upside down"],
    broken.CoordinatesSwapped: ["must be smallest for the prediction that says", "its own"],
    broken.SteepAtTheTarget: ["must have a finite gradient", "square root"],
    broken.LogarithmOfZero: ["loss must be finite", "predictions of up to 59", "logsigmoid"],
    broken.ChangesTargets: ["loss must leave the target as it is"],
    broken.NoGradient: ["loss must have a gradient", "detach"],
    broken.GrowingLoss: ["smaller for an ideal prediction", "sign"],
    broken.StuckHead: ["training steps on one batch must lower the loss"],
    broken.UnseededHead: ["the same seed must give the same network"],
    broken.ForgetsTheFrame: ["'distance' must be 0", "four times as large", "frame.to_original"],
    broken.DecodesAtRandom: ["decode must give the same result each time"],
    broken.AveragesInTheNetwork: ["decode_views of ideal predictions", "with its own frame"],
    broken.FirstViewOnly: ["decode_views must join all views", "the first view"],
    broken.LastViewOnly: ["decode_views must join all views", "the last view"],
    broken.DecodesInPlace: ["decode must leave the prediction as it is", "clamp_"],
    broken.OtherResult: ["decode must give what the class names as `Result`", "a Place"],
    broken.OneBatch: ["must be over all images, however they come", "sums and counts"],
    broken.ZeroWithoutImages: ["'distance' must be NaN before any image", "found:    0"],
    broken.SharedState: ["'distance' must be NaN before any image", "after others"],
    broken.ComputeRaises: ["`compute` of the metric 'distance'", "three are too many"],
    broken.WrongPool: ["`pool` of the metric 'distance' must give it over any sample"],
    broken.HiddenState: ["must be over all images", "in two processes", "add_state"],
    broken.UnpicklableMetric: ["go through a pickle"],
    broken.NoPrimary: ["primary must be one of the metrics", "expected: one of distance"],
    broken.ScoreOfTwo: ["selection_score must be in [0, 1]"],
    broken.ErrorAsScore: ["must be 1 where all metrics are at their best", "higher is better here"],
    broken.NotJson: ["as_data must give plain values", "not JSON serializable"],
    broken.FloatImage: ["uint8 images", "float64 of shape (24, 32)"],
    broken.UndeclaredMeasurement: ["a Measurement for each that the spec declares", "depth"],
    broken.KnownSizesOnly: ["trivial must give a predictor", "KeyError: (17, 45)", "any size"],
    broken.OneLabelIsTooFew: ["trivial must give a predictor", "one or more"],
    broken.DrawsInsideOnly: ["draw_result must give", "IndexError"],
    broken.DrawsOnTheImage: ["draw_result must give a new uint8 picture", "image.copy()"],
    broken.DrawsNothing: ["draw_label must draw something"],
    broken.OptionsThatChange: ["Options must be the same after a way through JSON", "radius=4"],
    broken.NoNumbersTwice: ["label_numbers must give the same names for every label"],
    broken.Unfinished: ["usmt.TaskType", "decode, draw_label, draw_result, head, loss"],
    broken.WithoutPrimary: ["primary must name the metric"],
    broken.ResultIsNoClass: ["Result must be a class", "list[float]"],
    broken.MakesNothing: ["must be made from its options alone", "'more'"],
    broken.NumbersAreNone: ["label_numbers must work", "NoneType", "broken_task_types.py:"],
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
        ({"wrong": lambda label, size: wrong_place(label, size).x}, "`wrong` in the call"),
        ({"wrong": lambda label: None}, "`wrong` must be a function of (label, size)"),
        ({"wrong": None}, "`wrong` must be a function of (label, size)"),
        ({"placed": False}, "labels without a place must not change with the image"),
        ({"labels": []}, "three or more good labels"),
        ({"labels": None}, "`labels` must be a list of (label, (height, width))"),
        ({"labels": [label for label, _ in LABELS]}, "labels[0] is (3.0, 4.0)"),
        ({"labels": [(label, 24) for label, _ in LABELS]}, "labels[0] is ((3.0, 4.0), 24)"),
        ({"bad_labels": [((3.0, 40.0), (24, 0))]}, "bad_labels[0] is"),
        ({"ideal": {"spot": 1}}, "`ideal` must be a function of (target)"),
        ({"ideal": lambda target: target["place"]}, "`ideal` must take the target"),
        ({"ideal": lambda target: target["spot"][None]}, "found:    a tensor of shape (1, 2)"),
        ({"ideal": lambda target: target["spot"].tolist()}, "a tensor of shape (2,)"),
        ({"ideal": lambda target: {"spot": target["spot"]}}, "'spot', a tensor of shape (2,)"),
        ({"worst": [50]}, "`worst` must be numbers by metric"),
        ({"best": {"distance": "none"}}, "`best` must be numbers by metric"),
        ({"options": {"radius": 2}}, "`options` must be the type's own"),
    ],
)
def test_a_wrong_call_is_told(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BrokenRuleError) as caught:
        check(Spot, **changed)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "task_type",
    [
        sound.PlainResult,
        sound.NeedsAPyramid,
        sound.LossFromAHundred,
        sound.LossBelowZero,
        sound.NoParameters,
        sound.NoElements,
        sound.Dropout,
        sound.SaysThatItHasNoMean,
    ],
)
def test_a_type_that_is_right_in_its_own_way_is_not_refused(task_type: type[TaskType]) -> None:
    def wrong(label: Any, size: tuple[int, int]) -> Any:
        place = wrong_place(label, size)
        is_plain = task_type is sound.PlainResult
        return sound.Plain(place.x, place.y, size) if is_plain else place

    check(task_type, wrong=wrong)


def test_a_whole_number_is_a_number():
    check(
        sound.NumberOnly,
        ideal=lambda target: target["far"],
        wrong=lambda label, size: 100,
        worst={},
        within={"off": 0.5},
        placed=False,
    )


def test_a_loss_may_look_at_places_drawn_at_random():
    check(sound.SampledPlaces, ideal=sound.constant_map)


def test_what_is_left_out_at_random_needs_no_luck():
    for seed in range(3):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        check(sound.LeftOutAtRandom)
        assert torch.equal(torch.random.get_rng_state(), before)


def test_a_map_may_have_any_resolution():
    check(sound.HeatMap, ideal=sound.ideal_map, within={"distance": 2.0}, worst={})


@pytest.mark.parametrize("given", [Spot(Spot.Options()), "spot", None, dict])
def test_what_is_no_task_type_is_told(given: Any) -> None:
    with pytest.raises(BrokenRuleError, match=r"must be given a subclass of usmt\.TaskType"):
        check(given)


def test_a_spec_of_the_wrong_kind_is_told():
    with pytest.raises(BrokenRuleError, match="a dict of the fields that it adds"):
        check_task_type(
            Spot, ["radius"], labels=LABELS, bad_labels=[], ideal=dict, wrong=wrong_place
        )


def test_labels_that_are_changed_are_told():
    labels = [(list(label), size) for label, size in LABELS]
    check(Spot, labels=labels)
    with pytest.raises(BrokenRuleError, match="must leave the labels as they are"):
        check(broken.ChangesLabels, labels=labels)


def test_rows_before_columns_are_told():
    far = [*LABELS, ((28.0, 3.0), (24, 32))]
    check(Spot, labels=far)
    with pytest.raises(BrokenRuleError, match=r"wrap must give positions as \(x, y\)"):
        check(broken.RowsBeforeColumns, labels=far)


def test_measurements_without_units_are_told():
    spec = {"measurements": {"depth": "y"}}
    call = {"labels": LABELS, "bad_labels": BAD_LABELS, "wrong": wrong_place}
    with pytest.raises(BrokenRuleError, match="in the units of the pixel size"):
        check_task_type(broken.AlwaysPixels, spec, ideal=lambda target: target["spot"], **call)


def test_a_class_that_is_decoded_by_the_frame_is_told():
    with pytest.raises(BrokenRuleError, match="must not depend on the frame"):
        check_task_type(
            broken.LooksAtTheFrame,
            {"classes": ["a", "b", "c"]},
            labels=[(k, (24, 32)) for k in range(3)],
            bad_labels=[(3, (24, 32))],
            ideal=lambda target: 50.0 * torch.nn.functional.one_hot(target["class"], 3),
            wrong=broken.other_class,
            placed=False,
        )


def test_the_line_that_raised_is_named():
    """Of the plugin, or of what its author gave; never one of usmt or of a library."""
    for task_type, changed in [
        (broken.ProblemsRaise, {}),
        (broken.FixedMaps, {}),
        (broken.DrawsInsideOnly, {}),
        (Spot, {"ideal": lambda target: torch.stack([])}),
    ]:
        with pytest.raises(BrokenRuleError) as caught:
            check(task_type, **changed)
        text = str(caught.value)
        assert ("test_check" if changed else "broken_task_types.py:") in text, text
        assert "site-packages" not in text and "usmt/testing" not in text, text


def test_a_type_that_rounds_says_by_how_much():
    rounds = {"ideal": lambda target: target["spot"].mul(64).round() / 64}
    with pytest.raises(BrokenRuleError, match="must be 0 for perfect results"):
        check(Spot, **rounds)
    check(Spot, **rounds, within={"distance": 2.0}, worst={})
