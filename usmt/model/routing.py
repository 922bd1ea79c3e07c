"""How the MoE routes: sums over many passes, and the report that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True, eq=False)
class RoutingReport:
    """Where the MoE sends which task; NaN for tasks that had no images.

    Attributes:
        tasks: T task ids.
        blocks: L numbers of the MoE blocks, the backbone's first block being 1.
        images: (T,) images seen.
        share: (L, T, E) mean gate of each expert over a task's tokens; sums to 1 over experts.
        entropy: (L, T) mean entropy of the router's softmax over all experts, over log E: 0 for a
            router that is certain, 1 for an even one.
        assigned: (L, T, E) share of the (token, choice) pairs, for sparse routing, else None.
    """

    tasks: tuple[str, ...]
    blocks: tuple[int, ...]
    images: np.ndarray
    share: np.ndarray
    entropy: np.ndarray
    assigned: np.ndarray | None = None

    def dead_experts(self, threshold: float = 0.1) -> list[str]:
        """Experts (`expert 3 of block 8`, both counted from 1) whose share is below threshold / E
        in every task that was seen."""
        seen = self.images > 0
        if not seen.any():
            return []
        dead = (self.share[:, seen] < threshold / self.share.shape[-1]).all(axis=1)
        return [f"expert {e + 1} of block {self.blocks[b]}" for b, e in np.argwhere(dead)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: tables by block name (`block 8`), rows by task; null for tasks not seen."""
        names = [f"block {number}" for number in self.blocks]
        tables = {"share": self.share, "entropy": self.entropy, "assigned": self.assigned}
        return {
            "tasks": list(self.tasks),
            "images": self.images.astype(int).tolist(),
            "blocks": names,
            **{
                key: dict(zip(names, (_plain(block) for block in table), strict=True))
                for key, table in tables.items()
                if table is not None
            },
        }


class RoutingRecorder:
    """Adds up the routing of many passes, on the device and without waiting for it.

    Args:
        tasks: T task ids, by position in the task index.
        blocks: numbers of the L MoE blocks.
        experts: E.
        sparse: whether tokens choose k of the experts.
    """

    def __init__(
        self, tasks: Sequence[str], blocks: Sequence[int], experts: int, *, sparse: bool
    ) -> None:
        self.tasks, self.blocks = tuple(tasks), tuple(blocks)
        self.experts, self.sparse = experts, sparse
        self._sums: dict[str, Tensor] = {}

    # Scoring runs in inference mode; the sums outlive it.
    @torch.inference_mode(False)
    @torch.no_grad()
    def record(
        self, block: int, tasks: Tensor, gates: Tensor, logits: Tensor, chosen: Tensor | None
    ) -> None:
        """One pass of one block.

        Args:
            tasks: (B,) position of each row's task.
            gates: as applied, (B, N, E), or (B, N, k) of the chosen experts.
            logits: (B, N, E).
            chosen: (B, N, k), or None for dense routing.
        """
        probability = logits.softmax(-1)
        entropy = torch.special.entr(probability).sum(-1).mean(-1, keepdim=True)
        rows = {"images": torch.ones_like(entropy), "entropy": entropy}
        if chosen is None:
            rows["share"] = gates.mean(1)
        else:
            spread = torch.zeros_like(logits)
            rows["share"] = spread.scatter(-1, chosen, gates.to(spread.dtype)).mean(1)
            rows["assigned"] = spread.scatter(-1, chosen, 1 / chosen.shape[-1]).mean(1)
        owner = F.one_hot(tasks, len(self.tasks)).double().T
        place = self.blocks.index(block)
        for name, values in rows.items():
            self._sum(name, values)[place] += owner @ values.double()

    def _sum(self, name: str, like: Tensor) -> Tensor:
        if name not in self._sums:
            shape = (len(self.blocks), len(self.tasks), like.shape[-1])
            self._sums[name] = torch.zeros(shape, dtype=torch.float64, device=like.device)
        return self._sums[name]

    def state(self) -> dict[str, Tensor]:
        """The sums by name, on the CPU; those of several processes can be added."""
        return {name: total.cpu() for name, total in self._sums.items()}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Adds another process's sums."""
        for name, total in state.items():
            self._sum(name, total).add_(total.to(self._sum(name, total).device))

    def report(self) -> RoutingReport:
        """Means over all images so far."""
        state = {name: total.numpy() for name, total in self.state().items()}
        L, T, E = len(self.blocks), len(self.tasks), self.experts
        images = state.get("images", np.zeros((L, T, 1)))
        with np.errstate(invalid="ignore"):
            mean = {name: total / images for name, total in state.items()}
        return RoutingReport(
            self.tasks,
            self.blocks,
            images[0, :, 0],
            mean.get("share", np.full((L, T, E), np.nan)),
            mean.get("entropy", np.full((L, T, 1), np.nan))[..., 0] / np.log(max(2, E)),
            mean.get("assigned", np.full((L, T, E), np.nan)) if self.sparse else None,
        )


def _plain(table: np.ndarray) -> list[Any]:
    """Nested lists with None for NaN, which JSON does not have."""
    plain = table.astype(object)
    plain[np.isnan(table)] = None
    return plain.tolist()
