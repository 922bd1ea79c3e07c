"""The start-up audit: every trainable parameter is trained once, and the counts are true."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from usmt.data.sampler import MixingSampler
from usmt.errors import TrainingError
from usmt.train.audit import audit
from usmt.train.optimizer import make_optimizer, rate_factor, set_rates

RATES = {"backbone": 1e-3, "head": 1e-2, "other": 1e-4}


class Small(nn.Module):
    added_parameters = 5

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.decoder = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2, bias=False)
        self.unused = nn.Parameter(torch.zeros(7), requires_grad=False)

    def groups(self) -> dict[str, list[tuple[str, nn.Parameter]]]:
        parts = {"backbone": self.body, "decoder": self.decoder, "head": self.head}
        return {name: list(part.named_parameters()) for name, part in parts.items()}


def run(network: Small, groups: dict[str, list[tuple[str, nn.Parameter]]]):
    sampler = MixingSampler({"a": 30, "b": 10}, 8)
    optimizer = make_optimizer(groups, RATES, 0.0)
    return audit(network, optimizer, sampler, {"a": "x", "b": "y"}, {"b": 3.0}, 1)


def test_groups_rates_and_tasks_are_counted():
    network = Small()
    found = run(network, network.groups())
    assert [(g.group, g.learning_rate, g.tensors, g.parameters) for g in found.groups] == [
        ("backbone", 1e-3, 2, 16),
        ("decoder", 1e-4, 2, 20),
        ("head", 1e-2, 1, 8),
    ]
    assert found.frozen == 7 and found.added == 5
    assert found.steps == 5 and found.epochs_to_see_all == 1
    a, b = found.tasks
    assert (a.images, a.drawn, b.images, b.drawn) == (30, 30, 10, 10)
    assert a.steps == 5 and 1 <= b.steps <= 5
    assert b.weight == pytest.approx(3 * b.steps / (a.steps + 3 * b.steps))


def test_a_decoder_that_no_group_holds_is_caught():
    network = Small()
    groups = network.groups()
    del groups["decoder"]
    with pytest.raises(TrainingError, match=r"2 in no group \(decoder\.weight, decoder\.bias\)"):
        run(network, groups)


def test_a_parameter_in_two_groups_is_caught():
    network = Small()
    twice = network.groups()["decoder"][:1]
    optimizer = make_optimizer(network.groups(), RATES, 0.0)
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [p for _, p in twice]})
    sampler = MixingSampler({"a": 3}, 2)
    with pytest.raises(TrainingError, match=r"1 in two \(decoder\.weight\)"):
        audit(network, optimizer, sampler, {"a": "x"}, {}, 1)


def test_a_parameter_of_another_network_is_caught():
    network = Small()
    groups = network.groups()
    groups["head"] = [*groups["head"], ("old", nn.Parameter(torch.zeros(2)))]
    with pytest.raises(TrainingError, match="1 not of this network"):
        run(network, groups)


def test_the_course_of_the_learning_rate():
    factors = [rate_factor(s, 100, schedule="cosine", warmup=0.1) for s in range(100)]
    assert factors[:10] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert factors[10] == 1 and factors[55] == pytest.approx(0.5)
    assert all(a > b for a, b in itertools.pairwise(factors[10:]))
    assert factors[-1] > 0
    assert {rate_factor(s, 100, schedule="constant", warmup=0) for s in range(100)} == {1.0}


def test_each_group_keeps_its_own_rate():
    network = Small()
    optimizer = make_optimizer(network.groups(), RATES, 0.1)
    set_rates(optimizer, 0.5)
    set_rates(optimizer, 0.2)
    assert {g["name"]: g["lr"] for g in optimizer.param_groups} == pytest.approx(
        {"backbone": 2e-4, "decoder": 2e-5, "head": 2e-3}
    )
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0.1}
