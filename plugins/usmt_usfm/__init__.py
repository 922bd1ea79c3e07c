"""The backbone USFM, a foundation model of ultrasound images."""

from usmt import BackboneFamily, hookimpl
from usmt_usfm.family import USFMFamily


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return [USFMFamily]
