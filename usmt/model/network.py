"""The network: one backbone for all tasks, a decoder a task type, a head a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from usmt.errors import ConfigError
from usmt.model.backbone import Backbone
from usmt.model.blocks import checkpoint_blocks, put_experts
from usmt.model.moe import TaskConditionedMoE, TaskConditioning
from usmt.model.routing import RoutingRecorder, RoutingReport
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType


@dataclass(frozen=True, slots=True)
class MoE:
    """How the mixture of experts is made. Only `blocks` is published (arXiv 2603.18123).

    Attributes:
        experts: E.
        blocks: how many of the last blocks have it.
        top_k: experts a token; None means all of them, as published.
        task_width: width of the task embedding.
        hidden_ratio: width of an expert's hidden layer over the tokens' width; None keeps the
            pretrained Mlp's, which the experts are then copies of, and is 4 where a block has none.
    """

    experts: int = 4
    blocks: int = 6
    top_k: int | None = None
    task_width: int = 64
    hidden_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """Trainable parameters of a group: all, and the most that one image can use."""

    total: int
    active: int


def build_network(
    tasks: Sequence[tuple[TaskSpec, TaskType]], backbone: Backbone, *, moe: MoE | None
) -> Network:
    """The network for some tasks.

    Args:
        tasks: in the order that the task index counts them.
        backbone: becomes part of the network; its blocks are changed in place.
        moe: None for a dense network.

    Raises:
        ConfigError: the MoE does not fit the backbone or itself.
    """
    if moe is not None:
        _check(moe, len(backbone.blocks))
    return Network(tasks, backbone, moe)


class Network(nn.Module):
    """Images of many tasks -> one prediction a task.

    The backbone runs once on all rows, the decoder of a type once on all rows of its tasks, a
    head on its own rows only: the cost of an image does not grow with the number of tasks.

    Attributes:
        task_ids: T task ids; a row's task index is a position in it.
        task_embedding: e_t; None without MoE.
        routing: what `record_routing` recorded; None without MoE, or if it never did. With several
            processes, `merge` the others' `state()` into it before the report.
    """

    def __init__(
        self, tasks: Sequence[tuple[TaskSpec, TaskType]], backbone: Backbone, moe: MoE | None
    ) -> None:
        super().__init__()
        self.task_ids = tuple(spec.id for spec, _ in tasks)
        if not tasks or len(set(self.task_ids)) < len(tasks):
            raise ValueError(f"a network needs tasks with ids of their own, not {self.task_ids}")
        self.backbone = backbone
        self.moe = moe
        self.conditioning = TaskConditioning()
        self.routing: RoutingRecorder | None = None
        self.task_embedding: nn.Embedding | None = None
        if moe is not None:
            self.task_embedding = nn.Embedding(len(tasks), moe.task_width)
            _mix_experts(backbone, moe, self.conditioning)
        if backbone.checkpointing:
            modules = [block.module for block in backbone.blocks]
            checkpoint_blocks(modules, self.conditioning)

        types = {task_type.name: task_type for _, task_type in tasks}
        self._members = {
            name: [i for i, (_, of) in enumerate(tasks) if of.name == name] for name in types
        }
        decoders = {name: task_type.decoder(backbone.features) for name, task_type in types.items()}
        self.decoders = nn.ModuleDict(
            {_key(name): decoder for name, decoder in decoders.items() if decoder is not None}
        )
        self.heads = nn.ModuleDict(
            {
                _key(spec.id): of.head(spec, _channels(decoders[of.name], backbone))
                for spec, of in tasks
            }
        )

    def normalise(self, images: Tensor) -> Tensor:
        """RGB (B, 3, H, W), values 0 to 255 -> as the backbone's weights expect them, float."""
        shape = (1, 3, 1, 1)
        mean = torch.tensor(self.backbone.mean, device=images.device).view(shape)
        std = torch.tensor(self.backbone.std, device=images.device).view(shape)
        return (images.float() / 255 - mean) / std

    def forward(self, images: Tensor, task_index: Tensor | Sequence[int]) -> dict[str, Any]:
        """Predictions by task id, for the tasks that have rows, each for its rows in their order.

        Args:
            images: normalised, (B, 3, H, W).
            task_index: (B,) the rows' tasks, best on the CPU (a list, say, which also stays there
                under DDP): the rows are told apart there, so that the device need not be waited
                for.
        """
        index = torch.as_tensor(task_index, dtype=torch.long, device="cpu")
        if index.shape != images.shape[:1] or not bool(
            ((index >= 0) & (index < len(self.task_ids))).all()
        ):
            raise ValueError(
                f"task_index must give {len(images)} rows a task from 0 to {len(self.task_ids) - 1}"
            )
        maps = self._features(images, index.to(images.device, non_blocking=True))
        predictions: dict[str, Any] = {}
        for type_name, members in self._members.items():
            mine = torch.isin(index, torch.tensor(members)).nonzero().flatten()
            if not len(mine):
                continue
            features = self._decode(type_name, [_rows(one, mine) for one in maps])
            for task in members:
                rows = (index[mine] == task).nonzero().flatten()
                if len(rows):
                    name = self.task_ids[task]
                    predictions[name] = self.heads[_key(name)](_rows(features, rows))
        return predictions

    def _features(self, images: Tensor, index: Tensor) -> list[Tensor]:
        maps: list[Tensor]
        if self.task_embedding is None:
            maps = self.backbone(images)
        else:
            with self.conditioning.during(self.task_embedding(index), index):
                maps = self.backbone(images)
        return maps

    def _decode(self, type_name: str, maps: list[Tensor]) -> Tensor:
        """(n, C, h', w'): of the type's decoder, or the last map where it has none."""
        key = _key(type_name)
        features: Tensor = self.decoders[key](maps) if key in self.decoders else maps[-1]
        return features

    # -- the mixture of experts

    @property
    def moe_blocks(self) -> list[TaskConditionedMoE]:
        """Shallow to deep; empty without MoE."""
        return [m for m in self.backbone.modules() if isinstance(m, TaskConditionedMoE)]

    def balance_loss(self) -> Tensor:
        """The load-balance loss of the latest pass, not weighted: mean over the MoE blocks, with
        gradient, 1 for even use. A constant 0 without MoE."""
        if self.moe is None:
            return torch.zeros((), device=next(self.parameters()).device)
        losses, self.conditioning.balance = self.conditioning.balance, []
        if not losses:
            raise RuntimeError("balance_loss needs a pass of the network before it, once each")
        return torch.stack(losses).mean()

    def record_routing(self, on: bool) -> None:
        """Starts to record afresh how each pass routes, or stops. Without MoE, nothing."""
        if self.moe is None:
            return
        self.conditioning.recorder = None
        if on:
            blocks = [block.block for block in self.moe_blocks]
            self.routing = self.conditioning.recorder = RoutingRecorder(
                self.task_ids, blocks, self.moe.experts, sparse=self.moe.top_k is not None
            )

    def routing_report(self) -> RoutingReport | None:
        """Means over what was recorded; None without MoE, or if nothing was."""
        return None if self.routing is None else self.routing.report()

    # -- parameters

    def parameter_groups(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        """Every trainable parameter, named, in exactly one of the groups backbone, moe (experts,
        routers, task embedding), decoder and head."""
        groups: dict[str, list[tuple[str, nn.Parameter]]] = {
            "backbone": [],
            "moe": [],
            "decoder": [],
            "head": [],
        }
        mixed = {id(p) for block in self.moe_blocks for p in block.parameters()}
        rooms = {"backbone": "backbone", "decoders": "decoder", "heads": "head"}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                room = rooms.get(name.split(".")[0], "moe")
                groups["moe" if id(parameter) in mixed else room].append((name, parameter))
        return groups

    def parameter_counts(self) -> dict[str, ParameterCount]:
        """By group. One image uses the whole backbone, one row of the task embedding, the routers,
        k of E experts, one decoder and one head."""
        totals = {
            group: sum(parameter.numel() for _, parameter in named)
            for group, named in self.parameter_groups().items()
        }
        active = {
            "backbone": totals["backbone"],
            "moe": self._active_experts(),
            "decoder": max(map(_trainable, self.decoders.values()), default=0),
            "head": max(map(_trainable, self.heads.values())),
        }
        return {group: ParameterCount(totals[group], active[group]) for group in totals}

    def _active_experts(self) -> int:
        if self.moe is None:
            return 0
        used = self.moe.top_k or self.moe.experts
        return self.moe.task_width + sum(
            _trainable(block.router) + used * _trainable(block.experts[0])
            for block in self.moe_blocks
        )


def _mix_experts(backbone: Backbone, moe: MoE, conditioning: TaskConditioning) -> None:
    """Puts a MoE in the place of the Mlp of the last blocks, or behind those that have none."""
    depth = len(backbone.blocks)
    for number in range(depth - moe.blocks, depth):
        put_experts(
            backbone.blocks[number],
            conditioning,
            task_width=moe.task_width,
            experts=moe.experts,
            top_k=moe.top_k,
            number=number + 1,
            hidden_ratio=moe.hidden_ratio,
        )


def _check(moe: MoE, depth: int) -> None:
    if not 1 <= moe.blocks <= depth:
        raise ConfigError(
            f"moe.blocks is {moe.blocks}, but the backbone has {depth} blocks",
            hint=f"Set it to 1 to {depth}: it counts the last ones",
        )
    if moe.experts < 1:
        raise ConfigError(f"moe.experts is {moe.experts}, expected 1 or more")
    if moe.top_k is not None and not 1 <= moe.top_k <= moe.experts:
        raise ConfigError(
            f"moe.top_k is {moe.top_k}, expected 1 to {moe.experts} (the number of experts)",
            hint="top_k: null uses all experts for every token, as published",
        )


def _key(name: str) -> str:
    """A task or task type may be called `keys` or `train`, which a ModuleDict cannot hold."""
    return f"of_{name}"


def _channels(decoder: nn.Module | None, backbone: Backbone) -> int:
    """Of what the heads of a type read."""
    if decoder is None:
        return backbone.features.channels[-1]
    channels: Any = decoder.out_channels
    return int(channels)


def _rows(maps: Tensor, rows: Tensor) -> Tensor:
    """Some rows (ascending, on the CPU) of (B, ...); the maps themselves if that is all of them."""
    return maps if len(rows) == len(maps) else maps[rows.to(maps.device, non_blocking=True)]


def _trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
