"""What the MoE costs: forward and backward of the network, dense and sparse, over the plain one.

    python benchmarks/moe_sparse.py [--device cuda] [--name vit_base_patch16_dinov3 --size 256]

All variants are timed in turn, round after round, in one process: read the ratios. The reference
is the same backbone with its own Mlp. Weights are random, and the router near even: a router
that prefers one expert makes sparse routing faster on a processor, and no slower elsewhere.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

from usmt import Features, TaskSpec, TaskType, TaskTypeOptions, load_plugins
from usmt.model.backbone import build_backbone
from usmt.model.network import MoE, Network

VARIANTS: dict[str, MoE | None] = {
    "plain Mlp": None,
    "dense, E=4": MoE(),
    "sparse, k=4": MoE(top_k=4),
    "sparse, k=2": MoE(top_k=2),
    "sparse, k=1": MoE(top_k=1),
}


class Pool(TaskType):
    """The cheapest task type, so that the backbone is what is timed."""

    name = "pool"
    primary = "none"

    def decoder(self, features: Features) -> None:
        return None

    def head(self, spec: TaskSpec, channels: int) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))

    def _not_asked(self, *args: object) -> None:
        raise NotImplementedError

    problems = wrap = target = loss = decode = metrics = selection_score = trivial = _not_asked
    draw_label = draw_result = _not_asked


def make(name: str, size: int, moe: MoE | None, device: str) -> Network:
    torch.manual_seed(0)
    kind = Pool(TaskTypeOptions())
    tasks = [
        (TaskSpec(id=i, title=i, type="pool", organ="any", dataset="any", flip="none"), kind)
        for i in ("a", "b", "c")
    ]
    backbone = build_backbone(load_plugins(), name, weights="none", image_size=size)
    return Network(tasks, backbone, moe=moe).to(device)


def seconds(network: Network, images: torch.Tensor, *, backward: bool, bf16: bool) -> float:
    """One pass, or one pass and its gradients."""
    index = [i % 3 for i in range(len(images))]
    wait = torch.cuda.synchronize if images.is_cuda else lambda: None
    wait()
    start = time.perf_counter()
    with (
        torch.set_grad_enabled(backward),
        torch.autocast(images.device.type, torch.bfloat16, enabled=bf16),
    ):
        outputs = network(images, index)
    if backward:
        sum(one.float().sum() for one in outputs.values()).backward()  # type: ignore[union-attr]
        network.zero_grad()
    wait()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="vit_tiny_patch16_dinov3_qkvb")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    images = torch.randn(options.batch, 3, options.size, options.size, device=options.device)
    networks = {
        label: make(options.name, options.size, moe, options.device)
        for label, moe in VARIANTS.items()
    }
    times: dict[tuple[str, bool], list[float]] = {}
    for number in range(options.rounds + 2):  # two to warm up
        for label, network in networks.items():
            for backward in (False, True):
                took = seconds(network, images, backward=backward, bf16=options.bf16)
                if number >= 2:
                    times.setdefault((label, backward), []).append(took)
    print(
        f"{options.name}, {options.size} px, batch {options.batch}, {options.device}"
        f"{', bf16' if options.bf16 else ''}, {torch.get_num_threads()} threads\n"
        f"{'':14}{'forward':>18}{'forward+backward':>20}{'active parameters':>20}"
    )
    plain = {backward: statistics.median(times["plain Mlp", backward]) for backward in (0, 1)}
    for label, network in networks.items():
        cells = []
        for backward in (False, True):
            middle = statistics.median(times[label, backward])
            cells.append(f"{1000 * middle:9.1f} ms {middle / plain[backward]:4.2f}x")
        active = sum(count.active for count in network.parameter_counts().values())
        print(f"{label:14}{cells[0]:>18}{cells[1]:>20}{active / 1e6:>18.1f} M")


if __name__ == "__main__":
    main()
