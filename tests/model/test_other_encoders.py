"""The mixture of experts on networks that are no plain transformers: maps of several strides, and
blocks without an Mlp."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from toy_tasks import stir, tasks_of

from usmt import Block
from usmt.model.blocks import put_experts
from usmt.model.moe import TaskConditioning
from usmt.model.network import MoE, Network, build_network

CONVNEXT, SWIN = "test_convnext", "swin_tiny_patch4_window7_224"
CONVNEXT_V2, EFFICIENTNET, RESNET = "convnextv2_atto", "test_efficientnet", "test_resnet"
ADDED = (CONVNEXT_V2, EFFICIENTNET, RESNET)
DEPTHS = {CONVNEXT: 9, SWIN: 12, CONVNEXT_V2: 12, EFFICIENTNET: 5, RESNET: 4}
INDEX = [0, 1, 2, 1, 0, 2]
SPARSE, DENSE = MoE(blocks=3, top_k=1, experts=3), MoE(blocks=3, experts=3)


class PooledFusion(nn.Module):
    """All maps, at the size of the last -> one, (n, 8, h, w)."""

    out_channels = 8

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.mix = nn.Conv2d(sum(channels), self.out_channels, 1)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        size = maps[-1].shape[-2:]
        return self.mix(torch.cat([nn.functional.adaptive_avg_pool2d(m, size) for m in maps], 1))


def network_of(make_backbone, name: str, moe: MoE | None, **options) -> Network:
    """A network whose heads read all maps, so that every parameter matters."""
    tasks = tasks_of(["map_a", "pool_b", "map_c"])
    for _, kind in tasks:
        if kind.name == "map":
            kind.decoder = lambda features: PooledFusion(features.channels)  # type: ignore[method-assign]
    return build_network(tasks, make_backbone(name, **options), moe=moe)


def loss_of(network: Network, images: torch.Tensor) -> torch.Tensor:
    outputs = network(images, INDEX)
    return sum((one.square().sum() for one in outputs.values()), torch.zeros(()))


@pytest.mark.parametrize("name", DEPTHS)
def test_at_step_0_the_maps_equal_the_plain_networks(make_backbone, images, name):
    backbone = make_backbone(name).eval()
    plain = backbone(images)
    assert backbone.features.strides == (4, 8, 16, 32)
    assert backbone.features.channels == tuple(one.shape[1] for one in plain)
    last = len(backbone.blocks)
    assert last == DEPTHS[name] and backbone.blocks[-1].width == backbone.width
    for moe in (DENSE, SPARSE):
        twin = copy.deepcopy(backbone)
        network = build_network(tasks_of(["map_a", "pool_b", "map_c"]), twin, moe=moe).eval()
        mixed = network._features(images, torch.tensor(INDEX))
        if name in ADDED:  # what is added is nothing at all
            assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(plain, mixed, strict=True))
        assert [one.block for one in network.moe_blocks][-3:] == [last - 2, last - 1, last]
    stir(network.backbone)  # and the test would notice
    assert not torch.allclose(plain[-1], network._features(images, torch.tensor(INDEX))[-1])


@pytest.mark.parametrize("name", [CONVNEXT, *ADDED])
@pytest.mark.parametrize("moe", [None, DENSE, SPARSE])
def test_every_trainable_parameter_gets_a_gradient(make_backbone, images, name, moe):
    network = network_of(make_backbone, name, moe)
    stir(network)  # as if trained: what is added is no longer nothing
    network.record_routing(True)
    loss_of(network, images).backward()
    without = {
        n
        for n, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    }
    idle = set()  # few places: with one expert each, some serve none
    if moe is not None:
        report, blocks = network.routing_report(), network.moe_blocks
        for block, shares in zip(blocks, report.share.sum(1), strict=True):
            for expert, share in zip(block.experts, shares, strict=True):
                idle |= {id(p) for p in expert.parameters()} if share == 0 else set()
        assert len(blocks) == 3 and network.task_embedding.weight.grad.abs().sum() > 0
    assert {n for n in without if id(network.get_parameter(n)) not in idle} == set()


@pytest.mark.parametrize("name", [CONVNEXT, EFFICIENTNET])
@pytest.mark.parametrize("moe", [DENSE, SPARSE])
def test_from_step_1_on_experts_and_router_learn(make_backbone, images, name, moe):
    network = network_of(make_backbone, name, moe)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(network, images).backward()
        optimizer.step()
    for block in network.moe_blocks:
        assert block.router.weight.grad.abs().sum() > 0
        first, *others = (expert.fc1.weight for expert in block.experts)
        assert all(not torch.equal(first, other) for other in others)
    assert network.task_embedding.weight.grad.abs().sum(1).min() > 0
    same = images[:1].expand(2, -1, -1, -1)
    one, other = network.eval()._features(same, torch.tensor([0, 2]))[-1]
    assert not torch.equal(one, other)  # the task is seen


@pytest.mark.parametrize("name", [CONVNEXT, EFFICIENTNET, RESNET])
@pytest.mark.parametrize("moe", [None, DENSE, SPARSE])
def test_checkpointing_gives_the_same_gradients(make_backbone, images, name, moe):
    found = []
    for checkpointing in (False, True):
        network = network_of(make_backbone, name, moe, checkpointing=checkpointing)
        stir(network)
        network.record_routing(True)
        total = loss_of(network, images) + network.balance_loss()
        network(images.flip(0), [2, 2, 0, 1, 1, 0])  # a pass before the first is gone back over
        total.backward()
        if moe is not None:
            assert network.routing_report().images.tolist() == [4, 4, 4]
        found.append({n: p.grad for n, p in network.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name_, value in found[0].items():
        assert torch.allclose(value, found[1][name_], rtol=1e-3, atol=1e-4), name_


@pytest.mark.parametrize("name", [CONVNEXT, EFFICIENTNET])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_whole(make_backbone, images, name, copied, request):
    options = {} if "deepcopy" not in request.node.name else {"checkpointing": True}
    network = build_network(
        tasks_of(["map_a", "pool_b", "map_c"]), make_backbone(name, **options), moe=DENSE
    )
    stir(network)
    before = network._features(images, torch.tensor(INDEX))[-1]
    twin = copied(network)
    assert torch.equal(twin._features(images, torch.tensor(INDEX))[-1], before)
    twin._features(images, torch.tensor(INDEX))[-1].sum().backward()
    assert all(p.grad is None for p in network.parameters())
    assert all(block.router.weight.grad is not None for block in twin.moe_blocks)
    stir(twin, 1.0)
    assert torch.equal(network._features(images, torch.tensor(INDEX))[-1], before)


@pytest.mark.parametrize("name", [CONVNEXT, EFFICIENTNET])
def test_a_row_does_not_depend_on_the_others_in_training(make_backbone, images, name):
    network = build_network(tasks_of(["pool_a", "pool_b"]), make_backbone(name), moe=DENSE)
    stir(network)
    images = images.requires_grad_()
    network.train()(images, [0, 1, 0, 1, 0, 1])["pool_b"][1].sum().backward()  # the fourth row
    touched = images.grad.flatten(1).abs().sum(1) > 0
    assert touched.tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize("name", [CONVNEXT, EFFICIENTNET])
def test_weights_survive_a_file_and_parameters_are_counted(make_backbone, images, tmp_path, name):
    network = network_of(make_backbone, name, SPARSE)
    stir(network)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    fresh = network_of(make_backbone, name, SPARSE)
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=True)
    assert torch.equal(
        network._features(images, torch.tensor(INDEX))[-1],
        fresh._features(images, torch.tensor(INDEX))[-1],
    )
    groups = network.parameter_groups()
    assert all(
        ".experts." in n or ".router." in n or n == "task_embedding.weight"
        for n, _ in groups["moe"]
    )
    assert not any(".experts." in n for n, _ in groups["backbone"])
    experts = [
        sum(p.numel() for p in block.experts[0].parameters()) for block in network.moe_blocks
    ]
    routers = [block.router.weight.numel() for block in network.moe_blocks]
    counts = network.parameter_counts()["moe"]
    assert counts.total == 3 * sum(experts) + sum(routers) + 3 * 64
    assert counts.active == sum(experts) + sum(routers) + 64


def test_what_is_added_is_the_formula_on_the_normalised_map():
    """To the output h of a block, (B, D, h, w): h + MoE(norm(h)), place by place."""
    block, conditioning = Block(nn.Conv2d(3, 16, 1), width=16, mlp=None), TaskConditioning()
    options = {"task_width": 5, "experts": 3, "top_k": None, "number": 1, "hidden_ratio": None}
    images, embedding = torch.randn(2, 3, 4, 5), torch.randn(2, 5)
    plain = block.module(images)
    put_experts(block, conditioning, **options)
    moe = block.module.added.moe
    stir(moe, 0.3)
    with conditioning.during(embedding, torch.zeros(2, dtype=torch.long)):
        mixed = block.module(images)
        tokens = nn.functional.layer_norm(plain.flatten(2).transpose(1, 2), (16,))
        by_hand = plain + moe(tokens).transpose(1, 2).unflatten(2, (4, 5))
    assert torch.allclose(mixed, by_hand, atol=1e-6)
    assert moe.experts[0].fc1.weight.shape == (64, 16)  # four times as wide
