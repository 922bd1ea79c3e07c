"""From the name of a backbone, as the settings have it, to the family that builds it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from usmt.backbone_family import BackboneFamily
from usmt.errors import ConfigError, PluginError, near
from usmt.plugin_faults import blamed
from usmt.plugins import Plugins


def find_backbone(plugins: Plugins, name: str) -> tuple[BackboneFamily, str]:
    """The family of a backbone, and the backbone's name in it. Imports no torch by itself.

    Args:
        name: `FAMILY:NAME`, or `NAME`, of which every family is then asked.

    Raises:
        ConfigError: no family has it, or several have.
        PluginError: there is no such family, or two plugins give it.
    """
    faults: list[str] = []
    prefix, colon, rest = name.partition(":")
    if colon:
        family = made(plugins.backbone(prefix))
        if _has(family, rest, faults):
            return family, rest
        said = f"the family {prefix} has no backbone '{rest}'{near(rest, _names([family]))}"
        raise _unknown(said, [*faults, *plugins.left_out()])
    families = _all_families(plugins, faults)
    having = [family for family in families if _has(family, name, faults)]
    if len(having) > 1:
        owners = [family.name for family in having]
        raise ConfigError(
            f"several families have a backbone '{name}': {', '.join(owners)}",
            hint=f"Write {' or '.join(f'{owner}:{name}' for owner in owners)}",
        )
    if not having:
        said = f"there is no backbone '{name}'{near(name, _names(families))}"
        raise _unknown(said, [*faults, *plugins.left_out()])
    return having[0], name


def made(cls: type[BackboneFamily]) -> BackboneFamily:
    """The family itself. Raises `PluginError` where its constructor breaks."""
    with blamed(f"the family {cls.name}", cls):
        return cls()


def _all_families(plugins: Plugins, faults: list[str]) -> list[BackboneFamily]:
    """Those that can be made; a line in `faults` for any other."""
    families = []
    for cls in plugins.backbones.values():
        try:
            families.append(made(cls))
        except PluginError as error:
            faults.append(f"  {error.message}")
    return families


def _has(family: BackboneFamily, name: str, faults: list[str]) -> bool:
    """False, and a line in `faults`, for a family that breaks: the name may be another's."""
    try:
        return family.has(name)
    except Exception as error:  # whatever a plugin's code may raise
        faults.append(f"  the family {family.name} failed: {type(error).__name__}: {error}")
        return False


def _names(families: Iterable[BackboneFamily]) -> list[str]:
    names: list[str] = []
    for family in families:
        with suppress(Exception):  # told by `usmt backbones list`
            names += family.names()
    return names


def _unknown(said: str, reasons: Iterable[str]) -> ConfigError:
    return ConfigError("\n".join([said, *reasons]), hint="The best known ones: usmt backbones list")
