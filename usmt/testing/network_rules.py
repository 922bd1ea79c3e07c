"""Rules for a task type's decoder, head and loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import default_collate

from usmt.errors import UsmtError
from usmt.task_type import Features, Size
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.label_rules import target_of
from usmt.testing.subject import Subject

INPUT: Size = (64, 64)
PLAIN = Features(channels=(16,) * 4, strides=(16,) * 4)
"""A vision transformer's."""
HIERARCHICAL = Features(channels=(8, 16, 24, 32), strides=(4, 8, 16, 32))
STEPS = 10


class Parts(nn.Module):
    """Decoder and head of one task, from the same seed each time."""

    def __init__(self, subject: Subject, features: Features) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.decoder = subject.type.decoder(features)
            channels = _channels(subject, self.decoder, features)
            self.head = subject.type.head(subject.spec, channels)

    def forward(self, maps: list[Tensor]) -> Any:
        return self.head(maps[-1] if self.decoder is None else self.decoder(maps))


def check_network(subject: Subject) -> None:
    """Shapes, rows that stand alone, gradients that reach every parameter, a loss that falls."""
    targets = [target_of(subject, label, size, INPUT)[0] for label, size in subject.labels]
    batch = default_collate(targets)
    rows = len(targets)
    _check_shapes(subject, batch, rows)
    _check_seed(subject, rows)
    _check_rows(subject, batch, rows)
    _check_learning(subject, batch, rows)
    _check_ideal(subject, targets, batch)


