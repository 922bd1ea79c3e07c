"""Small networks of the built-in families keep the rules that a third party's must keep."""

from __future__ import annotations

import pytest

from usmt.testing import check_backbone
from usmt_timm import TimmFamily


@pytest.mark.parametrize(
    "name", ["test_vit.r160_in1k", "test_convnext.r160_in1k", "test_resnet.r160_in1k"]
)
def test_timm(name: str) -> None:
    """Tokens of one stride, maps of four with feed-forward blocks, and convolutions."""
    check_backbone(TimmFamily, name)
