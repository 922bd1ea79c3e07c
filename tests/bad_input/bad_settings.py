"""Bad settings: in a file, after --set, and in named options."""

from __future__ import annotations

from case import TRAIN, Case
from damage import folder_instead, nothing, put, remove, replace
from small_copy import CONFIG

TYPES = "task_types.segmentation"


def config(name: str, text: str | bytes, place: str, way_out: str) -> Case:
    """The text of config.yaml, and the line and column that are named."""
    return Case(f"config: {name}", put("config.yaml", text), TRAIN, f"config.yaml:{place}", way_out)


def set_(name: str, assignment: str, place: str, way_out: str) -> Case:
    return Case(f"--set: {name}", nothing, (*TRAIN, "--set", assignment), place, way_out)


FILES = [
    config("unknown key", CONFIG + "optimiser: {clip: 1}\n", "9:1: ", "did you mean 'optimizer'?"),
    config(
        "unknown key inside",
        CONFIG.replace("experts:", "expert:"),
        "3:7: moe.expert: ",
        "did you mean 'experts'?",
    ),
    config("wrong type", CONFIG.replace("epochs: 2", "epochs: two"), "7:9: ", "a whole number"),
    config("out of range", CONFIG.replace("epochs: 2", "epochs: 0"), "7:9: ", "at least 1"),
    config("a key twice", CONFIG + "epochs: 3\n", "9:1: ", "is there already, on line 7"),
    config("no YAML", CONFIG + "seed: [1\n", "", "closing bracket"),
    config("a list", "- epochs: 2\n", "1:1: ", "expected a mapping"),
    config("bytes", b"\xff\xfe\x00", "1:1: ", "save the file as UTF-8"),
    config("NaN", CONFIG + "optimizer: {weight_decay: .nan}\n", "9:", "expected"),
    config("a tag of Python's", CONFIG + "seed: !!python/name:os.system\n", "9:7: ", "supported"),
    Case("config: missing", remove("config.yaml"), TRAIN, "config.yaml:1:1: ", "cannot be read"),
    Case(
        "config: a folder", folder_instead("config.yaml"), TRAIN, "config.yaml:1:1: ", "a directory"
    ),
    Case(
        "config: an unknown option of a dataset",
        replace("config.yaml", "epochs: 2", "data: {fmc_uia: {folder: x}}\nepochs: 2"),
        TRAIN,
        "data.fmc_uia.folder",
        "allowed: root",
    ),
]

ASSIGNED = [
    set_("no =", "epochs", "--set epochs", "key=value"),
    set_("no key", "=3", "--set =3", "key=value"),
    set_("no name between dots", "moe..experts=3", "--set moe..experts=3", "key=value"),
    set_("no YAML", "moe={experts: [", "--set moe={experts: [", "not a YAML value"),
    set_("unknown key", "epoch=3", "epoch: ", "did you mean 'epochs'?"),
    set_("wrong type", "epochs=many", "epochs: ", "expected a whole number"),
    set_("a rate of NaN", "optimizer.learning_rate.head=.nan", "learning_rate", "finite"),
    set_("a mapping for a number", "epochs.first=3", "epochs: ", "expected a whole number"),
    set_("a number for a mapping", "moe=3", "moe: ", "expected a mapping"),
    set_("out of range", "split.val=0.9", "split.val: ", "at most 0.5"),
    set_("an infinite rate", "optimizer.weight_decay=.inf", "optimizer.weight_decay", "expected"),
    set_("a huge number", "epochs=1e400", "epochs: ", "expected"),
    set_("a size between patches", "image_size=70", "image_size 70", "Use 64 or 80"),
    set_("a tiny size", "image_size=0", "image_size: ", "at least 32"),
    set_("no expert", "moe.experts=0", "moe.experts: ", "at least 2"),
    set_("more experts than there are", "moe.top_k=3", "top_k", "experts"),
    set_("more blocks than there are", "moe.blocks=60", "blocks", "60"),
    set_("a batch in too many pieces", "accumulate=64", "accumulate 64", "lower accumulate"),
    set_("a batch of none", "batch_size=0", "batch_size: ", "at least 1"),
    set_("weight of another task", "task_weights.lung=2", "task_weights.lung", "its tasks: "),
    set_("a negative weight", "task_weights.breast_2cls=-1", "task_weights.breast_2cls", "least 0"),
    set_("unknown task type", "task_types.segmentaton={}", "segmentaton", "did you mean"),
    set_("unknown option", f"{TYPES}.chanels=3", f"{TYPES}.chanels", "allowed"),
    set_("an option out of range", f"{TYPES}.fusion_channels=0", f"{TYPES}.fusion", "at least"),
    set_("unknown backbone", "backbone.name=test_vitt", "'test_vitt'", "did you mean 'test_vit"),
    set_("another kind of backbone", "backbone.name=vgg11", "backbone vgg11", "backbones list"),
    set_("unknown device", "device=gpu", "device: ", "'cuda'"),
    set_("no device", "device=cuda", "device: cuda", "--set device=cpu"),
    set_("fp16 without a device", "precision=fp16", "precision: fp16", "bf16 or fp32"),
    set_("a rate that overflows", "optimizer.learning_rate.head=1e38", "learning_rate", "at most"),
]

CASES = [*FILES, *ASSIGNED]
