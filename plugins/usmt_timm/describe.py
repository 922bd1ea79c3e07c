"""The card of a network, from what timm knows of it."""

from __future__ import annotations

from usmt import BackboneCard
from usmt_timm.cards import FROM_HUB
from usmt_timm.networks import HIERARCHICAL, kind_of, sketched, strides_of

NOT_TIMMS = f"{FROM_HUB} The repository is not timm's own: whether it is open to all is said there."


def describe(name: str) -> BackboneCard:
    """From the network, built without memory for its parameters. Without a tag, the weights are
    those that timm takes by default. Raises ConfigError for a network that cannot be used."""
    network = sketched(name)
    strides = strides_of(network)
    settings = network.pretrained_cfg
    repository = settings.get("hf_hub_id") or ""
    timms_own = repository.startswith("timm/")
    return BackboneCard(
        name=name,
        title=f"{type(network).__name__} of timm",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        width=int(network.feature_info[-1]["num_chs"]),
        strides=tuple(strides[-4:]) if kind_of(network) in HIERARCHICAL else (strides[-1],) * 4,
        multiple=max(strides),
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        licence=(settings.get("license") or "not stated by timm") if repository else "",
        weights=f"https://huggingface.co/{repository}" if repository else "",
        gated=None if repository and not timms_own else False,
        obtain=(FROM_HUB if timms_own else NOT_TIMMS) if repository else "",
    )
