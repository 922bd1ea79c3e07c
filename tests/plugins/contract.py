"""What holds for every task type, whatever it predicts: checked alike for the built-in ones."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import astuple, is_dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.data import default_collate
from torchmetrics import Metric

from usmt import Features, Frame, TaskSpec, TaskType
from usmt.data.geometry import affine, fit, move

FEATURES = Features(channels=(16,) * 4, strides=(16,) * 4)
NETWORKS = st.sampled_from([(64, 64), (96, 64), (64, 128)])
SIDES = st.integers(24, 300)
SIZES = st.tuples(SIDES, SIDES)
FLIPS = st.fixed_dictionaries(
    {"flip_horizontal": st.booleans(), "flip_vertical": st.booleans()},
)

MOVES = st.fixed_dictionaries({"degrees": st.floats(-180, 180), "scale": st.floats(0.7, 1.4)})

Pairs = Sequence[tuple[Any, Any]]
"""Results with the labels of the same images."""

Mirror = Callable[[Any, bool, bool], Any]
"""One row's prediction, and how the image is mirrored (left to right, upside down) -> the
prediction that says the same of the mirrored image."""


def make_spec(kind: type[TaskType], **fields: Any) -> TaskSpec:
    return kind.Spec(
        id="task", title="Task", type=kind.name, organ="any", dataset="any", flip="none", **fields
    )


# -- geometry


def to_network(
    task_type: TaskType,
    spec: TaskSpec,
    label: Any,
    original: tuple[int, int],
    network: tuple[int, int],
    **moves: Any,
) -> tuple[dict[str, Tensor], Frame]:
    """One label as training has it, fitted and moved: its target, and the frame that leads back."""
    frame, matrix = Frame.fit(original, network), affine(network, **moves)
    wrapped = task_type.wrap(spec, label, original)
    moved = {name: move(fit(value, frame), matrix) for name, value in wrapped.items()}
    return task_type.target(spec, moved, network), frame.then(matrix)


def targets_of(
    task_type: TaskType, spec: TaskSpec, labels: Sequence[Any], size: tuple[int, int]
) -> dict[str, Tensor]:
    """Labels of images that have the network's size, as a batch."""
    targets = [to_network(task_type, spec, label, size, size)[0] for label in labels]
    return default_collate(targets)


# -- network and loss


class Parts(nn.Module):
    """Decoder and head of one task, on random maps of a network at 64 px."""

    def __init__(self, task_type: TaskType, spec: TaskSpec) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.decoder = task_type.decoder(FEATURES)
        channels = FEATURES.channels[-1] if self.decoder is None else self.decoder.out_channels
        self.head = task_type.head(spec, channels)

    def forward(self, maps: list[Tensor]) -> Any:
        return self.head(maps[-1] if self.decoder is None else self.decoder(maps))


def random_maps(rows: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(rows, c, 4, 4, generator=generator) for c in FEATURES.channels]


def averaged(maps: list[Tensor]) -> list[Tensor]:
    """Each map's mean in all of its cells."""
    return [one.mean(dim=(2, 3), keepdim=True).expand_as(one) for one in maps]


def check_rows_stand_alone(
    task_type: TaskType, spec: TaskSpec, targets: dict[str, Tensor], rows: int
) -> None:
    """A row's prediction and its loss are the same without the other rows."""
    parts, maps = Parts(task_type, spec).train(), random_maps(rows)
    losses = task_type.loss(spec, parts(maps), targets)
    assert losses.shape == (rows,)
    assert len({round(loss, 4) for loss in losses.tolist()}) == rows
    for row in range(rows):
        only = slice(row, row + 1)
        prediction = parts([one[only] for one in maps])
        alone = task_type.loss(spec, prediction, {k: v[only] for k, v in targets.items()})
        assert torch.allclose(alone, losses[only], atol=1e-6)


def check_learns(
    task_type: TaskType, spec: TaskSpec, targets: dict[str, Tensor], rows: int
) -> None:
    """Ten steps on one batch lower the loss, and every parameter takes part."""
    parts, maps = Parts(task_type, spec).train(), random_maps(rows)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=0.01)
    losses = []
    for _ in range(10):
        loss = task_type.loss(spec, parts(maps), targets).mean()
        optimizer.zero_grad()
        loss.backward()
        still = [n for n, p in parts.named_parameters() if p.grad is None or not p.grad.any()]
        assert still == []
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


# -- results


def filled(task_type: TaskType, spec: TaskSpec, pairs: Pairs) -> dict[str, Metric]:
    metrics = task_type.metrics(spec)
    for result, label in pairs:
        for metric in metrics.values():
            metric.update(result, label)
    return metrics


def scores_of(task_type: TaskType, spec: TaskSpec, pairs: Pairs) -> dict[str, float]:
    metrics = filled(task_type, spec, pairs)
    return {name: float(metric.compute()) for name, metric in metrics.items()}


