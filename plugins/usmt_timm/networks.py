"""timm's networks as encoders: where their maps are, and where a mixture of experts can stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import timm
import torch
from timm.layers import Mlp
from torch import Tensor, nn

from usmt import Block, ConfigError, Encoder, check_image_size, near, spread_maps
from usmt_timm.batch_norm import without_batch

LAYER_SCALE = 0.1
"""What the layer scales of a network without pretrained weights start at: as CaiT has it for up to
18 blocks (arXiv 2103.17239, section 2). DINOv3's own start, 1e-5, is made for long pretraining: its
blocks would add next to nothing for the length of a small run."""

HIERARCHICAL: dict[str, Callable[[Any], Iterator[nn.Module]]] = {
    "convnext": lambda net: (block for stage in net.stages for block in stage.blocks),
    "swin_transformer": lambda net: (block for layer in net.layers for block in layer.blocks),
    "swin_transformer_v2": lambda net: (block for layer in net.layers for block in layer.blocks),
    "efficientnet": lambda net: (block for stage in net.blocks for block in stage),
    "mobilenetv3": lambda net: (block for stage in net.blocks for block in stage),
    "resnet": lambda net: (
        block for layer in (net.layer1, net.layer2, net.layer3, net.layer4) for block in layer
    ),
}
"""timm's modules whose networks give maps of several strides, and how to come by their blocks."""

ONE_SIZE = ("swin_transformer", "swin_transformer_v2")
"""Those of them that are built for one size of the input, as all plain transformers are."""


def build(name: str, image_size: int, maps: int, drop_path: float, *, pretrained: bool) -> Encoder:
    """See `BackboneFamily.build`.

    Raises ConfigError: a wrong tag, a network of another kind, or an argument that does not fit.
    """
    sketch = sketched(name)  # before any size, which many networks would only assert
    strides = strides_of(sketch)
    what = "patch size" if len(set(strides)) == 1 else "largest stride"
    check_image_size(name, image_size, max(strides), what)
    blocks_of = HIERARCHICAL.get(kind_of(sketch))
    if blocks_of is None:
        indices = spread_maps(name, maps, len(sketch.blocks))
        read = partial(plain_maps, indices=indices)
    else:
        if maps < 1:
            stages = len(strides)
            raise ConfigError(f"backbone {name}: {maps} feature maps asked of {stages} stages")
        read = partial(hierarchical_maps, count=min(maps, len(strides)))
    sized = blocks_of is None or kind_of(sketch) in ONE_SIZE
    network = _create(name, drop_path, **({"img_size": image_size} if sized else {}))
    network = without_batch(network, pretrained=pretrained)
    if not pretrained:
        _wake(network)
    if blocks_of is None:
        blocks = [Block(block, int(network.embed_dim)) for block in network.blocks]
    else:
        blocks = _hierarchical_blocks(network, list(blocks_of(network)))
    settings = network.pretrained_cfg
    return Encoder(network, read, blocks, tuple(settings["mean"]), tuple(settings["std"]))


# -- maps


def plain_maps(network: Any, images: Tensor, *, indices: Sequence[int]) -> list[Tensor]:
    """Patch tokens after some of the blocks, each after the final norm."""
    maps: list[Tensor] = network.forward_intermediates(
        images, indices=indices, norm=True, output_fmt="NCHW", intermediates_only=True
    )
    return maps


def hierarchical_maps(network: Any, images: Tensor, *, count: int) -> list[Tensor]:
    """The last stages' outputs, the very last after the network's final norm where it has one."""
    maps: list[Tensor] = network.forward_intermediates(
        images, indices=count, norm=True, output_fmt="NCHW", intermediates_only=True
    )
    head = getattr(network, "head", None)  # where a ConvNeXt has it, for use after the pooling
    if isinstance(norm := getattr(head, "norm", None), nn.Module):
        maps[-1] = norm(maps[-1])
    return maps


# -- networks


def sketched(name: str) -> Any:
    """timm's network, built without memory for its parameters, and known to be of a kind that usmt
    can use. Raises ConfigError."""
    architecture, _, tag = name.partition(".")
    tags = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and name not in tags:
        raise ConfigError(
            f"timm has no weights '{tag}' for {architecture}{near(name, tags)}",
            hint=f"One of: {', '.join(tags) or 'none'}",
        )
    with torch.device("meta"):
        network = _create(name)
    if kind_of(network) not in HIERARCHICAL:
        _check_plain(name, network)
    return network


def kind_of(network: nn.Module) -> str:
    """timm's module that defines the network, e.g. `convnext`."""
    return type(network).__module__.rpartition(".")[2]


def _create(name: str, drop_path: float = 0.0, **size: int) -> Any:
    try:
        return timm.create_model(
            name, pretrained=False, num_classes=0, drop_path_rate=drop_path, **size
        )
    except TypeError as error:  # networks of other kinds lack some of these options
        raise _unsuitable(name) from error


def _check_plain(name: str, network: Any) -> None:
    """Raises ConfigError unless it is a transformer with tokens of one width and stride."""
    blocks = getattr(network, "blocks", None)
    if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not all(
        isinstance(getattr(block, "mlp", None), nn.Module) for block in blocks
    ):
        raise _unsuitable(name)
    if len(set(strides_of(network))) != 1 or not hasattr(network, "forward_intermediates"):
        raise _unsuitable(name)
    if getattr(network, "global_pool", "") == "soft":  # Gemma's pools patches, and has other sizes
        raise _unsuitable(name)


def strides_of(network: Any) -> list[int]:
    """Of all maps that it can give, shallow to deep."""
    return [int(level["reduction"]) for level in network.feature_info]


def _unsuitable(name: str) -> ConfigError:
    module = timm.models.model_entrypoint(name.partition(".")[0]).__module__
    return ConfigError(
        f"backbone {name}: usmt reads plain vision transformers, ConvNeXt, Swin, EfficientNet, "
        "MobileNet and ResNet of timm, and this is another kind of network "
        f"({module.rpartition('.')[2]})",
        hint="Those that are known to work: usmt backbones list --family timm",
    )


def _wake(network: nn.Module) -> None:
    """Starts the layer scales of all blocks (timm calls them `gamma`, `gamma_1`, `ls1.gamma`, ...)
    at a value from which they can learn."""
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2].startswith("gamma"):
            nn.init.constant_(parameter, LAYER_SCALE)


# -- blocks


def _hierarchical_blocks(network: nn.Module, modules: Sequence[Any]) -> list[Block]:
    """With `mlp` where it is one that sees each place by itself, channels last. Others (of 1 x 1
    convolutions, or ConvNeXt V2's, which normalises over the whole map) stay as they are."""
    if all(_replaceable(module) for module in modules):
        return [Block(module, module.mlp.fc1.in_features) for module in modules]
    return [
        Block(module, width, mlp=None)
        for module, width in zip(modules, _widths(network, modules), strict=True)
    ]


def _replaceable(block: Any) -> bool:
    mlp: Any = getattr(block, "mlp", None)
    return type(mlp) is Mlp and isinstance(mlp.fc1, nn.Linear)


def _widths(network: nn.Module, blocks: Sequence[nn.Module]) -> list[int]:
    """Channels of the blocks' outputs (B, D, h, w), by one pass of a small image."""
    widths: list[int] = []
    with _hooked(blocks, lambda _block, _inputs, output: widths.append(output.shape[1])):
        network.eval()
        with torch.no_grad():
            hierarchical_maps(network, torch.zeros(1, 3, 64, 64), count=1)
        network.train()
    return widths


@contextmanager
def _hooked(modules: Sequence[nn.Module], hook: Callable[..., None]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
