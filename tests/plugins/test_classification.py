"""Classification: cross-entropy, AUC, F1 and MCC over all images, classes that never occur."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from contract import (
    MOVES,
    NETWORKS,
    SIZES,
    Parts,
    averaged,
    check_selection,
    make_spec,
    mirrored_views,
    random_frame,
    random_maps,
    scores_of,
    to_network,
    tree_row,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from usmt import Frame, TaskTypeOptions, metrics
from usmt_classification import Classification, ClassificationTaskType

pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn's

TYPE = ClassificationTaskType(TaskTypeOptions())
TWO = make_spec(ClassificationTaskType, classes=["benign", "malignant"])
THREE = make_spec(ClassificationTaskType, classes=["normal", "benign", "malignant"])
SIZE = (20, 30)


def pair(weights: Any, label: int) -> tuple[Classification, int]:
    weights = np.asarray(weights, np.float64)
    return Classification(weights / weights.sum()), label


def evaluations(classes: int, most: int = 12) -> st.SearchStrategy[list[tuple[Any, int]]]:
    """Results with labels; few different probabilities, so that there are ties."""
    weights = st.lists(st.integers(1, 4), min_size=classes, max_size=classes)
    return st.lists(
        st.builds(pair, weights, st.integers(0, classes - 1)), min_size=2, max_size=most
    )


# -- loss


def test_cross_entropy_by_hand():
    """Probabilities (1/4, 3/4), twice, and (1/2, 1/2)."""
    logits = torch.tensor([[0.0, math.log(3)], [5.0, 5 + math.log(3)], [0.0, 0.0]])
    losses = TYPE.loss(TWO, logits, {"class": torch.tensor([1, 0, 1])})
    assert losses.tolist() == pytest.approx([-math.log(3 / 4), -math.log(1 / 4), math.log(2)])


def test_at_the_start_all_classes_are_about_equally_likely():
    probabilities = Parts(TYPE, THREE)(random_maps(50)).softmax(dim=1)
    assert (probabilities - 1 / 3).abs().max() < 0.1


def test_the_head_reads_the_average():
    parts, maps = Parts(TYPE, THREE), random_maps(4)
    assert torch.allclose(parts(maps), parts(averaged(maps)), atol=1e-6)


# -- metrics


def auc_by_pairs(evaluation: Any, k: int) -> float:
    """The share of (image of k, image of another class) that probability k puts in order; half for
    a tie."""
    ofs = [result.probabilities[k] for result, label in evaluation if label == k]
    others = [result.probabilities[k] for result, label in evaluation if label != k]
    return float(np.mean([(a > b) + 0.5 * (a == b) for a in ofs for b in others]))


def guesses(evaluation: Any) -> list[tuple[int, int]]:
    return [(int(result.probabilities.argmax()), label) for result, label in evaluation]


def f1_by_counts(evaluation: Any, k: int) -> float:
    hits = sum(guess == label == k for guess, label in guesses(evaluation))
    named = sum((guess == k) + (label == k) for guess, label in guesses(evaluation))
    return 2 * hits / named if named else 0.0


def mcc_by_correlation(evaluation: Any, classes: int) -> float:
    """Gorodkin's: the correlation of one-hot guesses and labels; 0 if either never varies."""
    x, y = (np.eye(classes)[list(column)] for column in zip(*guesses(evaluation), strict=True))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    spread = (x**2).sum() * (y**2).sum()
    return float((x * y).sum() / math.sqrt(spread)) if spread else 0.0


@given(evaluation=st.one_of(evaluations(3), evaluations(2)))
@settings(max_examples=200, deadline=None)
def test_scores_equal_their_definitions(evaluation):
    classes = len(evaluation[0][0].probabilities)
    scores = scores_of(TYPE, TWO if classes == 2 else THREE, evaluation)
    labels = [label for _, label in evaluation]
    present = sorted(set(labels))
    if len(present) == 1:
        assert math.isnan(scores["auc"])
    elif classes == 2:
        assert scores["auc"] == pytest.approx(auc_by_pairs(evaluation, 1))
    else:
        each = [auc_by_pairs(evaluation, k) for k in present]
        assert scores["auc"] == pytest.approx(np.mean(each))
    named = {k for both in guesses(evaluation) for k in both}
    f1 = [f1_by_counts(evaluation, k) for k in range(classes)]
    assert scores["f1"] == pytest.approx(np.mean([f1[k] for k in named]))
    assert scores["f1_weighted"] == pytest.approx(np.mean([f1[label] for label in labels]))
    assert scores["mcc"] == pytest.approx(mcc_by_correlation(evaluation, classes), abs=1e-9)
    right = [guess == label for guess, label in guesses(evaluation)]
    assert scores["accuracy"] == pytest.approx(np.mean(right))


