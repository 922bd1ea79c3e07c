"""The contract of a backbone: what a plugin gives so that usmt can train on its networks.

Import this from `usmt`, not from here. This module imports no torch, and a plugin's module should
not either (import torch inside the methods): `usmt plugins list` loads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from usmt.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class BackboneCard:
    """What people want to know of a backbone before they choose it.

    Attributes:
        name: as `backbone.name` has it, without the family.
        title: one line for people.
        parameters: number of them, without any head.
        width: channels D of the deepest feature map.
        strides: of the feature maps, in pixels, shallow to deep.
        multiple: sides of the input must be multiples of this, in pixels.
        mean, std: of RGB values in [0, 1], by which the input is normalised.
        licence: of the pretrained weights; empty where there are none.
        weights: where they are: a repository, a page; empty where there are none.
        gated: whether they are given only to those who ask; None where that is not known.
        obtain: how to get them, in a sentence or two.
        citation: the paper.
    """

    name: str
    title: str
    parameters: int
    width: int
    strides: tuple[int, ...]
    multiple: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str = ""
    weights: str = ""
    gated: bool | None = False
    obtain: str = ""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of an encoder, where a mixture of experts can stand.

    Attributes:
        module: the block.
        width: channels D of what the mixture reads and gives.
        mlp: the block's attribute that holds its feed-forward network, which maps (B, ..., D) to
            the same shape, channels last, each place by itself. The mixture takes its place, with
            copies of it as experts. None where a block has no such part (a convolution): the
            mixture is then added to the block's output, (B, D, h, w), starting at zero, with
            experts about half as large as the block.

    The network must call the block (with an `mlp`, that: `self.mlp(tokens)`) to give its maps.
    """

    module: nn.Module
    width: int
    mlp: str | None = "mlp"


@dataclass(frozen=True, slots=True)
class Encoder:
    """A network that gives spatial feature maps, and what usmt has to know of it.

    Attributes:
        module: holds all parameters; its state dict is what weight files are compared with.
        maps: (module, normalised RGB images (B, 3, H, W)) -> feature maps [(B, C, h, w)], shallow
            to deep, of spatial positions only (no class token). A function, or a
            `functools.partial` of one, which calls the network that it is given and no other:
            networks are copied.
        blocks: shallow to deep.
        mean, std: of RGB values in [0, 1], by which the input is normalised.
    """

    module: nn.Module
    maps: Callable[[Any, Tensor], list[Tensor]]
    blocks: Sequence[Block]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def check_image_size(name: str, image_size: int, multiple: int, what: str) -> None:
    """For `BackboneFamily.build`: raises `ConfigError` with the nearest sizes that fit.

    Args:
        name: of the network.
        multiple: sides of the input must be multiples of this, in pixels.
        what: of the network that is, e.g. `patch size`.
    """
    if image_size % multiple:
        below = image_size // multiple * multiple
        raise ConfigError(
            f"image_size {image_size} is not a multiple of {multiple}, the {what} of {name}",
            hint=f"Use {below or multiple} or {below + multiple}",
        )


def spread_maps(name: str, maps: int, depth: int) -> list[int]:
    """For `BackboneFamily.build`: positions, from 0, of the blocks whose outputs are the feature
    maps of a network of one width: evenly spaced, the last among them.

    Args:
        name: of the network.
        maps: how many are asked for.
        depth: number of blocks.

    Raises:
        ConfigError: there are fewer blocks.
    """
    if not 1 <= maps <= depth:
        raise ConfigError(f"backbone {name}: {maps} feature maps asked of {depth} blocks")
    return [round((i + 1) * depth / maps) - 1 for i in range(maps)]


class BackboneFamily(ABC):
    """Networks that are built in one way: those of a library, or a single one.

    A user names a network as `backbone.name: NAME`, or `FAMILY:NAME` where two families have it.
    """

    name: ClassVar[str]

    @abstractmethod
    def cards(self) -> Sequence[BackboneCard]:
        """The networks to show in `usmt backbones list`, the best known ones first."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether `build` knows a network of this name, listed or not. Never raises."""

    def names(self) -> Sequence[str]:
        """All names that are worth suggesting for one that is misspelt; by default the cards'."""
        return [card.name for card in self.cards()]

    def card(self, name: str) -> BackboneCard:
        """The card of any network that `has` knows; by default one of `cards`.

        Raises `KeyError` for a name that has none, `ConfigError` for one that `build` refuses.
        """
        return {card.name: card for card in self.cards()}[name]

    @abstractmethod
    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        """The network, before any weights are loaded.

        Args:
            name: one that `has` knows.
            image_size: side of the square input in pixels.
            maps: number of feature maps; a hierarchical network gives those that it has.
            drop_path: largest probability of leaving a block out in training, 0 for never.
            pretrained: whether it is made for pretrained weights, which are loaded afterwards, or
                trained from where it starts: layer scales, say, must then be far enough from
                zero, and batch normalisation has no statistics to keep to.

        Raises:
            ConfigError: an argument does not fit this network.
        """

    def published(self, name: str) -> tuple[Path, str]:
        """The file of the pretrained weights, downloaded if need be, and where it is from.

        Raises `WeightsError` where they cannot be had. By default there are none.
        """
        raise WeightsError(
            f"there are no pretrained weights of {name}",
            hint="Set backbone.weights to a .safetensors or .pth file of it, or to `none`",
        )

    def converted(
        self, name: str, tensors: Mapping[str, Tensor], encoder: Encoder
    ) -> Mapping[str, Tensor]:
        """The tensors of a weight file under the names and in the shapes of the encoder's state
        dict; what a classifier or pretraining alone needs may be left out. By default as they are.

        Raises `ValueError` with the reason for a file that is not of this network.
        """
        return tensors
