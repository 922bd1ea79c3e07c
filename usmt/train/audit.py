"""What a run is about to do, said before it does it, and what must be true for it to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from usmt.data.sampler import MixingSampler
from usmt.errors import TrainingError
from usmt.model.network import Network


@dataclass(frozen=True, slots=True)
class GroupAudit:
    """A parameter group: its name, rate, number of tensors and of parameters."""

    group: str
    learning_rate: float
    tensors: int
    parameters: int


@dataclass(frozen=True, slots=True)
class TaskAudit:
    """A task's share in training.

    Attributes:
        images: training images.
        drawn: images drawn an epoch.
        unseen: training images that are never drawn, in all epochs.
        steps: steps an epoch that hold at least one of them.
        weight: effective weight: the share of the summed loss that an equal loss in every task
            would give this one, over an epoch.
    """

    task: str
    type: str
    images: int
    drawn: int
    unseen: int
    steps: int
    weight: float


@dataclass(frozen=True, slots=True)
class Audit:
    """What a run is about to do.

    Attributes:
        frozen: parameters that are not trained.
        added: parameters that the network has more than it would have without its mixture of
            experts.
        steps: optimizer steps an epoch.
        epochs_to_see_all: epochs until every training image was drawn.
    """

    groups: Sequence[GroupAudit]
    tasks: Sequence[TaskAudit]
    frozen: int
    added: int
    steps: int
    epochs: int
    epochs_to_see_all: int


def audit(
    network: Network,
    optimizer: torch.optim.Optimizer,
    sampler: MixingSampler,
    types: Mapping[str, str],
    task_weights: Mapping[str, float],
    epochs: int,
) -> Audit:
    """Checks that every trainable parameter is in exactly one optimizer group, and counts.

    Args:
        types: task type by task id.
        task_weights: lambda_t by task id; 1 where not given.
        epochs: of the whole run.

    Raises:
        TrainingError: naming parameters that are in no group, or in two.
    """
    check_parameters(network, optimizer)
    groups = [
        GroupAudit(
            str(group["name"]),
            float(group["base_lr"]),
            len(group["params"]),
            sum(parameter.numel() for parameter in group["params"]),
        )
        for group in optimizer.param_groups
    ]
    tasks = _audit_tasks(sampler, types, task_weights, epochs)
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    return Audit(
        groups,
        tasks,
        frozen,
        network.added_parameters,
        sampler.steps,
        epochs,
        sampler.epochs_to_see_all,
    )


def check_parameters(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raises TrainingError unless the optimizer trains each trainable parameter exactly once."""
    seen: dict[int, int] = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            seen[id(parameter)] = seen.get(id(parameter), 0) + 1
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    missing = [n for n, p in network.named_parameters() if p.requires_grad and id(p) not in seen]
    twice = [names.get(key, "a parameter of no module") for key, count in seen.items() if count > 1]
    foreign = sum(key not in names for key in seen)
    if missing or twice or foreign:
        raise TrainingError(
            "the optimizer does not train the network's parameters exactly once each: "
            f"{len(missing)} in no group ({', '.join(missing[:5])}), "
            f"{len(twice)} in two ({', '.join(twice[:5])}), {foreign} not of this network",
            hint="Every module must be reachable from Network.parameter_groups()",
        )


def _audit_tasks(
    sampler: MixingSampler,
    types: Mapping[str, str],
    task_weights: Mapping[str, float],
    epochs: int,
) -> list[TaskAudit]:
    unseen = sampler.unseen(epochs)
    steps = dict.fromkeys(sampler.sizes, 0)
    for batch in sampler.preview():
        for task in {draw.task for draw in batch}:
            steps[task] += 1
    weighed = {task: steps[task] * task_weights.get(task, 1.0) for task in steps}
    total = sum(weighed.values()) or 1.0
    return [
        TaskAudit(
            task=task,
            type=types[task],
            images=size,
            drawn=sampler.quotas[task],
            unseen=unseen[task],
            steps=steps[task],
            weight=weighed[task] / total,
        )
        for task, size in sampler.sizes.items()
    ]