def test_binary_scores_by_hand():
    """Two malignant images of three are found, and one of two benign ones is called malignant."""
    second = [0.9, 0.6, 0.2, 0.7, 0.1]
    labels = [1, 1, 1, 0, 0]
    evaluation = [pair([1 - p, p], label) for p, label in zip(second, labels, strict=True)]
    scores = scores_of(TYPE, TWO, evaluation)
    assert scores["auc"] == pytest.approx(4 / 6)  # .9 above both, .6 and .2 above one
    assert scores["accuracy"] == pytest.approx(3 / 5)
    malignant, benign = 2 * 2 / (2 * 2 + 1 + 1), 2 * 1 / (2 * 1 + 1 + 1)
    assert scores["f1"] == pytest.approx((malignant + benign) / 2)
    assert scores["f1_weighted"] == pytest.approx((3 * malignant + 2 * benign) / 5)
    assert scores["mcc"] == pytest.approx((2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2))


def test_a_class_that_never_occurs_is_left_out():
    """Neither labels nor results know class 0: the scores are those of the other two."""
    evaluation = [pair([0, 3, 1], 1), pair([0, 1, 3], 2), pair([0, 1, 2], 1), pair([0, 1, 4], 2)]
    two = [(Classification(result.probabilities[1:]), label - 1) for result, label in evaluation]
    three, both = scores_of(TYPE, THREE, evaluation), scores_of(TYPE, TWO, two)
    assert three == pytest.approx(both)
    assert both["auc"] == 1


def test_auc_of_one_class_is_not_defined():
    scores = scores_of(TYPE, THREE, [pair([8, 1, 1], 0), pair([1, 8, 1], 0)])
    assert math.isnan(scores["auc"])
    assert scores["accuracy"] == 0.5


POOLS = {
    "auc": lambda p, y: metrics.auc(p, y),
    "f1": lambda p, y: metrics.f1_macro(p.argmax(axis=1), y),
    "f1_weighted": lambda p, y: metrics.f1_weighted(p.argmax(axis=1), y),
    "mcc": lambda p, y: metrics.mcc(p.argmax(axis=1), y),
}


