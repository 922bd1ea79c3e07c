"""The mixture of experts on networks that are no plain transformers: maps of several strides, and
blocks without an Mlp."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from toy_tasks import stir, tasks_of

from usmt import load_plugins
from usmt.errors import ConfigError
from usmt.model.backbone import BlockOfBackbone, build_backbone
from usmt.model.blocks import put_experts
from usmt.model.moe import MoE, TaskConditioning
from usmt.model.network import Network

CONVNEXT, SWIN = "test_convnext", "swin_tiny_patch4_window7_224"
CONVNEXT_V2, EFFICIENTNET, RESNET = "convnextv2_atto", "test_efficientnet", "test_resnet"
ADDED = (CONVNEXT_V2, EFFICIENTNET, RESNET)
DEPTHS = {CONVNEXT: 9, SWIN: 12, CONVNEXT_V2: 12, EFFICIENTNET: 5, RESNET: 4}
TABLE = Path(__file__).parents[2] / "docs" / "explanation" / "moe.md"
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
    return Network(tasks, make_backbone(name, **options), moe=moe)


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
        network = Network(tasks_of(["map_a", "pool_b", "map_c"]), twin, moe=moe).eval()
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
    network = Network(
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
    network = Network(tasks_of(["pool_a", "pool_b"]), make_backbone(name), moe=DENSE)
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


def added_to(module: nn.Module, width: int, hidden_ratio: float | None = None):
    """The module with three experts behind it, the mixture, and its conditioning."""
    kept, conditioning = nn.ModuleDict(), TaskConditioning()
    options = {"task_width": 5, "experts": 3, "top_k": None, "number": 1}
    block = BlockOfBackbone(module, width, mlp=None, added=kept)
    put_experts(block, conditioning, hidden_ratio=hidden_ratio, **options)
    return kept["1"].moe, conditioning


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 16, 1),
        nn.Sequential(nn.Conv2d(3, 8, 1), nn.GELU(), nn.Conv2d(8, 16, 1)),  # runs all its parts
    ],
)
def test_what_is_added_is_the_formula_on_the_normalised_map(module):
    """To the output h of a block, (B, D, h, w): h + MoE(norm(h)), place by place."""
    images, embedding = torch.randn(2, 3, 4, 5), torch.randn(2, 5)
    plain = module(images)
    moe, conditioning = added_to(module, 16)
    stir(moe, 0.3)
    with conditioning.during(embedding, torch.zeros(2, dtype=torch.long)):
        mixed = module(images)
        tokens = nn.functional.layer_norm(plain.flatten(2).transpose(1, 2), (16,))
        by_hand = plain + moe(tokens).transpose(1, 2).unflatten(2, (4, 5))
    assert torch.allclose(mixed, by_hand, atol=1e-6)
    assert not torch.allclose(mixed, plain, atol=1e-2)


@pytest.mark.parametrize(
    ("module", "hidden"),
    [
        (nn.Conv2d(16, 16, 1), 4),  # 256 weights: half of them are an expert of 4 x 16 x 2
        (nn.Conv2d(16, 16, 2), 16),
        (nn.Sequential(nn.Conv2d(16, 16, 1), nn.GroupNorm(4, 16), nn.Conv2d(16, 16, 2)), 20),
        (nn.Conv2d(16, 16, 7), 32),  # no more than twice D
        (nn.AvgPool2d(2), 4),  # and a quarter at least
    ],
)
def test_an_expert_behind_a_block_is_half_as_large_as_the_block(module, hidden):
    moe, _ = added_to(module, 16)
    assert {expert.fc1.weight.shape for expert in moe.experts} == {(hidden, 16)}
    moe, _ = added_to(module, 16, hidden_ratio=3.0)  # what the user says comes first
    assert {expert.fc1.weight.shape for expert in moe.experts} == {(48, 16)}


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b0", "convnextv2_tiny"])
def test_what_the_mixture_adds_is_in_proportion_to_the_network(name):
    """The figures of docs/explanation/moe.md: as many as a mixture adds to a transformer."""
    backbone = build_backbone(load_plugins(), name, weights="none", image_size=32)
    plain = sum(one.numel() for one in backbone.parameters())
    network = Network(tasks_of(["pool_a", "pool_b"]), backbone, moe=MoE())
    now = sum(one.numel() for one in network.backbone.parameters())
    embedding = network.task_embedding.weight.numel()
    assert network.added_parameters == now - plain + embedding
    assert 0.5 * plain < network.added_parameters < 1.5 * plain
    row = next(line for line in TABLE.read_text().splitlines() if line.startswith(f"| {name} "))
    told = [float(cell.strip().removesuffix(" M")) for cell in row.split("|")[2:4]]
    assert told == [round(plain / 1e6, 1), round(network.added_parameters / 1e6, 1)]


def test_a_mixture_in_the_place_of_mlps_adds_what_they_did_not_have(make_backbone):
    for moe in (MoE(), MoE(hidden_ratio=0.5)):
        backbone = make_backbone(CONVNEXT)
        plain = sum(one.numel() for one in backbone.parameters())
        network = Network(tasks_of(["pool_a", "pool_b"]), backbone, moe=moe)
        now = sum(one.numel() for one in network.backbone.parameters())
        assert network.added_parameters == now - plain + network.task_embedding.weight.numel()
    dense = Network(tasks_of(["pool_a", "pool_b"]), make_backbone(CONVNEXT), moe=None)
    assert dense.added_parameters == 0


@pytest.mark.parametrize("name", [RESNET, EFFICIENTNET, CONVNEXT])
def test_by_default_a_network_of_few_blocks_has_experts_in_all(make_backbone, name):
    tasks = tasks_of(["pool_a", "pool_b"])
    network = Network(tasks, make_backbone(name), moe=MoE())
    depth = DEPTHS[name]
    assert network.moe.blocks == min(6, depth)
    assert [one.block for one in network.moe_blocks] == list(range(depth + 1))[
        -network.moe.blocks :
    ]
    with pytest.raises(ConfigError, match=f"moe.blocks is {depth + 1}, but the backbone has"):
        Network(tasks, make_backbone(name), moe=MoE(blocks=depth + 1))
