"""Rules for where a task type's loss leads: to the prediction that says what the target says."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map
from torch.utils.data import default_collate

from usmt.data.geometry import affine
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.equality import same
from usmt.testing.label_rules import target_of
from usmt.testing.loss_rules import Target, check_steep, loss_of
from usmt.testing.network_rules import INPUT, parts_of, random_maps, row_of
from usmt.testing.subject import Subject

STEPS, PATIENCE = 10, 100
"""Training steps that should lower the loss, and those after which there is no hope."""

TOLERANCE = 1e-3


def check_learning(subject: Subject) -> None:
    """Training lowers the loss, and nothing costs less than an ideal prediction."""
    targets = [target_of(subject, label, size, INPUT)[0] for label, size in subject.labels]
    batch = default_collate(targets)
    _check_steps(subject, batch)
    _check_ideal(subject, targets, batch)
    _check_tells_apart(subject)


def _check_steps(subject: Subject, batch: Target) -> None:
    """A few steps on one batch lower the loss, and every parameter takes part. What is measured is
    how far the loss is from that of an ideal prediction, which need not be 0."""
    parts = parts_of(subject).train()
    maps = random_maps(parts.features, len(subject.labels))
    learnt: list[Tensor] = [
        parameter for parameter in parts.parameters() if parameter.requires_grad
    ]
    if not learnt:  # then only the backbone learns, and its maps stand for it
        learnt = [one.requires_grad_() for one in maps]
    unused = {
        name
        for name, parameter in parts.named_parameters()
        if parameter.requires_grad and parameter.numel()
    }
    floor = float(loss_of(subject, _ideal_batch(subject, batch), batch).mean())
    optimizer = torch.optim.AdamW(learnt, lr=0.01)
    losses: list[float] = []
    for step in range(PATIENCE):
        loss = loss_of(subject, parts(maps), batch).mean()
        losses.append(loss.item())
        # A part that is left out at random needs more steps before it takes part.
        if step >= STEPS and not unused and losses[-1] - floor < 0.95 * (losses[0] - floor):
            break
        optimizer.zero_grad()
        with keeping(
            f"{subject.name}.loss must have a gradient",
            do="compute it with torch, without `detach`, `item` or numpy",
        ):
            loss.backward()
        unused -= {
            name
            for name, parameter in parts.named_parameters()
            if parameter.grad is not None and bool(parameter.grad.any())
        }
        optimizer.step()
    else:
        if not unused and losses[0] > floor:
            raise BrokenRuleError(
                f"{subject.name}: training steps on one batch must lower the loss",
                given=f"{PATIENCE} steps of AdamW with a learning rate of 0.01",
                expected=f"{floor:.4g} is what an ideal prediction has",
                found=f"{losses[0]:.4g} at first, {losses[-1]:.4g} at the end",
                do="check that the loss follows the prediction, and that targets are scaled to "
                "about 1",
            )
    if unused:
        raise BrokenRuleError(
            f"{subject.name}: gradients must reach every parameter of decoder and head",
            given=f"{len(losses)} training steps on {len(subject.labels)} rows",
            found=f"none ever reached {', '.join(sorted(unused))}",
            do="use the parameter in `forward`, or leave it out",
        )


def _ideal_batch(subject: Subject, batch: Target) -> Any:
    """What `ideal` says of all targets, in the form that the head gives."""
    count = len(subject.labels)
    targets = [{name: tensor[row] for name, tensor in batch.items()} for row in range(count)]
    rows = [subject.ideal_prediction(target) for target in targets]
    parts = parts_of(subject).eval()
    with torch.no_grad():
        fresh = row_of(parts(random_maps(parts.features, count)), 0)
    rule = f"{subject.name}: `ideal` must give a prediction of one row, as `head` does of many"
    (said, like_said), (asked, like_asked) = tree_flatten(rows[0]), tree_flatten(fresh)
    if (
        like_said != like_asked
        or not all(isinstance(leaf, Tensor) for leaf in said)
        or [leaf.ndim for leaf in said] != [leaf.ndim for leaf in asked]
    ):
        raise BrokenRuleError(
            rule,
            given="the target of one label, without batch dimension",
            expected=f"like a row of the head's: {_form(fresh)}",
            found=_form(rows[0]),
            do="check `ideal` in the call of check_task_type",
        )
    with keeping(rule, do="give each row the same shape"):
        return tree_map(lambda *each: torch.stack(each).float(), *rows)


def _form(prediction: Any) -> str:
    if isinstance(prediction, Tensor):
        return f"a tensor of shape {tuple(prediction.shape)}"
    if isinstance(prediction, dict):
        return "; ".join(f"'{name}', {_form(value)}" for name, value in prediction.items())
    return described(prediction)


def _check_ideal(subject: Subject, targets: list[Target], batch: Target) -> None:
    """What is said exactly costs less than what a fresh network says, and stays so in training."""
    parts = parts_of(subject).eval()
    with torch.no_grad():
        fresh = loss_of(subject, parts(random_maps(parts.features, len(targets))), batch)
    ideal = _ideal_batch(subject, batch)
    loss = loss_of(subject, ideal, batch)
    if not loss.mean() < fresh.mean():
        raise BrokenRuleError(
            f"{subject.name}.loss must be smaller for an ideal prediction than for a fresh network",
            given="the predictions that `ideal` makes of the targets",
            expected=f"less than {fresh.mean():.4g}",
            found=f"{loss.mean():.4g}",
            do="check the sign of the loss, and that it compares prediction and target",
        )
    for shift in range(1, len(targets)):
        others = tree_map(lambda leaf, shift=shift: leaf.roll(shift, dims=0), ideal)
        if bool((loss_of(subject, others, batch) < loss - TOLERANCE * (1 + loss.abs())).any()):
            raise BrokenRuleError(
                f"{subject.name}.loss must be smallest for the prediction that says what the "
                "target says",
                given="ideal predictions for one label and for another",
                expected="more for that of the other label",
                found="less",
                do="check that the loss compares each part of a prediction with its own of the "
                "target",
            )
    leaves = tree_leaves(ideal)
    if all(bool(leaf.isfinite().all()) for leaf in leaves):
        for leaf in leaves:
            leaf.requires_grad_()
        check_steep(subject, ideal, batch, leaves)


def _check_tells_apart(subject: Subject) -> None:
    """An ideal prediction for an image costs more for its mirror image, if the target differs."""
    mirrors = {
        "left to right": affine(INPUT, flip_horizontal=True),
        "upside down": affine(INPUT, flip_vertical=True),
    }
    for how, matrix in mirrors.items():
        seen = []
        for label, size in subject.labels:
            still, _ = target_of(subject, label, size, INPUT)
            other, _ = target_of(subject, label, size, INPUT, matrix)
            if not same(dict(still), dict(other), within=1e-4):
                batch = default_collate([other])
                says = [subject.ideal_prediction(each) for each in (still, other)]
                costs = [
                    float(loss_of(subject, tree_map(lambda leaf: leaf[None].float(), each), batch))
                    for each in says
                ]
                seen.append(costs)
        if seen and not any(wrong > right for wrong, right in seen):
            raise BrokenRuleError(
                f"{subject.name}.loss must see that a prediction is for the mirror image",
                given=f"ideal predictions for images as they are, targets for those mirrored {how}",
                expected="more than the predictions that `ideal` makes of the targets",
                found=", ".join(f"{wrong:.4g} and {right:.4g}" for wrong, right in seen),
                do="compare all that the target says: both coordinates, all classes",
            )
