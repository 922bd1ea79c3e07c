"""The network: one backbone for all tasks, a decoder a task type, a head a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from usmt.model.backbone import Backbone
from usmt.model.blocks import checkpoint_blocks, mix_experts
from usmt.model.moe import MoE, TaskConditionedMoE, TaskConditioning
from usmt.model.routing import RoutingRecorder, RoutingReport
from usmt.plugin_faults import blamed, fault
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.task_type_calls import asking


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """Trainable parameters of a group: all, and the most that one image can use."""

    total: int
    active: int


class Network(nn.Module):
    """Images of many tasks -> one prediction a task.

    The backbone runs once on all rows, the decoder of a type once on all rows of its tasks, a
    head on its own rows only: the cost of an image does not grow with the number of tasks.

    Args:
        tasks: in the order that the task index counts them.
        backbone: becomes part of the network; its blocks are changed in place.
        moe: None for a dense network.

    Raises:
        ConfigError: the MoE does not fit the backbone or itself.
        PluginError: a task type's decoder or head is not what it must be.

    Attributes:
        task_ids: T task ids; a row's task index is a position in it.
        moe: with the number of its blocks; None without MoE.
        task_embedding: e_t; None without MoE.
        routing: what `record_routing` recorded; None without MoE, or if it never did. With several
            processes, `merge` the others' `state()` into it before the report.
    """

    def __init__(
        self, tasks: Sequence[tuple[TaskSpec, TaskType]], backbone: Backbone, moe: MoE | None
    ) -> None:
        super().__init__()
        if moe is not None:
            moe = moe.fitted(len(backbone.blocks))
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
            mix_experts(backbone, moe, self.conditioning)
        if backbone.checkpointing:
            modules = [block.module for block in backbone.blocks]
            checkpoint_blocks(modules, self.conditioning)

        self._tasks = tuple(tasks)
        types = {task_type.name: task_type for _, task_type in tasks}
        self._members = {
            name: [i for i, (_, of) in enumerate(tasks) if of.name == name] for name in types
        }
        decoders = {name: _decoder(of, backbone) for name, of in types.items()}
        self.decoders = nn.ModuleDict(
            {_key(name): decoder for name, decoder in decoders.items() if decoder is not None}
        )
        self.heads = nn.ModuleDict(
            {_key(spec.id): _head(of, spec, decoders[of.name], backbone) for spec, of in tasks}
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
                    spec, of = self._tasks[task]
                    with asking(of, spec, "head"):
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
        if key not in self.decoders:
            return maps[-1]
        spec, of = self._tasks[self._members[type_name][0]]
        with asking(of, spec, "decoder"):
            features: Tensor = self.decoders[key](maps)
        return features

    # -- the mixture of experts

    @property
    def moe_blocks(self) -> list[TaskConditionedMoE]:
        """Shallow to deep; empty without MoE."""
        found = [m for m in self.backbone.modules() if isinstance(m, TaskConditionedMoE)]
        return sorted(found, key=lambda moe: moe.block)

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

    @property
    def added_parameters(self) -> int:
        """How many more the mixture of experts makes: all of its own, less those of the Mlps that
        it replaces. 0 without MoE."""
        if self.task_embedding is None:
            return 0
        return self.task_embedding.weight.numel() + sum(
            sum(one.numel() for one in block.parameters()) - block.replaced
            for block in self.moe_blocks
        )

    def _active_experts(self) -> int:
        if self.moe is None:
            return 0
        used = self.moe.top_k or self.moe.experts
        return self.moe.task_width + sum(
            _trainable(block.router) + used * _trainable(block.experts[0])
            for block in self.moe_blocks
        )


def _key(name: str) -> str:
    """A task or task type may be called `keys` or `train`, which a ModuleDict cannot hold."""
    return f"of_{name}"


def _decoder(task_type: TaskType, backbone: Backbone) -> nn.Module | None:
    """Raises PluginError where a task type's decoder cannot be made, or tells no channels."""
    with blamed(f"decoder() of the task type {task_type.name}", task_type.decoder):
        decoder = task_type.decoder(backbone.features)
    if decoder is not None and not isinstance(getattr(decoder, "out_channels", None), int):
        raise fault(
            f"decoder() of the task type {task_type.name} gave a {type(decoder).__name__}, "
            "expected None or an nn.Module with out_channels, a whole number",
            task_type.decoder,
        )
    return decoder


def _head(
    task_type: TaskType, spec: TaskSpec, decoder: nn.Module | None, backbone: Backbone
) -> nn.Module:
    """Raises PluginError where a task's head cannot be made."""
    channels: Any = backbone.features.channels[-1] if decoder is None else decoder.out_channels
    with asking(task_type, spec, "head"):
        head = task_type.head(spec, channels)
    if not isinstance(head, nn.Module):
        raise fault(
            f"task {spec.id}: head() of the task type {task_type.name} gave a "
            f"{type(head).__name__}, expected an nn.Module",
            task_type.head,
        )
    return head


def _rows(maps: Tensor, rows: Tensor) -> Tensor:
    """Some rows (ascending, on the CPU) of (B, ...); the maps themselves if that is all of them."""
    return maps if len(rows) == len(maps) else maps[rows.to(maps.device, non_blocking=True)]


def _trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
