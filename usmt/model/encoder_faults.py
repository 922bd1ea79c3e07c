"""What a family of backbones must give, looked at before it does harm: faults are the plugin's, and
are told with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from usmt.backbone_family import BackboneFamily, Block, Encoder
from usmt.errors import PluginError
from usmt.plugin_faults import fault


def function_of(maps: Any) -> Any:
    """The function behind `Encoder.maps`, which may be a `functools.partial` of it."""
    return function_of(maps.func) if isinstance(maps, partial) else maps


def check_encoder(name: str, family: BackboneFamily, encoder: Any) -> None:
    """Raises PluginError for what is no encoder, or names a part that is not there."""
    if not isinstance(encoder, Encoder):
        raise _fault(name, family.build, f"its family built no usmt.Encoder, but {encoder!r}")
    if not isinstance(encoder.blocks, Sequence):
        kind = type(encoder.blocks).__name__
        raise _fault(name, family.build, f"its blocks are no list of usmt.Block, but a {kind}")
    for number, block in enumerate(encoder.blocks, start=1):
        if not isinstance(block, Block):
            kind = type(block).__name__
            raise _fault(name, family.build, f"block {number} is no usmt.Block, but a {kind}")
        if not isinstance(block.module, nn.Module):
            kind = type(block.module).__name__
            raise _fault(name, family.build, f"block {number} is no torch module, but a {kind}")
        if block.mlp and not isinstance(getattr(block.module, block.mlp, None), nn.Module):
            parts = ", ".join(part for part, _ in block.module.named_children()) or "none"
            said = f"{_called(number, block)}, has no '{block.mlp}'; its parts: {parts}"
            raise _fault(name, family.build, said)


@contextmanager
def watched_blocks(name: str, family: BackboneFamily, blocks: Sequence[Block]) -> Iterator[None]:
    """While one image goes through the encoder: raises PluginError for a block through which it
    does not go, or whose channels are not the `width` that the family says."""
    seen: set[int] = set()

    def see_mlp(number: int, block: Block, inputs: tuple[Any, ...], output: Any) -> None:
        seen.add(number)
        for what, value in (("reads", inputs[0] if inputs else None), ("gives", output)):
            shape = _shape(value)
            if len(shape) < 2 or (shape[0], shape[-1]) != (1, block.width):
                raise _fault(
                    name,
                    family.build,
                    f"the '{block.mlp}' of {_called(number, block)}, {what} {_told(value)} for one "
                    f"image, expected (1, ..., {block.width}): channels last, Block.width of them",
                )

    def see_block(number: int, block: Block, output: Any) -> None:
        seen.add(number)
        shape = _shape(output)
        if len(shape) != 4 or shape[:2] != (1, block.width):
            raise _fault(
                name,
                family.build,
                f"{_called(number, block)}, gives {_told(output)} for one image, expected "
                f"(1, {block.width}, h, w): Block.width channels, as it has no Mlp",
            )

    handles = [
        getattr(block.module, block.mlp).register_forward_hook(
            lambda _m, inputs, output, n=n, b=block: see_mlp(n, b, inputs, output)
        )
        if block.mlp
        else block.module.register_forward_hook(
            lambda _m, _inputs, output, n=n, b=block: see_block(n, b, output)
        )
        for n, block in enumerate(blocks, start=1)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    for number, block in enumerate(blocks, start=1):
        if number not in seen:
            part = f"the '{block.mlp}' of " if block.mlp else ""
            said = f"{part}{_called(number, block)}, is not called when it gives its maps"
            raise _fault(name, family.build, said)


def check_maps(name: str, function: Any, maps: Any, image_size: int) -> None:
    """Raises PluginError unless `Encoder.maps` gave, for one image, what it must."""
    if not isinstance(maps, list) or not maps:
        given = "an empty one" if maps == [] else f"a {type(maps).__name__}"
        raise _fault(name, function, f"its maps are not a list of tensors, but {given}")
    for one in maps:
        shape = _shape(one)
        square = len(shape) == 4 and shape[0] == 1 and shape[2] == shape[3]
        if not square or not 1 <= shape[2] <= image_size:
            raise _fault(
                name,
                function,
                f"of one image of {image_size} x {image_size} pixels it gives a map of shape "
                f"{_told(one)}, expected (1, C, h, h) with h up to {image_size}",
            )


def _called(number: int, block: Block) -> str:
    return f"block {number}, a {type(block.module).__name__}"


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _told(value: Any) -> str:
    return str(_shape(value)) if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _fault(name: str, function: Any, said: str) -> PluginError:
    """`function` of the plugin is where to look."""
    return fault(f"backbone {name}: {said}", function)
