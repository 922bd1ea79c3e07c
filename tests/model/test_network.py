"""The network: one backbone pass, heads on their own rows, every parameter trained and counted."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch.nn.parallel import DistributedDataParallel
from toy_tasks import VIT, stir, tasks_of

from usmt.model.moe import MoE
from usmt.model.network import Network

INDEX = [0, 1, 2, 1, 0, 2]
MOES = [None, MoE(), MoE(top_k=1), MoE(top_k=2)]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_dinov3_qkvb", VIT])
@pytest.mark.parametrize("moe", [MoE(), MoE(top_k=1), MoE(top_k=2), MoE(top_k=4)])
def test_at_step_0_the_maps_equal_the_plain_backbones(make_backbone, images, name, moe):
    backbone = make_backbone(name).eval()
    plain = backbone(images)
    network = Network(tasks_of(["map_a", "pool_b", "map_c"]), backbone, moe=moe).eval()
    assert [block.block for block in network.moe_blocks] == [7, 8, 9, 10, 11, 12]
    mixed = network._features(images, torch.tensor(INDEX))
    assert all((a - b).abs().max() <= 1e-5 for a, b in zip(plain, mixed, strict=True))
    stir(network.backbone)  # and the test would notice
    moved = network._features(images, torch.tensor(INDEX))
    assert (plain[-1] - moved[-1]).abs().max() > 0.1


@pytest.mark.parametrize("moe", MOES)
def test_rows_go_to_their_heads_in_order(make_network, images, moe):
    """A batch that mixes tasks equals one batch a task, and one image at a time."""
    network = make_network(moe)
    with torch.no_grad():
        mixed = network(images, torch.tensor(INDEX))
        assert set(mixed) == {"map_a", "pool_b", "map_c"}
        assert mixed["map_a"].shape == (2, 2, 4, 4) and mixed["pool_b"].shape == (2, 3)
        for task, name in enumerate(network.task_ids):
            rows = [row for row, of in enumerate(INDEX) if of == task]
            alone = network(images[rows], [task] * len(rows))
            assert set(alone) == {name}
            assert torch.allclose(mixed[name], alone[name], atol=1e-5)
            for place, row in enumerate(rows):
                single = network(images[row : row + 1], [task])[name][0]
                assert torch.allclose(mixed[name][place], single, atol=1e-5)


@pytest.mark.parametrize("moe", MOES)
def test_a_row_does_not_depend_on_the_others(make_network, images, moe):
    network = make_network(moe)
    images = images.requires_grad_()
    network(images, INDEX)["pool_b"][1].sum().backward()  # the fourth row
    touched = images.grad.flatten(1).abs().sum(1) > 0
    assert touched.tolist() == [False, False, False, True, False, False]


def test_the_task_changes_the_maps_only_with_moe(make_network, images):
    same = images[:1].expand(2, -1, -1, -1)
    for moe, alike in ((None, True), (MoE(), False), (MoE(top_k=2), False)):
        maps = make_network(moe)._features(same, torch.tensor([0, 2]))
        assert torch.allclose(maps[-1][0], maps[-1][1], atol=1e-4) == alike
        assert torch.allclose(maps[0][0], maps[0][1], atol=1e-5)  # block 3 is before the MoE


@pytest.mark.parametrize("moe", MOES)
def test_cost_does_not_grow_with_tasks(make_network, images, moe):
    names = [f"map_{i}" for i in range(5)] + ["pool_x"]
    network = make_network(moe, names)
    calls = {"backbone": [], "decoder": [], "head": []}
    network.backbone.register_forward_hook(
        lambda _m, args, _o: calls["backbone"].append(len(args[0]))
    )
    (decoder,) = network.decoders.values()
    decoder.register_forward_hook(lambda _m, args, _o: calls["decoder"].append(len(args[0][0])))
    for head in network.heads.values():
        head.register_forward_hook(lambda _m, args, _o: calls["head"].append(len(args[0])))
    network(images, [0, 1, 2, 3, 5, 3])
    assert calls == {"backbone": [6], "decoder": [5], "head": [1, 1, 1, 2, 1]}


@pytest.mark.parametrize("name", ["vit_tiny_patch16_dinov3_qkvb", VIT])
@pytest.mark.parametrize("moe", MOES)
def test_every_trainable_parameter_gets_a_gradient(make_network, images, moe, name):
    network = make_network(moe, name=name).train()
    network.record_routing(True)
    sum(one.square().sum() for one in network(images, INDEX).values()).backward()
    without = [
        n
        for n, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    report = network.routing_report()  # few tokens: with one expert each, some serve none
    idle = [] if report is None else np.argwhere(report.share.sum(1) == 0)
    assert without == [
        f"backbone.vit.blocks.{block + 6}.mlp.experts.{expert}.{part}"
        for block, expert in idle
        for part in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
    ]
    assert len(idle) <= 2


@pytest.mark.parametrize("moe", MOES)
def test_parameter_groups_hold_each_parameter_once(make_network, moe):
    network = make_network(moe)
    groups = network.parameter_groups()
    assert list(groups) == ["backbone", "moe", "decoder", "head"]
    names = [name for named in groups.values() for name, _ in named]
    assert sorted(names) == sorted(n for n, p in network.named_parameters() if p.requires_grad)
    assert bool(groups["moe"]) == (moe is not None)
    for name, _ in groups["moe"]:
        assert ".experts." in name or ".router." in name or name == "task_embedding.weight"
    assert not any(".experts." in name for name, _ in groups["backbone"])


def test_parameter_counts_by_hand(make_network):
    """Tiny: D = 192, hidden 768. An expert has 192 * 768 + 768 + 768 * 192 + 192 parameters."""
    expert, router = 192 * 768 + 768 + 768 * 192 + 192, (192 + 64) * 4
    dense = make_network(None).parameter_counts()
    for top_k, used in ((None, 4), (4, 4), (1, 1)):
        counts = make_network(MoE(top_k=top_k)).parameter_counts()
        assert counts["moe"].total == 6 * (4 * expert + router) + 3 * 64
        assert counts["moe"].active == 6 * (used * expert + router) + 64
        assert counts["backbone"].total == dense["backbone"].total - 6 * expert
    assert dense["moe"].total == dense["moe"].active == 0
    assert dense["decoder"].total == dense["decoder"].active == 4 * 192 * 8 + 8
    pool, of_map = 192 * 3 + 3, 8 * 2 + 2
    assert (dense["head"].total, dense["head"].active) == (pool + 2 * of_map, pool)


def test_awkward_names(make_network, images):
    names = ["train", "keys", "forward", "pool_modules", "of_keys"]
    network = make_network(None, names)
    assert set(network(images[:5], range(5))) == set(names)
    assert set(dict(network.state_dict())) == set(network.state_dict())


def test_tasks_need_ids_of_their_own(make_network):
    for names in ([], ["map_a", "map_a"]):
        with pytest.raises(ValueError, match="ids of their own"):
            make_network(None, names)


@pytest.mark.parametrize("index", [[0, 1], [0, 1, 2, 0, 1, 3], [0, 1, 2, 0, 1, -1]])
def test_a_wrong_task_index_is_refused(make_network, images, index):
    with pytest.raises(ValueError, match="task_index"):
        make_network(None)(images, index)


@pytest.mark.parametrize("moe", MOES)
def test_weights_survive_a_file(make_network, images, tmp_path, moe):
    network = make_network(moe)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    fresh = make_network(moe, stirred=False)
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=True)
    with torch.no_grad():
        one, other = network(images, INDEX), fresh(images, INDEX)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("moe", MOES)
def test_bf16_autocast_runs_and_learns(make_network, images, moe):
    network = make_network(moe).train()
    plain = network(images, INDEX)["pool_b"]
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(images, INDEX)
        total = sum(one.float().square().sum() for one in outputs.values())
    total.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert (outputs["pool_b"].float() - plain).abs().max() < 0.1 * plain.abs().max()


def gradients(network, *batches) -> dict[str, torch.Tensor]:
    """Of the sum over several passes, with one backward pass after all of them."""
    network.zero_grad()
    total = torch.zeros(())
    for images, index in batches:
        total = total + sum(one.square().sum() for one in network(images, index).values())
        total = total + network.balance_loss()
    total.backward()
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("moe", MOES)
def test_checkpointing_gives_the_same_gradients(make_network, images, moe):
    """Also when the blocks are computed again after another pass with other tasks has begun, in
    training with random depth."""
    batches = [(images[:3], [0, 0, 1]), (images[3:], [2, 1, 2])]
    found = []
    for checkpointing in (False, True):
        network = make_network(moe, checkpointing=checkpointing, drop_path=0.2).train()
        torch.manual_seed(11)
        found.append(gradients(network, *batches))
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        assert torch.allclose(value, found[1][name], rtol=1e-4, atol=1e-5), name


def test_checkpointing_saves_memory_and_survives_a_copy(make_network, images):
    kept = {}
    for checkpointing in (False, True):
        network = copy.deepcopy(make_network(MoE(), checkpointing=checkpointing)).train()
        sizes: dict[int, int] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.__setitem__(t.data_ptr(), t.numel()) or t, lambda t: t
        ):
            network(images, INDEX)
        kept[checkpointing] = sum(sizes.values())
        network(images, INDEX)["pool_b"].sum().backward()
        assert network.backbone.blocks[-1].module.mlp.router.weight.grad is not None
    assert kept[True] < 0.5 * kept[False]


@pytest.mark.parametrize("moe", [MoE(), MoE(top_k=2)])
def test_distributed_wrapper_gives_the_same_gradients(make_network, images, tmp_path, moe):
    """One process; the task index stays a list, and a task without rows is no problem."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        found = []
        for wrapped in (False, True):
            model = network = make_network(moe, checkpointing=True).train()
            if wrapped:
                model = DistributedDataParallel(network, find_unused_parameters=True)
            outputs = model(images, [0, 1, 0, 1, 1, 1])
            total = sum(one.square().sum() for one in outputs.values()) + network.balance_loss()
            total.backward()
            found.append({n: p.grad for n, p in network.named_parameters()})
        for name, value in found[0].items():
            other = found[1][name]
            assert (value is None) == (other is None), name
            assert value is None or torch.allclose(value, other, rtol=1e-4, atol=1e-5), name
    finally:
        dist.destroy_process_group()


