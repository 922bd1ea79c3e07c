"""The card of a network, from what timm knows of it."""

from __future__ import annotations

import torch

from usmt import BackboneCard
from usmt_timm.cards import FROM_HUB
from usmt_timm.networks import HIERARCHICAL, check_plain, create, kind_of, strides_of


def describe(name: str) -> BackboneCard:
    """From the network, built without memory for its parameters. Without a tag, the weights are
    those that timm takes by default. Raises ConfigError for a network that cannot be used."""
    hierarchical = kind_of(name) in HIERARCHICAL
    with torch.device("meta"):
        network = create(name)
    if not hierarchical:
        check_plain(name, network)
    strides = strides_of(network)
    settings = network.pretrained_cfg
    repository = settings.get("hf_hub_id")
    return BackboneCard(
        name=name,
        title=f"{type(network).__name__} of timm",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        width=int(network.feature_info[-1]["num_chs"]),
        strides=tuple(strides[-4:]) if hierarchical else (strides[-1],) * 4,
        multiple=max(strides),
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        licence=(settings.get("license") or "not stated by timm") if repository else "",
        weights=f"https://huggingface.co/{repository}" if repository else "",
        obtain=FROM_HUB if repository else "",
    )