def random_maps(features: Features, rows: int) -> list[Tensor]:
    """Normalised feature maps of `rows` images, the same each time."""
    generator = torch.Generator().manual_seed(5)
    return [
        torch.randn(rows, c, INPUT[0] // s, INPUT[1] // s, generator=generator)
        for c, s in zip(features.channels, features.strides, strict=True)
    ]


def row_of(prediction: Any, row: int) -> Any:
    """One row of a prediction, as `decode` is given it."""
    return tree_map(lambda tensor: tensor[row].detach(), prediction)


def parts_of(subject: Subject, features: Features = PLAIN) -> Parts:
    """Decoder and head, which every type must be able to build."""
    with keeping(
        f"{subject.name}.decoder and .head must build the network for a backbone's maps",
        given=str(features),
        do="raise a UsmtError with the reason where a type cannot use such maps",
    ):
        return Parts(subject, features)


def _channels(subject: Subject, decoder: nn.Module | None, features: Features) -> int:
    if decoder is None:
        return features.channels[-1]
    channels = getattr(decoder, "out_channels", None)
    if not isinstance(channels, int):
        raise BrokenRuleError(
            f"{subject.name}.decoder must give a module with `out_channels: int`",
            found=f"out_channels is {described(channels)}",
            do="set self.out_channels in the decoder: heads are built for it",
        )
    return channels


def _check_shapes(subject: Subject, batch: dict[str, Tensor], rows: int) -> None:
    for features in (PLAIN, HIERARCHICAL):
        try:
            parts = Parts(subject, features).train()
        except UsmtError:
            if features is PLAIN:
                raise
            continue  # a type may need maps of one kind, if it says so
        prediction = _predicted(subject, parts, features, rows)
        loss = _loss(subject, prediction, batch)
        if loss.shape != (rows,) or not loss.is_floating_point():
            raise BrokenRuleError(
                f"{subject.name}.loss must give one number for each row",
                given=f"{rows} rows",
                expected=f"a float tensor of shape ({rows},)",
                found=described(loss) if loss.ndim else "one number for all rows",
                do="take the mean over all dimensions but the first; usmt takes it over rows",
            )
        if not bool(torch.isfinite(loss).all()):
            raise BrokenRuleError(
                f"{subject.name}.loss must be finite for a fresh network and good labels",
                found=str(loss.tolist()),
                do="look for a logarithm or a division by zero",
            )


def _predicted(subject: Subject, parts: Parts, features: Features, rows: int) -> Any:
    rule = f"{subject.name}.head must give a tensor, or a dict of tensors, with a row for each row"
    with keeping(
        rule,
        given=f"{rows} rows of {features}",
        do="a batch mixes tasks: a head must work with one row too (no batch normalisation)",
    ):
        prediction = parts(random_maps(features, rows))
    for leaf in tree_leaves(prediction):
        if not isinstance(leaf, Tensor) or leaf.shape[:1] != (rows,):
            raise BrokenRuleError(
                rule, given=f"{rows} rows", expected=f"({rows}, ...)", found=described(leaf)
            )
    return prediction


def _loss(subject: Subject, prediction: Any, batch: dict[str, Tensor]) -> Tensor:
    with keeping(f"{subject.name}.loss must take what `head` and `target` give"):
        loss = subject.type.loss(subject.spec, prediction, batch)
    if not isinstance(loss, Tensor):
        raise BrokenRuleError(f"{subject.name}.loss must give a tensor", found=described(loss))
    return loss


def _check_seed(subject: Subject, rows: int) -> None:
    """One seed gives one network, and the same pass the same prediction."""
    first, second = (parts_of(subject).eval() for _ in range(2))
    maps = random_maps(PLAIN, rows)
    with torch.no_grad():
        outputs = [tree_leaves(parts(maps)) for parts in (first, second, second)]
    for other in outputs[1:]:
        if not all(torch.equal(a, b) for a, b in zip(outputs[0], other, strict=True)):
            raise BrokenRuleError(
                f"{subject.name}: the same seed must give the same network and prediction",
                given="two networks built after torch.manual_seed(0), in eval mode",
                found="predictions that differ",
                do="draw from torch's own generator only, and nothing in eval mode",
            )


def _check_rows(subject: Subject, batch: dict[str, Tensor], rows: int) -> None:
    """A row's prediction and loss are what they are without the other rows."""
    parts, maps = parts_of(subject).eval(), random_maps(PLAIN, rows)
    with torch.no_grad():
        prediction = parts(maps)
        losses = _loss(subject, prediction, batch)
        for row in range(rows):
            only = slice(row, row + 1)
            alone = parts([one[only] for one in maps])
            together = tree_map(lambda tensor, only=only: tensor[only], prediction)
            pairs = zip(tree_leaves(alone), tree_leaves(together), strict=True)
            if not all(torch.allclose(a, b, atol=1e-5) for a, b in pairs):
                raise BrokenRuleError(
                    f"{subject.name}: a row's prediction must not depend on the other rows",
                    found=f"row {row} is predicted otherwise alone than among {rows} rows",
                    do="normalise within a row, never over the batch",
                )
            loss = _loss(subject, together, {name: v[only] for name, v in batch.items()})
            if not torch.allclose(loss, losses[only], atol=1e-5):
                raise BrokenRuleError(
                    f"{subject.name}.loss must compute each row from that row alone",
                    given=f"row {row}, alone and among {rows} rows",
                    expected=f"{loss.tolist()} both times",
                    found=f"{losses[only].tolist()} among the others",
                    do="reduce over the dimensions of a row; `reduction='none'` helps",
                )
    _predicted(subject, parts.train(), PLAIN, 1)


def _check_learning(subject: Subject, batch: dict[str, Tensor], rows: int) -> None:
    """Ten steps on one batch lower the loss, and every parameter takes part."""
    parts, maps = parts_of(subject).train(), random_maps(PLAIN, rows)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=0.01)
    unused = {name for name, parameter in parts.named_parameters() if parameter.requires_grad}
    losses = []
    for _ in range(STEPS):
        loss = _loss(subject, parts(maps), batch).mean()
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
        losses.append(loss.item())
    if unused:
        raise BrokenRuleError(
            f"{subject.name}: gradients must reach every parameter of decoder and head",
            given=f"{STEPS} training steps on {rows} rows",
            found=f"none ever reached {', '.join(sorted(unused))}",
            do="use the parameter in `forward`, or leave it out",
        )
    if not losses[-1] < 0.95 * losses[0]:
        raise BrokenRuleError(
            f"{subject.name}: {STEPS} training steps on one batch must lower the loss",
            given="AdamW with a learning rate of 0.01",
            expected=f"less than {0.95 * losses[0]:.4g}",
            found=f"{losses[0]:.4g} at first, {losses[-1]:.4g} at the end",
            do="check that the loss follows the prediction, and that targets are scaled to about 1",
        )


def _check_ideal(
    subject: Subject, targets: Sequence[dict[str, Tensor]], batch: dict[str, Tensor]
) -> None:
    """What is said exactly costs less than what a fresh network says."""
    with torch.no_grad():
        fresh = _loss(subject, parts_of(subject).eval()(random_maps(PLAIN, len(targets))), batch)
        rows = [subject.ideal(target) for target in targets]
        with keeping(
            f"{subject.name}: `ideal` must give a prediction of one row, as `head` does of many",
            do="leave out the batch dimension, and give each row the same shape",
        ):
            ideal = tree_map(lambda *each: torch.stack(each), *rows)
        loss = _loss(subject, ideal, batch)
    if not loss.mean() < fresh.mean():
        raise BrokenRuleError(
            f"{subject.name}.loss must be smaller for an ideal prediction than for a fresh network",
            given="the predictions that `ideal` makes of the targets",
            expected=f"less than {fresh.mean():.4g}",
            found=f"{loss.mean():.4g}",
            do="check the sign of the loss, and that it compares prediction and target",
        )
