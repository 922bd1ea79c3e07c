"""Rules for a task type's loss: its form, and numbers that stay numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import default_collate

from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.fixed_seed import fixed_seed
from usmt.testing.label_rules import target_of
from usmt.testing.network_rules import (
    INPUT,
    Parts,
    parts_of,
    predicted,
    random_maps,
    usable_parts,
)
from usmt.testing.subject import Subject

Target = dict[str, Tensor]

ROUNDING = 1e-5
"""What equal losses may differ by."""

LOUD = 60.0
"""A network that is sure of itself: probabilities of it are 0 or 1 in float32, but its exponential
is a number."""


def check_loss(subject: Subject) -> None:
    """One number for each row, from that row alone, whatever a network says."""
    targets = [target_of(subject, label, size, INPUT)[0] for label, size in subject.labels]
    batch = default_collate(targets)
    for parts in usable_parts(subject):
        prediction = predicted(subject, parts.train(), len(targets))
        _check_finite(subject, loss_of(subject, prediction, batch), "")
    _check_rows(subject, batch)
    for prediction, parts in _loud_predictions(subject):
        learnt: list[Tensor] = [each for each in parts.parameters() if each.requires_grad]
        check_steep(subject, prediction, batch, learnt)


def loss_of(subject: Subject, prediction: Any, batch: Target) -> Tensor:
    rows = len(subject.labels) if not batch else len(next(iter(batch.values())))
    before = {name: tensor.clone() for name, tensor in batch.items()}
    with keeping(f"{subject.name}.loss must take what `head` and `target` give"):
        loss = subject.type.loss(subject.spec, prediction, batch)
    if not isinstance(loss, Tensor):
        raise BrokenRuleError(f"{subject.name}.loss must give a tensor", found=described(loss))
    if loss.shape != (rows,) or not loss.is_floating_point():
        raise BrokenRuleError(
            f"{subject.name}.loss must give one number for each row",
            given=f"{rows} rows",
            expected=f"a float tensor of shape ({rows},)",
            found=described(loss) if loss.ndim else "one number for all rows",
            do="take the mean over all dimensions but the first; usmt takes it over rows",
        )
    if not same(before, dict(batch)):
        raise BrokenRuleError(
            f"{subject.name}.loss must leave the target as it is",
            do="copy a tensor before changing it in place",
        )
    return loss


def _check_finite(subject: Subject, loss: Tensor, where: str) -> None:
    if not bool(torch.isfinite(loss).all()):
        raise BrokenRuleError(
            f"{subject.name}.loss must be finite for good labels",
            given=where or "the predictions of a fresh network",
            found=str(loss.tolist()),
            do="look for a logarithm or a division by zero; torch's log_softmax, logsigmoid and "
            "binary_cross_entropy_with_logits are safe",
        )


def _check_rows(subject: Subject, batch: Target) -> None:
    parts = parts_of(subject).eval()
    rows = list(range(len(subject.labels)))
    with torch.no_grad():
        prediction = parts(random_maps(parts.features, len(rows)))

    def losses(of: list[int], seed: int = 0) -> Tensor:
        with fixed_seed(seed), torch.no_grad():
            return loss_of(
                subject,
                tree_map(lambda tensor: tensor[of], prediction),
                {name: tensor[of] for name, tensor in batch.items()},
            )

    among = losses(rows)
    if not torch.allclose(again := losses(rows), among, atol=ROUNDING):
        raise BrokenRuleError(
            f"{subject.name}.loss must give the same for the same seed",
            given="one batch twice, each time after torch.manual_seed(0)",
            expected=str(among.tolist()),
            found=str(again.tolist()),
            do="draw from torch's own generator only, and keep nothing from call to call",
        )
    # Where places, say, are drawn at random, those of the first of as many rows are the same again.
    draws = not torch.equal(losses(rows, seed=1), among)
    tried = [[0, *[1] * (len(rows) - 1)]] if draws else [[row] for row in rows]
    for of in tried:
        loss = losses(of)[0]
        if not torch.allclose(loss, among[of[0]], atol=ROUNDING):
            raise BrokenRuleError(
                f"{subject.name}.loss must compute each row from that row alone",
                given=f"row {of[0]}, {'beside others' if draws else 'alone'} and among all rows",
                expected=f"{loss:.6g} both times",
                found=f"{among[of[0]]:.6g} among all rows",
                do="reduce over the dimensions of a row; `reduction='none'` helps",
            )


def check_steep(subject: Subject, prediction: Any, batch: Target, leaves: list[Tensor]) -> None:
    """Loss and gradient are numbers; one that is not spoils all weights, or loses the batch."""
    size = max(float(leaf.detach().abs().max()) for leaf in tree_leaves(prediction))
    given = f"predictions of up to {size:.3g} in size"
    loss = loss_of(subject, prediction, batch)
    _check_finite(subject, loss, given)
    if loss.requires_grad and leaves:
        found = torch.autograd.grad(loss.sum(), leaves, allow_unused=True)
        if any(each is not None and not bool(each.isfinite().all()) for each in found):
            raise BrokenRuleError(
                f"{subject.name}.loss must have a finite gradient",
                given=given,
                found="NaN or infinity, although the loss is a number",
                do="the gradient of a square root or a norm is infinite at 0: add a little "
                "before taking it; `where` does not hide it",
            )


def _loud_predictions(subject: Subject) -> Iterator[tuple[Any, Parts]]:
    """Of a network that has become sure of itself: its weights scaled until predictions are LOUD,
    or do not grow any more; and of its negative."""
    fresh = parts_of(subject).eval()
    maps = random_maps(fresh.features, len(subject.labels))
    if not any(True for _ in fresh.parameters()):
        return

    def scaled(factor: float) -> Parts:
        parts = copy.deepcopy(fresh)
        with torch.no_grad():
            for parameter in parts.parameters():
                parameter.mul_(factor)
        return parts

    def loudness(exponent: float) -> float:
        with torch.no_grad():
            leaves = tree_leaves(scaled(10**exponent)(maps))
        return max(float(leaf.abs().max()) for leaf in leaves)

    low, high = 0.0, 3.0
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if loudness(middle) < LOUD else (low, middle)
    for factor in (10**low, -(10**low)):
        parts = scaled(factor)
        yield parts(maps), parts
