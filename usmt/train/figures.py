"""Pictures of a run: how loss and scores went, and where the MoE sends which task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure


def draw_curves(
    path: Path, entries: Sequence[Mapping[str, Any]], primary: Mapping[str, str]
) -> None:
    """Loss by task, and each task's main metric with the selection score, over epochs.

    Args:
        entries: lines of metrics.jsonl.
        primary: the main metric's name by task.
    """
    epochs = [entry["epoch"] + 1 for entry in entries]
    columns = min(4, len(primary))
    lines = -(-len(primary) // columns)
    figure = Figure(figsize=(10, 3.2 + 2.0 * lines), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[3.0, 2.0 * lines], squeeze=False)[:, 0]
    loss_axis, selection_axis = top.subplots(1, 2)
    for task in primary:
        loss_axis.plot(epochs, [_number(e["loss"].get(task)) for e in entries], label=task)
    loss_axis.set(title="training loss", xlabel="epoch")
    loss_axis.legend(fontsize=6)
    selection_axis.plot(epochs, [_number(e["selection"]) for e in entries], color="black")
    selection_axis.set(title="validation: selection score", xlabel="epoch")
    axes = bottom.subplots(lines, columns, squeeze=False).ravel()
    for axis, (task, metric) in zip(axes, primary.items(), strict=False):
        axis.plot(epochs, [_number(e["scores"].get(task, {}).get(metric)) for e in entries])
        axis.set_title(f"{task}: {metric}", fontsize=8)
        axis.tick_params(labelsize=6)
    for axis in axes[len(primary) :]:
        axis.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_routing(path: Path, routing: Mapping[str, Any]) -> None:
    """A heat map a MoE block: the share of each expert (columns) in each task's tokens (rows).

    Args:
        routing: what `RoutingReport.as_dict` gives.
    """
    blocks, tasks = list(routing["blocks"]), list(routing["tasks"])
    figure = Figure(
        figsize=(2.0 + 1.7 * len(blocks), 1.2 + 0.25 * len(tasks)), layout="constrained"
    )
    axes = figure.subplots(1, len(blocks), squeeze=False)[0]
    picture = None
    for axis, block in zip(axes, blocks, strict=True):
        shares = np.array(
            [[_number(x) for x in row] for row in routing["share"][block]], dtype=float
        )
        picture = axis.imshow(shares, vmin=0, vmax=max(1e-9, np.nanmax(shares)), aspect="auto")
        axis.set_title(block, fontsize=8)
        axis.set_xlabel("expert", fontsize=7)
        axis.set_xticks(range(shares.shape[1]), range(1, shares.shape[1] + 1))
        axis.set_yticks(range(len(tasks)), tasks if axis is axes[0] else [""] * len(tasks))
        axis.tick_params(labelsize=6)
    if picture is not None:
        figure.colorbar(picture, ax=axes, label="share of the gate", shrink=0.8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
