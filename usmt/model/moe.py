"""The task-conditioned mixture of experts (paper, 2.2) and its sparse form.

    g(h, e_t) = softmax(W_g [h; e_t])        h' = sum_i g_i(h, e_t) E_i(h)

h is a token, e_t the embedding of its image's task. Dense: over all experts, as published.
Sparse, beyond the paper: over the k experts with the largest logits, softmax over those k.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from timm.layers import Mlp
from torch import Tensor, nn
from torch.nn import functional as F

from usmt.errors import ConfigError
from usmt.model.routing import RoutingRecorder

ROUTER_STD = 0.02

PUBLISHED_BLOCKS = 6
"""The last six of a ViT-B's twelve (paper, 2.2)."""


@dataclass(frozen=True, slots=True)
class MoE:
    """How the mixture of experts is made. Only `blocks` is published (arXiv 2603.18123).

    Attributes:
        experts: E.
        blocks: how many of the last blocks have it; None means six, as published, or all of them
            where there are fewer.
        top_k: experts a token; None means all of them, as published.
        task_width: width of the task embedding.
        hidden_ratio: width of an expert's hidden layer over the tokens' width; None keeps the
            pretrained Mlp's, which the experts are then copies of; where a block has none, it goes
            by the block's size (`hidden_ratio_behind`).
    """

    experts: int = 4
    blocks: int | None = None
    top_k: int | None = None
    task_width: int = 64
    hidden_ratio: float | None = None

    def fitted(self, depth: int) -> MoE:
        """With the number of blocks in figures, for a backbone that has `depth` of them.

        Raises ConfigError where it does not fit the backbone or itself.
        """
        if depth == 0:
            raise ConfigError(
                "the backbone names no blocks where a mixture of experts can stand",
                hint="Set moe.enabled to `off`, or choose another backbone",
            )
        blocks = min(PUBLISHED_BLOCKS, depth) if self.blocks is None else self.blocks
        if not 1 <= blocks <= depth:
            raise ConfigError(
                f"moe.blocks is {blocks}, but the backbone has {depth} blocks",
                hint=f"Set it to 1 to {depth}: it counts the last ones",
            )
        if self.experts < 1:
            raise ConfigError(f"moe.experts is {self.experts}, expected 1 or more")
        if self.top_k is not None and not 1 <= self.top_k <= self.experts:
            raise ConfigError(
                f"moe.top_k is {self.top_k}, expected 1 to {self.experts} (the number of experts)",
                hint="top_k: null uses all experts for every token, as published",
            )
        return replace(self, blocks=blocks)


class TaskConditioning:
    """What the MoE blocks need of the current pass besides tokens, and what they leave behind.

    Blocks call `self.mlp(tokens)`: there is no way in for the task embedding. The network
    and its MoE blocks share one of these instead; the network fills it for the length of a pass.
    A process must not run two passes of one network at once (nn.DataParallel does; use one
    process a device).

    Attributes:
        balance: the balance loss of each MoE block in the latest pass, with gradient.
        recorder: notes the routing of every pass while it is set.
    """

    def __init__(self) -> None:
        self._current: tuple[Tensor, Tensor] | None = None
        self._replaying = False
        self.balance: list[Tensor] = []
        self.recorder: RoutingRecorder | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A copy (deepcopy, pickle) starts between passes: tensors with a graph cannot be copied.
        return TaskConditioning().__dict__

    @contextmanager
    def during(self, embedding: Tensor, tasks: Tensor) -> Iterator[None]:
        """Conditions one pass: embedding (B, d) and position (B,) of each row's task."""
        self.balance = []
        self._current = (embedding, tasks)
        try:
            yield
        finally:
            self._current = None

    @property
    def current(self) -> tuple[Tensor, Tensor]:
        """(embedding, tasks) of the pass. Raises RuntimeError outside one."""
        if self._current is None:
            raise RuntimeError(
                "a MoE block was called without a task: call the Network, with the rows' task "
                "index, not its backbone"
            )
        return self._current

    def note(self, balance: Tensor) -> None:
        if not self._replaying:
            self.balance.append(balance)

    def record(self, block: int, gates: Tensor, logits: Tensor, chosen: Tensor | None) -> None:
        if self.recorder is not None and not self._replaying:
            self.recorder.record(block, self.current[1], gates, logits, chosen)

    def replay(self) -> Replay:
        """For later: the pass that is current now."""
        return Replay(self, self._current)


class Replay:
    """While entered, activations of an earlier pass are computed once more: its tasks are current
    again, and nothing is noted a second time. May be entered repeatedly."""

    def __init__(self, conditioning: TaskConditioning, then: tuple[Tensor, Tensor] | None) -> None:
        self._conditioning, self._then = conditioning, then
        self._now: tuple[Tensor, Tensor] | None = None

    def __enter__(self) -> None:
        self._now = self._conditioning._current
        self._conditioning._current, self._conditioning._replaying = self._then, True

    def __exit__(self, *error: object) -> None:
        self._conditioning._current, self._conditioning._replaying = self._now, False


