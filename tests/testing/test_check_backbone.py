"""`check_backbone` passes a sound family, and names the rule that a broken one breaks."""

from __future__ import annotations

import re

import broken_backbones as broken
import pytest
import torch
from imports_torch import SlowNets
from sound_backbone import (
    Dropout,
    Frozen,
    InSequence,
    Nets,
    NoElements,
    OfOneSize,
    Patched,
    WeightNormalised,
    WithoutBlocks,
)

from usmt import BackboneFamily
from usmt.testing import BrokenRuleError, check_backbone

CASES = {
    broken.WrongParameters: ["the card must be true", "parameters 8872", "1000000"],
    broken.WrongWidth: ["the card must be true", "width 32", "64"],
    broken.WrongStrides: ["the card must be true", "strides (4, 8, 16)"],
    broken.WrongMean: ["the card must be true", "mean (0.5, 0.5, 0.5)", "0.485"],
    broken.MeanOfBytes: ["RGB values in [0, 1]", "mean (128.0, 128.0, 128.0)", "by 255"],
    broken.StdOfBytes: ["RGB values in [0, 1]", "std (64.0, 64.0, 64.0)", "by 255"],
    broken.Misspelt: ["would never be called", "publishes", "did you mean 'published'?"],
    broken.WeightsWithoutLicence: ["a card must tell people", "nothing for licence"],
    broken.CardOfAnother: ["the card of the network that was asked for", "found:    other"],
    broken.HasRaises: ["has must say whether", "never raise", "KeyError"],
    broken.HasAll: ["has must say whether", "expected: False"],
    broken.AnySize: ["raise a ConfigError for an input that does not fit", "image_size 65"],
    broken.Tokens: ["`maps` must give feature maps (B, C, h, w)", "leave class tokens out"],
    broken.Reversed: ["maps must come shallow to deep", "[4, 8, 16]"],
    broken.CallsItsOwn: ["a copy must be whole", "the network that it is given, and no other"],
    broken.Unseeded: ["the same image must give the same maps", "torch.manual_seed(0)"],
    broken.Noisy: ["the same image must give the same maps", "two passes in eval mode"],
    broken.OverTheBatch: ["an image alone and among others", "never over the batch"],
    broken.NotFinite: ["feature maps must be finite"],
    broken.Unreached: ["gradients must reach every parameter", "extra"],
    broken.NoListOfBlocks: ["must give a usmt.Encoder, whose blocks", "blocks are no list"],
    broken.BlocksOfAnother: ["each Block must be a part of the network", "does not hold"],
    broken.NoSuchMlp: ["has no 'mlp'; its parts: convolution, norm", "or has mlp=None"],
    broken.WrongBlockWidth: ["a Block must say what", "width=7", "(3, 8, 16, 16)", "give width=8"],
    broken.ForgetsNames: ["weights that were saved must be loaded", "WeightsError"],
    broken.FillsIn: ["a file of another network must be refused"],
    broken.ConvertedRaises: ["ValueError with the reason for a foreign file", "KeyError"],
    broken.Unfinished: ["must define all of usmt.BackboneFamily", "build, cards"],
    broken.OnlyWithoutWeights: ["must build every network", "pretrained=True", "freeze_statistics"],
    broken.BatchNorm: ["must not depend on the rows it meets", "pretrained=True"],
    broken.FewerMapsOfPretrained: ["whatever `pretrained` is", "features"],
    broken.DropsAlways: ["drop_path=0.5, in eval mode", "leave blocks out in training alone"],
    broken.RaisesOnDropPath: ["must build every network", "drop_path=0.5", "ZeroDivisionError"],
    broken.RenamesOnDropPath: ["the same names, whatever `drop_path`", "2.norm.1.bias"],
    broken.OneSize: ["`maps` must give feature maps", "80 x 80 pixels", "size of tensor"],
    broken.WrongMultiple: ["the card must be true", "image_size 72", "`multiple`"],
    broken.OutsideTheStateDict: ["must be in the module's state dict", "parameters or buffers"],
    broken.Closure: ["a copy must be whole", "and no other"],
    broken.MapsAsTuple: ["are not a list of tensors, but a tuple", "give a list of maps"],
    broken.BlockTwice: ["a part of its own", "block 4 of 4", "the module of block 1"],
    broken.BlocksDeepToShallow: ["list the blocks shallow to deep", "[3, 2, 1]"],
    broken.UncalledBlock: ["block 4 of 4, a Stage", "no call of its module"],
    broken.MixesPlaces: ["`mlp` must see each place by itself", "block 1 of 1"],
    broken.SetBeforeThePass: ["backbone.checkpointing", "gradients that differ"],
    SlowNets: ["imports_torch: importing it must import no slow library"],
}


@pytest.mark.parametrize(
    "family",
    [Nets, Frozen, NoElements, InSequence, Patched, OfOneSize, WithoutBlocks, WeightNormalised],
    ids=lambda each: each.__name__,
)
def test_a_sound_family_passes(family: type[BackboneFamily]) -> None:
    check_backbone(family, "plain")


@pytest.mark.parametrize("family", CASES, ids=lambda each: each.__name__)
def test_a_broken_rule_is_named(family: type[BackboneFamily]) -> None:
    with pytest.raises(BrokenRuleError) as caught:
        check_backbone(family, "plain")
    text = str(caught.value)
    assert family.__name__ in text or family.__module__ in text
    for part in CASES[family]:
        assert part in text, text
    assert re.search(r"(broken_backbones|imports_torch|sound_backbone)\.py:\d+", text), text


def test_the_generator_of_the_caller_is_left_as_it_is() -> None:
    before = torch.random.get_rng_state()
    check_backbone(Dropout, "plain")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_wrong_call_is_told() -> None:
    with pytest.raises(BrokenRuleError, match="needs the class of a family"):
        check_backbone(Nets(), "plain")