def check_metrics_travel(task_type: TaskType, spec: TaskSpec, pairs: Pairs) -> None:
    """Metrics that saw parts of the images and went through a pickle make up the whole."""
    expected = scores_of(task_type, spec, pairs)
    for cut in range(1, len(pairs) + 1):
        first = filled(task_type, spec, pairs[:cut])
        second = filled(task_type, spec, pairs[cut:])
        for name, metric in first.items():
            metric.merge_state(pickle.loads(pickle.dumps(second[name])))
            assert float(metric.compute()) == pytest.approx(expected[name], nan_ok=True)


def check_metrics_are_complete(task_type: TaskType, spec: TaskSpec, pairs: Pairs) -> None:
    """What the core asks of metrics, besides their values over all images."""
    metrics = task_type.metrics(spec)
    assert task_type.primary in metrics
    assert all(isinstance(metric.higher_is_better, bool) for metric in metrics.values())
    for name, metric in metrics.items():
        if not metric.per_image:
            continue
        for pair in pairs:
            assert float(metric(*pair)) == scores_of(task_type, spec, [pair])[name]
        assert float(metric.compute()) == scores_of(task_type, spec, pairs)[name]
    for metric in task_type.metrics(spec).values():
        with pytest.warns(UserWarning, match="before the ``update``"):
            assert metric.compute().isnan()


def check_rows_make_up_the_metrics(task_type: TaskType, spec: TaskSpec, pairs: Pairs) -> None:
    """Rows of single images give each metric over any sample of them, images repeated or left
    out."""
    samples = [[1] * len(pairs), [0] * len(pairs)]
    for i in range(len(pairs)):
        samples.append([(i + j) % 3 for j in range(len(pairs))])
    for name, metric in task_type.metrics(spec).items():
        rows = np.array([list(metric.row(*pair)) for pair in pairs])
        found = metric.pool(rows, np.array(samples))
        for value, counts in zip(found, samples, strict=True):
            repeated = [pair for pair, n in zip(pairs, counts, strict=True) for _ in range(n)]
            expected = scores_of(task_type, spec, repeated)[name] if repeated else math.nan
            assert value == pytest.approx(expected, abs=1e-12, nan_ok=True), (name, counts)
        if metric.per_image:
            assert rows.shape == (len(pairs), 1)
            assert [float(metric(*pair)) for pair in pairs] == rows[:, 0].tolist()


def check_selection(task_type: TaskType, spec: TaskSpec, *ever_worse: Pairs) -> None:
    """1 for the first evaluation, which is perfect; less for each that follows; never below 0."""
    chosen = [
        task_type.selection_score(spec, scores_of(task_type, spec, pairs)) for pairs in ever_worse
    ]
    assert chosen[0] == 1
    assert chosen == sorted(set(chosen), reverse=True)
    assert chosen[-1] >= 0


def check_result(task_type: TaskType, spec: TaskSpec, prediction: Any, frame: Frame) -> Any:
    """What those who write, show or measure results rely on. Returns the result.

    Args:
        prediction: one row's.
    """
    result = task_type.decode(spec, prediction, frame)
    assert type(result) is task_type.Result and is_dataclass(result)
    assert same(task_type.decode_views(spec, [(prediction, frame)]), result)
    data = task_type.as_data(spec, result)
    assert json.loads(json.dumps(data, allow_nan=False)) == data and data
    for name, image in task_type.as_images(spec, result).items():
        assert name not in data
        assert image.dtype == np.uint8 and image.shape[:2] == frame.original
    declared = getattr(spec, "measurements", {})
    assert list(task_type.measure(spec, result, (1.0, 1.0))) == list(declared)
    return result


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal to the last bit."""
    pairs = zip(astuple(one), astuple(other), strict=True)
    return type(one) is type(other) and all(np.array_equal(a, b) for a, b in pairs)


def mirrored_views(prediction: Any, frame: Frame, mirror: Mirror) -> list[tuple[Any, Frame]]:
    """One row's prediction as it is and mirrored in all three ways, each with its frame."""
    views = []
    for horizontal, vertical in product((False, True), repeat=2):
        move = affine(frame.network, flip_horizontal=horizontal, flip_vertical=vertical)
        views.append((mirror(prediction, horizontal, vertical), frame.then(move)))
    return views


def random_frame(original: tuple[int, int], network: tuple[int, int], **moves: Any) -> Frame:
    return Frame.fit(original, network).then(affine(network, **moves))


def check_drawing(
    task_type: TaskType, spec: TaskSpec, label: Any, result: Any, size: tuple[int, int]
) -> None:
    """Pictures are new arrays, with something on them; the image stays as it was."""
    image = np.random.default_rng(0).integers(0, 90, (*size, 3), dtype=np.uint8)
    before = image.copy()
    for picture in (
        task_type.draw_label(spec, image, label),
        task_type.draw_result(spec, image, result),
    ):
        assert (picture.shape, picture.dtype) == (image.shape, np.uint8)
        assert not np.shares_memory(picture, image)
        assert (picture != image).any()
        assert np.array_equal(image, before)


def tree_row(prediction: Any, row: int) -> Any:
    """One row of a prediction, as `decode` is given it."""
    return tree_map(lambda tensor: tensor[row], prediction)