@st.composite
def samples(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities with many ties, labels, and how often each image is in each of some samples."""
    classes, images = draw(st.integers(2, 5)), draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 4, 1000]))
    probabilities = rng.integers(1, levels + 1, (images, classes)).astype(float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = rng.integers(0, draw(st.integers(1, classes)), images)
    if draw(st.booleans()):
        probabilities[rng.integers(images), rng.integers(classes)] = np.nan
    return probabilities, labels, rng.integers(0, draw(st.sampled_from([2, 3, 6])), (8, images))


@given(samples())
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_pools_equal_the_metrics_of_repeated_images(sample):
    probabilities, labels, weights = sample
    rows = np.column_stack([labels, probabilities])
    for name, metric in POOLS.items():
        found = TYPE.metrics(THREE)[name].pool(rows, weights)
        assert found.shape == (8,)
        for value, counts in zip(found, weights, strict=True):
            p, y = np.repeat(probabilities, counts, axis=0), np.repeat(labels, counts)
            expected = metric(p, y) if len(y) else math.nan
            assert value == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True), name


@given(samples())
@settings(max_examples=50, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_what_is_reported_is_what_the_metrics_say_to_the_last_digit(sample):
    probabilities, labels, _ = sample
    for name, metric in POOLS.items():
        fresh = TYPE.metrics(THREE)[name]
        for row, label in zip(probabilities, labels, strict=True):
            fresh.update(Classification(row), int(label))
        assert np.array_equal(float(fresh.compute()), metric(probabilities, labels), equal_nan=True)


def test_weights_need_not_be_whole():
    probabilities = np.array([[0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    rows = np.column_stack([[1, 1, 0], probabilities])
    for name in POOLS:
        pool = TYPE.metrics(TWO)[name].pool
        tenths = pool(rows, np.array([[0.1, 0.2, 0.3]]))
        assert tenths == pytest.approx(pool(rows, np.array([[1, 2, 3]])))
        one_class = pool(rows, np.array([[0.1, 0.7, 0.0]]))
        assert np.isnan(one_class).all() if name == "auc" else np.isfinite(one_class).all()


def test_selection_score_follows_auc():
    labels = [0, 0, 1, 1]
    ever_worse = [[0.1, 0.2, 0.8, 0.9], [0.1, 0.6, 0.5, 0.9], [0.7, 0.6, 0.5, 0.65], [4, 3, 2, 1]]
    check_selection(
        TYPE,
        TWO,
        *(
            [pair([5 - p, p], label) for p, label in zip(second, labels, strict=True)]
            for second in ever_worse
        ),
    )


def test_selection_score_follows_accuracy_where_auc_is_not_defined():
    right, wrong = pair([3, 1], 0), pair([1, 3], 0)
    check_selection(TYPE, TWO, [right, right, right], [right, right, wrong], [right, wrong, wrong])


# -- decode


@given(label=st.integers(0, 2), height=st.integers(1, 400), width=st.integers(1, 400))
@settings(max_examples=30, deadline=None)
def test_a_class_stays_wherever_the_image_goes(label, height, width):
    size = (height, width)
    target, frame = to_network(TYPE, THREE, label, size, (64, 96), degrees=30, flip_vertical=True)
    certain = 9.0 * torch.nn.functional.one_hot(target["class"], 3)
    result = TYPE.decode(THREE, certain, frame)
    assert int(result.probabilities.argmax()) == label
    assert scores_of(TYPE, THREE, [(result, label)])["accuracy"] == 1


def test_results_are_probabilities():
    logits = torch.tensor([[0.0, math.log(2), math.log(5)], [1000.0, 0.0, -1000.0]])
    frame = Frame.fit(SIZE, (64, 64))
    first, second = (TYPE.decode(THREE, tree_row(logits, row), frame) for row in (0, 1))
    assert first.probabilities == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert second.probabilities.tolist() == [1, 0, 0]
    assert first.probabilities.dtype == np.float64


# -- views of one image, and results as plain data


@given(size=SIZES, network=NETWORKS, moves=MOVES, seed=st.integers(0, 9999))
@settings(max_examples=20, deadline=None)
def test_mirrored_views_join_to_what_the_plain_one_says(size, network, moves, seed):
    logits = torch.randn(3, generator=torch.Generator().manual_seed(seed))
    frame = random_frame(size, network, **moves)
    alone = TYPE.decode(THREE, logits, frame)
    joined = TYPE.decode_views(THREE, mirrored_views(logits, frame, lambda same, *_: same))
    assert joined.probabilities == pytest.approx(alone.probabilities, abs=1e-12)


def test_views_are_joined_by_their_mean_probability():
    """(.9 + .45 + .45) / 3 = .6, though most views say the other class."""
    frame = Frame.fit(SIZE, (64, 64))
    views = [(torch.tensor([1 - p, p]).log(), frame) for p in (0.9, 0.45, 0.45)]
    joined = TYPE.decode_views(TWO, views)
    assert joined.probabilities == pytest.approx([0.4, 0.6])


def test_results_as_data():
    assert TYPE.as_data(THREE, Classification(np.array([0.25, 0.5, 0.25]))) == {
        "class": "benign",
        "index": 1,
        "probabilities": {"normal": 0.25, "benign": 0.5, "malignant": 0.25},
    }


# -- labels


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (3, "the class 3 is not one of 0 to 2"),
        (-1, "the class -1 is not one of 0 to 2"),
        (np.uint8(200), "the class 200 is not one of 0 to 2"),
        (1.0, "the class 1.0 is not a whole number"),
        (True, "the class True is not a whole number"),
        (np.True_, "is not a whole number"),
        ("1", "the class '1' is not a whole number"),
        (None, "the class None is not a whole number"),
    ],
)
def test_problems(label, said):
    (found,) = TYPE.problems(THREE, label, SIZE)
    assert said in found


@pytest.mark.parametrize("label", [0, 2, np.int64(1), np.uint8(2)])
def test_no_problems(label):
    assert TYPE.problems(THREE, label, SIZE) == []


@pytest.mark.parametrize("wrong", [[], ["one"], ["a", "b", "a"]])
def test_a_spec_has_two_or_more_different_classes(wrong):
    with pytest.raises(ValidationError, match="classes"):
        make_spec(ClassificationTaskType, classes=wrong)


# -- the constant answer


def test_the_constant_answer_is_the_share_of_each_class():
    answer = TYPE.trivial(THREE, [(label, SIZE) for label in (2, 0, 2, 2)])
    assert answer((7, 9)).probabilities.tolist() == [1 / 4, 0, 3 / 4]


@given(labels=st.lists(st.integers(0, 2), min_size=2, max_size=20))
@settings(max_examples=50, deadline=None)
def test_no_other_class_is_right_more_often(labels):
    answer = TYPE.trivial(THREE, [(label, SIZE) for label in labels])(SIZE)
    scores = scores_of(TYPE, THREE, [(answer, label) for label in labels])
    assert scores["accuracy"] == pytest.approx(max(labels.count(k) for k in range(3)) / len(labels))
    assert scores["mcc"] == 0
    assert scores["auc"] == 0.5 or len(set(labels)) == 1


# -- pictures


def test_drawing():
    image = np.full((120, 200, 3), 100, np.uint8)
    pictures = [TYPE.draw_label(THREE, image, label) for label in (0, 1, 2)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert all(np.array_equal(picture[60:], image[60:]) for picture in pictures)
