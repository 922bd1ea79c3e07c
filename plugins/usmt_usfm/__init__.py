"""The backbone USFM, a foundation model of ultrasound images."""

from usmt import BackboneFamily, hookimpl


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return []
