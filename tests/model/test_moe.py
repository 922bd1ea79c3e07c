"""The MoE: equal to the plain network at first, dense and sparse agree, only the chosen compute."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import GluMlp, Mlp
from torch import nn

from usmt.errors import ConfigError
from usmt.model.moe import MoE, TaskConditionedMoE, TaskConditioning, balance_loss

WIDTH, TASK_WIDTH = 16, 5


def make_moe(
    top_k: int | None, experts: int = 4, *, alike: bool = False, mlp: nn.Module | None = None
) -> TaskConditionedMoE:
    torch.manual_seed(0)
    moe = TaskConditionedMoE(
        mlp or Mlp(WIDTH, 32),
        TaskConditioning(),
        width=WIDTH,
        task_width=TASK_WIDTH,
        experts=experts,
        top_k=top_k,
        block=7,
    )
    with torch.no_grad():
        moe.router.weight.mul_(20)  # a router that has opinions
        if not alike:
            for parameter in moe.experts.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return moe


def run(moe: TaskConditionedMoE, tokens: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    with moe.conditioning.during(embedding, torch.zeros(len(tokens), dtype=torch.long)):
        return moe(tokens)


def by_hand(moe: TaskConditionedMoE, tokens: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    """The formula, token by token: softmax over the k largest of W_g [h; e_t]."""
    out = torch.zeros_like(tokens)
    for row, token in ((b, n) for b in range(tokens.shape[0]) for n in range(tokens.shape[1])):
        h = tokens[row, token]
        logits = moe.router.weight @ torch.cat([h, embedding[row]])
        chosen = logits.argsort(descending=True)[: moe.top_k or len(moe.experts)]
        weights = logits[chosen].exp() / logits[chosen].exp().sum()
        for weight, expert in zip(weights, chosen, strict=True):
            out[row, token] += weight * moe.experts[int(expert)](h)
    return out


@settings(max_examples=40, deadline=None)
@given(
    experts=st.integers(1, 5),
    k=st.integers(0, 5),
    rows=st.integers(1, 3),
    tokens=st.integers(1, 7),
    seed=st.integers(0, 999),
)
def test_equals_the_formula_token_by_token(experts, k, rows, tokens, seed):
    moe = make_moe(min(k, experts) or None, experts)
    torch.manual_seed(seed)
    h, e = torch.randn(rows, tokens, WIDTH), torch.randn(rows, TASK_WIDTH)
    assert torch.allclose(run(moe, h, e), by_hand(moe, h, e), atol=1e-5)


def test_top_k_of_all_experts_equals_dense():
    dense, sparse = make_moe(None), make_moe(4)
    h, e = torch.randn(3, 9, WIDTH), torch.randn(3, TASK_WIDTH)
    first, second = run(dense, h, e), run(sparse, h, e)
    assert torch.allclose(first, second, atol=1e-5)
    first.square().sum().backward()
    second.square().sum().backward()
    for one, other in zip(dense.parameters(), sparse.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-4)


@pytest.mark.parametrize("top_k", [None, 1, 2, 4])
@pytest.mark.parametrize("mlp", [Mlp(WIDTH, 32), GluMlp(WIDTH, 32)])
def test_experts_that_are_copies_equal_the_mlp(top_k, mlp):
    moe = make_moe(top_k, alike=True, mlp=mlp)
    h, e = torch.randn(3, 9, WIDTH), torch.randn(3, TASK_WIDTH)
    assert torch.allclose(run(moe, h, e), mlp(h), atol=1e-5)
    own = {id(p) for expert in moe.experts for p in expert.parameters()}
    assert len(own) == 4 * len(list(mlp.parameters()))  # copies, not one expert four times


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_only_chosen_experts_compute(top_k):
    moe = make_moe(top_k)
    counts = [0] * 4
    for i, expert in enumerate(moe.experts):
        expert.register_forward_pre_hook(
            lambda _m, args, i=i: counts.__setitem__(i, counts[i] + len(args[0]))
        )
    h, e = torch.randn(3, 9, WIDTH), torch.randn(3, TASK_WIDTH)
    run(moe, h, e)
    logits = torch.cat([h, e[:, None].expand(-1, 9, -1)], -1) @ moe.router.weight.T
    chosen = logits.topk(top_k).indices
    assert counts == torch.bincount(chosen.flatten(), minlength=4).tolist()
    assert sum(counts) == 3 * 9 * top_k


def test_an_expert_that_nobody_chose_is_not_called():
    moe = make_moe(1)
    with torch.no_grad():
        moe.router.weight.zero_()
        moe.router.weight[2, WIDTH] = 1.0
    moe.experts[0] = moe.experts[1] = moe.experts[3] = None
    run(moe, torch.randn(2, 3, WIDTH), torch.ones(2, TASK_WIDTH))


def test_gates_depend_on_the_task():
    moe = make_moe(None)
    h, e = torch.randn(1, 9, WIDTH), torch.randn(2, TASK_WIDTH)
    one, other = run(moe, h.expand(2, -1, -1), e)
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_router_and_task_embedding_learn(top_k):
    """Also with one expert a token, whose gate is the constant 1."""
    moe = make_moe(top_k)
    e = torch.randn(3, TASK_WIDTH, requires_grad=True)
    run(moe, torch.randn(3, 9, WIDTH), e).square().sum().backward()
    assert moe.router.weight.grad.abs().sum() > 1e-3
    assert e.grad.abs().sum() > 1e-3


def test_tokens_may_have_a_grid():
    moe = make_moe(2)
    h, e = torch.randn(2, 3, 4, WIDTH), torch.randn(2, TASK_WIDTH)
    flat = run(moe, h.flatten(1, 2), e)
    assert torch.equal(run(moe, h, e), flat.view(2, 3, 4, WIDTH))


def test_balance_loss_by_hand():
    """Two experts, two tokens with probabilities (3/4, 1/4) and (1/2, 1/2)."""
    logits = torch.tensor([[[math.log(3.0), 0.0], [0.0, 0.0]]])
    # Dense: P = f = (5/8, 3/8); 2 (25/64 + 9/64) = 17/16.
    assert balance_loss(logits, None) == pytest.approx(17 / 16)
    # Top 1, both tokens to the first expert: f = (1, 0); 2 * 5/8.
    assert balance_loss(logits, torch.tensor([[[0], [0]]])) == pytest.approx(5 / 4)
    # Top 1, one token each: f = (1/2, 1/2); 2 (5/16 + 3/16).
    assert balance_loss(logits, torch.tensor([[[0], [1]]])) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), experts=st.integers(1, 6))
def test_dense_balance_loss_is_least_for_even_use(seed, experts):
    torch.manual_seed(seed)
    value = balance_loss(3 * torch.randn(2, 5, experts), None)
    assert 1 - 1e-5 <= value <= experts + 1e-5
    assert balance_loss(torch.zeros(2, 5, experts), None) == pytest.approx(1.0)


def test_balance_loss_evens_the_load():
    moe = make_moe(1)
    with torch.no_grad():
        moe.router.weight[2, WIDTH:] += 0.5
    h, e = torch.randn(4, 32, WIDTH), torch.ones(4, TASK_WIDTH)  # most tokens prefer expert 3
    optimizer = torch.optim.Adam(moe.router.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        run(moe, h, e)
        (loss,) = moe.conditioning.balance
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] > 1.5 and losses[-1] < 1.1


def test_outside_a_pass_of_the_network_it_says_so():
    moe = make_moe(None)
    h, e = torch.randn(2, 3, WIDTH), torch.randn(2, TASK_WIDTH)
    with pytest.raises(RuntimeError, match="without a task"):
        moe(h)
    run(moe, h, e)
    with pytest.raises(RuntimeError, match="without a task"):  # nothing is left of the pass
        moe(h)
    with pytest.raises(RuntimeError, match="2 rows of tokens for 1"):
        run(moe, h, e[:1])


@pytest.mark.parametrize("top_k", [None, 2])
def test_the_router_keeps_its_precision_under_autocast(top_k):
    moe = make_moe(top_k)
    h, e = torch.randn(3, 9, WIDTH), torch.randn(3, TASK_WIDTH)
    plain = run(moe, h, e)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = run(moe, h, e)
    assert mixed.dtype == torch.bfloat16  # as the plain Mlp's
    # bfloat16 has 8 bits; another choice of experts would be off by far more.
    assert (plain - mixed.float()).abs().max() < 0.03 * plain.abs().max()


@pytest.mark.parametrize(
    ("moe", "said"),
    [
        (MoE(blocks=13), "backbone has 12 blocks"),
        (MoE(blocks=0), "backbone has 12 blocks"),
        (MoE(top_k=5), "expected 1 to 4"),
        (MoE(top_k=0), "expected 1 to 4"),
        (MoE(experts=0), "expected 1 or more"),
    ],
)
def test_settings_that_do_not_fit_say_why(make_network, moe, said):
    with pytest.raises(ConfigError, match=said):
        make_network(moe)


def test_narrow_experts_start_on_their_own(make_network):
    network = make_network(MoE(hidden_ratio=0.5))
    shapes = {tuple(e.fc1.weight.shape) for block in network.moe_blocks for e in block.experts}
    assert shapes == {(96, 192)}


def test_a_copy_starts_between_passes():
    moe = make_moe(None)
    run(moe, torch.randn(2, 3, WIDTH), torch.randn(2, TASK_WIDTH))
    twin = copy.deepcopy(moe)
    assert twin.conditioning is not moe.conditioning and twin.conditioning.balance == []