def test_checkpointing_does_not_count_twice(make_network, images):
    network = make_network(MoE(), checkpointing=True).train()
    network.record_routing(True)
    sum(one.sum() for one in network(images, INDEX).values()).backward()
    assert network.routing_report().images.tolist() == [2, 2, 2]
    assert len(network.conditioning.balance) == 6


def test_balance_loss_is_the_mean_over_blocks(make_network, images):
    network = make_network(MoE(blocks=3)).train()
    with pytest.raises(RuntimeError, match="pass of the network before"):
        network.balance_loss()
    network(images, INDEX)
    blocks = list(network.conditioning.balance)
    loss = network.balance_loss()
    assert len(blocks) == 3 and loss.item() == pytest.approx(sum(blocks).item() / 3)
    loss.backward()
    assert network.moe_blocks[0].router.weight.grad.abs().sum() > 0
    assert network.task_embedding.weight.grad.abs().sum() > 0


def test_balance_loss_without_moe_is_a_constant_zero(make_network):
    loss = make_network(None).balance_loss()
    assert float(loss) == 0 and not loss.requires_grad


def test_normalise_is_the_backbones(make_network):
    network = make_network(None)
    white = torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)
    expected = [
        (1 - m) / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
    ]
    assert network.normalise(white)[1, :, 2, 3].tolist() == pytest.approx(expected)
    assert network.normalise(white.float()).dtype == torch.float32
