"""One optimizer step: forward, loss, backward, update. Every process runs it on its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from usmt import task_type_calls
from usmt.data.collection import TaskData
from usmt.data.loader import Batch
from usmt.model.network import Network

OVERFLOW = "the gradient overflowed, and its scale is lowered"


@dataclass(frozen=True, slots=True)
class Learner:
    """What a step needs.

    Attributes:
        network: the network itself.
        model: the same, as the accelerator wraps it (for several processes).
        weights: lambda_t by task.
        balance_weight: weight of the MoE's load-balance loss.
        clip: largest norm of the gradient, or None.
    """

    network: Network
    model: nn.Module
    optimizer: AcceleratedOptimizer
    accelerator: Accelerator
    tasks: Mapping[str, TaskData]
    weights: Mapping[str, float]
    balance_weight: float
    clip: float | None


@dataclass(slots=True)
class StepReport:
    """What a step did in this process.

    Attributes:
        sums: by task, the sum of its rows' losses.
        counts: by task, its rows.
        bad: (task, key) of rows whose loss is not finite.
        skipped: why the update was left out, or None.
    """

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    bad: list[tuple[str, str]] = field(default_factory=list)
    skipped: str | None = None


def train_step(learner: Learner, pieces: Sequence[Batch], counts: Mapping[str, int]) -> StepReport:
    """Minimises L = sum_t lambda_t L_t, L_t the mean over the batch's rows of task t.

    Args:
        pieces: this process's rows of the batch, cut into pieces to save memory.
        counts: rows by task in the whole batch, all pieces and processes. Dividing by these makes
            the gradient independent of how the batch was cut.
    """
    accelerator, report = learner.accelerator, StepReport()
    learner.optimizer.zero_grad(set_to_none=True)
    for number, batch in enumerate(pieces):
        last = number == len(pieces) - 1
        with nullcontext() if last else accelerator.no_sync(learner.model):
            images = learner.network.normalise(batch.images.to(accelerator.device))
            outputs = learner.model(images, batch.task_index.tolist())
            losses = row_losses(learner, outputs, batch)
            _note(report, losses, batch)
            if _anywhere(accelerator, bool(report.bad)):
                if last and accelerator.num_processes > 1:
                    # The wrapper waits for a backward pass after each forward pass that is to be
                    # synchronised; what it leaves is thrown away.
                    accelerator.backward(sum(rows.sum() for rows in losses.values()))
                learner.optimizer.zero_grad(set_to_none=True)
                report.skipped = "the loss is not finite"
                return report
            total = sum(
                (learner.weights.get(task, 1.0) / counts[task]) * rows.sum()
                for task, rows in losses.items()
            )
            if learner.balance_weight:
                share = 1 / (len(pieces) * accelerator.num_processes)
                total = total + share * learner.balance_weight * learner.network.balance_loss()
            # Gradients are averaged over the processes; the loss above is to be summed.
            accelerator.backward(total * accelerator.num_processes)
    norm = accelerator.clip_grad_norm_(
        learner.network.parameters(), learner.clip if learner.clip is not None else float("inf")
    )
    if accelerator.scaler is None and not torch.isfinite(norm):
        learner.optimizer.zero_grad(set_to_none=True)
        report.skipped = "the gradient is not finite"
        return report
    learner.optimizer.step()
    if learner.optimizer.step_was_skipped:
        report.skipped = OVERFLOW
    return report


def row_losses(learner: Learner, outputs: Mapping[str, object], batch: Batch) -> dict[str, Tensor]:
    """By task, one loss a row (n,), float32. Raises PluginError."""
    device = learner.accelerator.device
    losses = {}
    for task, target in batch.targets.items():
        data = learner.tasks[task]
        moved = {name: tensor.to(device) for name, tensor in target.items()}
        rows = len(batch.rows[task])
        losses[task] = task_type_calls.losses(data.type, data.spec, outputs[task], moved, rows)
    return losses


def _note(report: StepReport, losses: Mapping[str, Tensor], batch: Batch) -> None:
    for task, rows in losses.items():
        values = rows.detach().cpu()
        report.sums[task] = report.sums.get(task, 0.0) + float(values.sum())
        report.counts[task] = report.counts.get(task, 0) + len(values)
        for row, value in zip(batch.rows[task], values, strict=True):
            if not torch.isfinite(value):
                report.bad.append((task, batch.samples[row].key))


def _anywhere(accelerator: Accelerator, flag: bool) -> bool:
    """True in every process if it is true in one."""
    if accelerator.num_processes == 1:
        return flag
    count = torch.tensor(float(flag), device=accelerator.device)
    return bool(accelerator.reduce(count, "sum") > 0)