class TaskConditionedMoE(nn.Module):
    """Takes the place of a block's Mlp: tokens (B, N, D) -> (B, N, D).

    Args:
        mlp: the pretrained Mlp; every expert starts as a copy of it, so that the output equals
            the Mlp's until the experts have learned apart. None, with a `hidden_ratio`: they start
            at random.
        width: D.
        task_width: d of the task embedding.
        experts: E.
        top_k: experts a token; None means all (dense).
        block: number of the block, counted from 1, for the records.
        hidden_ratio: width of the experts' hidden layer over D. None keeps the Mlp's; with a
            number the experts start at random, and the output does not equal the Mlp's.

    Attributes:
        replaced: number of parameters of the Mlp in whose place it stands.
    """

    def __init__(
        self,
        mlp: nn.Module | None,
        conditioning: TaskConditioning,
        *,
        width: int,
        task_width: int,
        experts: int,
        top_k: int | None,
        block: int,
        hidden_ratio: float | None = None,
    ) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.top_k = top_k
        self.block = block
        self.replaced = 0 if mlp is None else sum(one.numel() for one in mlp.parameters())
        if hidden_ratio is not None:
            hidden = max(1, round(hidden_ratio * width))
            self.experts = nn.ModuleList(Mlp(width, hidden) for _ in range(experts))
        elif mlp is not None:
            self.experts = nn.ModuleList(deepcopy(mlp) for _ in range(experts))
        else:
            raise ValueError("experts that copy no Mlp need a hidden_ratio")
        self.router = nn.Linear(width + task_width, experts, bias=False)
        # Small, so that all experts are used at first; not zero, so that they learn apart.
        nn.init.normal_(self.router.weight, std=ROUTER_STD)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, ..., D) -> (B, ..., D). Raises RuntimeError outside a pass of the network."""
        embedding, _ = self.conditioning.current
        if len(tokens) != len(embedding):
            raise RuntimeError(f"{len(tokens)} rows of tokens for {len(embedding)} task embeddings")
        flat = tokens.flatten(1, -2)
        logits = self._logits(flat, embedding)
        if self.top_k is None:
            gates, chosen = logits.softmax(-1), None
            mixed = self._dense(flat, gates)
        else:
            strongest, chosen = logits.topk(self.top_k)
            gates = _chosen_gates(logits, strongest, chosen)
            mixed = self._sparse(flat, gates, chosen)
        self.conditioning.note(balance_loss(logits, chosen))
        self.conditioning.record(self.block, gates, logits, chosen)
        return mixed.view_as(tokens)

    def _logits(self, tokens: Tensor, embedding: Tensor) -> Tensor:
        """W_g [h; e_t], (B, N, E), in the router's own precision also under autocast: rounding
        would choose other experts. The two parts of W_g are applied apart, because e_t is the
        same for all tokens of a row."""
        weight = self.router.weight
        of_token, of_task = weight.split([tokens.shape[-1], embedding.shape[-1]], dim=1)
        with torch.autocast(tokens.device.type, enabled=False):
            by_task = F.linear(embedding.to(weight.dtype), of_task)
            return F.linear(tokens.to(weight.dtype), of_token) + by_task[:, None]

    def _dense(self, tokens: Tensor, gates: Tensor) -> Tensor:
        outputs = [expert(tokens) for expert in self.experts]
        shares = gates.unsqueeze(-1).unbind(-2)
        mixed = sum(share * output for share, output in zip(shares, outputs, strict=True))
        return torch.as_tensor(mixed).to(outputs[0].dtype)

    def _sparse(self, tokens: Tensor, gates: Tensor, chosen: Tensor) -> Tensor:
        """gates and chosen (B, N, k). Each expert sees the tokens that chose it, and no other."""
        rows, gate, expert_of = tokens.flatten(0, 1), gates.flatten(), chosen.flatten()
        order = expert_of.argsort(stable=True)
        # One transfer to the host a block, for the sizes.
        counts = torch.bincount(expert_of, minlength=len(self.experts)).tolist()
        mixed = torch.zeros_like(rows, dtype=gates.dtype)
        dtype = tokens.dtype
        for expert, picks in zip(self.experts, order.split(counts), strict=True):
            if len(picks):
                row = picks // chosen.shape[-1]
                output = expert(rows[row])
                dtype = output.dtype
                # A token chooses an expert once, so no two additions meet: the order is immaterial.
                mixed = mixed.index_add(0, row, gate[picks, None] * output)
        return mixed.to(dtype).view_as(tokens)


def _chosen_gates(logits: Tensor, strongest: Tensor, chosen: Tensor) -> Tensor:
    """Softmax over the k chosen logits, (B, N, k).

    For k = 1 that is the constant 1, from which a router learns nothing. Its value is kept, and
    its gradient is that of the full softmax's logarithm, i.e. of Switch Transformer's gate
    (arXiv 2101.03961) over its value.
    """
    if strongest.shape[-1] > 1:
        return strongest.softmax(-1)
    likelihood = logits.log_softmax(-1).gather(-1, chosen)
    return 1 + likelihood - likelihood.detach()


def balance_loss(logits: Tensor, chosen: Tensor | None) -> Tensor:
    """E sum_e f_e P_e (Switch Transformer, arXiv 2101.03961), 1 for even use, up to E.

    Args:
        logits: (B, N, E).
        chosen: (B, N, k) experts of each token, or None for dense routing.

    P_e is the mean probability of expert e over all tokens, f_e its share of the (token, choice)
    pairs; in dense routing every expert serves every token by its gate, so that f = P.
    """
    experts = logits.shape[-1]
    probability = logits.softmax(-1).flatten(0, -2).mean(0)
    if chosen is None:
        return experts * (probability * probability).sum()
    counts = torch.bincount(chosen.flatten(), minlength=experts)
    return experts * (counts / chosen.numel() * probability).sum()
