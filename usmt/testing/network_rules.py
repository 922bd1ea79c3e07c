"""Rules for a task type's decoder and head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves, tree_map

from usmt.errors import UsmtError
from usmt.task_type import Features, Size
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.fixed_seed import fixed_seed
from usmt.testing.subject import Subject

INPUT: Size = (64, 96)
PLAIN = Features(channels=(16,) * 4, strides=(16,) * 4)
"""A vision transformer's."""
HIERARCHICAL = Features(channels=(8, 16, 24, 32), strides=(4, 8, 16, 32))
SINGLE = Features(channels=(16,), strides=(16,))
KINDS = (PLAIN, HIERARCHICAL, SINGLE)
"""Maps that backbones give. A type may refuse some of them with a UsmtError, not all."""


class Parts(nn.Module):
    """Decoder and head of one task, from the same seed each time."""

    def __init__(self, subject: Subject, features: Features) -> None:
        super().__init__()
        self.features = features
        self.owner = subject.name
        with fixed_seed():
            self.decoder = subject.type.decoder(features)
            self.channels = _channels(subject, self.decoder, features)
            self.head = subject.type.head(subject.spec, self.channels)
            if not isinstance(self.head, nn.Module):
                raise BrokenRuleError(
                    f"{subject.name}.head must give a torch module", found=described(self.head)
                )

    def forward(self, maps: list[Tensor]) -> Any:
        return self.head(maps[-1] if self.decoder is None else self._decoded(maps))

    def _decoded(self, maps: list[Tensor]) -> Tensor:
        assert self.decoder is not None
        features = self.decoder(maps)
        expected = (len(maps[0]), self.channels)
        if not isinstance(features, Tensor) or features.ndim != 4 or features.shape[:2] != expected:
            raise BrokenRuleError(
                f"{self.owner}.decoder must map a list of feature maps to one (n, C, h', w')",
                given=f"{len(maps)} maps of {expected[0]} rows",
                expected=f"({expected[0]}, {expected[1]}, h', w'), by its out_channels",
                found=described(features),
            )
        return features


def check_network(subject: Subject) -> None:
    """Shapes, one seed for one network, rows that stand alone."""
    for parts in usable_parts(subject):
        predicted(subject, parts.train(), len(subject.labels))
    _check_seed(subject)
    _check_rows(subject)
    _check_rows_in_training(subject)


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


def parts_of(subject: Subject) -> Parts:
    """Decoder and head, for the first kind of maps that the type can use."""
    return next(usable_parts(subject))


def usable_parts(subject: Subject) -> Iterator[Parts]:
    """Decoder and head for each kind of maps that the type can use, one at least."""
    reasons: list[str] = []
    for features in KINDS:
        rule = f"{subject.name}.decoder and .head must build the network for a backbone's maps"
        do = "raise a UsmtError with the reason where a type cannot use such maps"
        try:
            with keeping(rule, given=str(features), do=do):
                parts = Parts(subject, features)
        except BrokenRuleError as error:
            if not isinstance(error.__cause__, UsmtError):
                raise
            reasons.append(f"{features}: {error.__cause__}")
            continue
        yield parts
    if len(reasons) == len(KINDS):
        raise BrokenRuleError(
            f"{subject.name}.decoder and .head must take some backbone's maps",
            found="\n" + "\n".join(reasons),
        )


def predicted(subject: Subject, parts: Parts, rows: int) -> Any:
    """What the head says of random maps, in the form that it must have."""
    rule = f"{subject.name}.head must give a tensor, or a dict of tensors, with a row for each row"
    with keeping(
        rule,
        given=f"{rows} rows of {parts.features}, for an input of {INPUT}",
        do="a head must work with one row too, and with maps of any height and width",
    ):
        prediction = parts(random_maps(parts.features, rows))
    leaves = tree_leaves(prediction)
    for leaf in leaves or [prediction]:
        if not isinstance(leaf, Tensor) or leaf.shape[:1] != (rows,):
            raise BrokenRuleError(
                rule, given=f"{rows} rows", expected=f"({rows}, ...)", found=described(leaf)
            )
    return prediction


def _channels(subject: Subject, decoder: Any, features: Features) -> int:
    if decoder is None:
        return features.channels[-1]
    channels = getattr(decoder, "out_channels", None)
    if not isinstance(decoder, nn.Module) or not isinstance(channels, int):
        raise BrokenRuleError(
            f"{subject.name}.decoder must give None, or a module with `out_channels: int`",
            found=f"{described(decoder)}, of which out_channels is {described(channels)}",
            do="set self.out_channels in the decoder: heads are built for it",
        )
    return channels


def _check_seed(subject: Subject) -> None:
    """Each network is a new one; one seed gives one network, and one pass one prediction."""
    first, second = (parts_of(subject).eval() for _ in range(2))
    own = {id(parameter) for parameter in first.parameters()}
    if any(id(parameter) in own for parameter in second.parameters()):
        raise BrokenRuleError(
            f"{subject.name}.decoder and .head must give new modules each time",
            found="two networks that share parameters",
            do="build them in `decoder` and `head`, and keep none in the type",
        )
    maps = random_maps(first.features, len(subject.labels))
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


def _check_rows(subject: Subject) -> None:
    """A row's prediction is what it is without the other rows."""
    rows, parts = len(subject.labels), parts_of(subject).eval()
    maps = random_maps(parts.features, rows)
    with torch.no_grad():
        prediction = parts(maps)
        for row in range(rows):
            only = slice(row, row + 1)
            with keeping(f"{subject.name}.head must work with one row too"):
                alone = parts([one[only] for one in maps])
            together = tree_map(lambda tensor, only=only: tensor[only], prediction)
            if not _alike(alone, together):
                raise BrokenRuleError(
                    f"{subject.name}: a row's prediction must not depend on the other rows",
                    found=f"row {row} is predicted otherwise alone than among {rows} rows",
                    do="normalise within a row, never over the batch",
                )


def _check_rows_in_training(subject: Subject) -> None:
    """Nor may it in training, where a batch holds few rows of a task, and others in each process.
    The same seed before each pass: what dropout leaves out is the same."""
    rows = max(2, len(subject.labels))
    first = []
    for others in (1.0, 3.0):
        parts = parts_of(subject).train()
        maps = random_maps(parts.features, rows)
        for one in maps:
            one[1:] = others * one[1:] + (others - 1)
        with fixed_seed(1), torch.no_grad():
            first.append(tree_map(lambda tensor: tensor[:1], parts(maps)))
    if not _alike(*first):
        guilty = [
            f"{name}, a {type(module).__name__}"
            for name, module in parts.named_modules()
            if isinstance(module, _BatchNorm)
        ]
        raise BrokenRuleError(
            f"{subject.name}: a row's prediction must not depend on the other rows, in training "
            "neither",
            given="one row beside others, in train mode",
            found="a prediction that changes with the others"
            + (f"; there is {'; '.join(guilty)}" if guilty else ""),
            do="take nn.GroupNorm in place of batch normalisation; normalise within a row",
        )
    predicted(subject, parts, 1)


def _alike(one: Any, other: Any) -> bool:
    pairs = zip(tree_leaves(one), tree_leaves(other), strict=True)
    return all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)
