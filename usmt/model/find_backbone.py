"""From the name of a backbone, as the settings have it, to the family that builds it."""

from __future__ import annotations

from collections.abc import Iterable

from usmt.backbone_family import BackboneFamily
from usmt.errors import ConfigError, near
from usmt.plugins import Plugins


def find_backbone(plugins: Plugins, name: str) -> tuple[BackboneFamily, str]:
    """The family of a backbone, and the backbone's name in it. Imports no torch by itself.

    Args:
        name: `FAMILY:NAME`, or `NAME`, of which every family is then asked.

    Raises:
        ConfigError: no family has it, or several have.
        PluginError: there is no such family, or two plugins give it.
    """
    prefix, colon, rest = name.partition(":")
    if colon:
        family = plugins.backbone(prefix)()
        if family.has(rest):
            return family, rest
        raise _unknown(f"the family {prefix} has no backbone '{rest}'", rest, [family], plugins)
    families = [cls() for cls in plugins.backbones.values()]
    having = [family for family in families if family.has(name)]
    if len(having) > 1:
        owners = [family.name for family in having]
        raise ConfigError(
            f"several families have a backbone '{name}': {', '.join(owners)}",
            hint=f"Write {' or '.join(f'{owner}:{name}' for owner in owners)}",
        )
    if not having:
        raise _unknown(f"there is no backbone '{name}'", name, families, plugins)
    return having[0], name


def _unknown(
    said: str, name: str, asked: Iterable[BackboneFamily], plugins: Plugins
) -> ConfigError:
    known = [card.name for family in asked for card in family.cards()]
    lines = [f"{said}{near(name, known)}", *plugins.left_out()]
    return ConfigError("\n".join(lines), hint="All that are known by name: usmt backbones list")
