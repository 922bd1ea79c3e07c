"""Bad command lines, with everything on disk as it should be."""

from __future__ import annotations

from case import EVALUATE, TRAIN, Case
from damage import Damage, nothing

ONE = "data/images/breast_2cls/01.png"
PREDICT = ("predict", "run")
TO_FILES = (*PREDICT, ONE, "--task", "breast_2cls")


def command(*arguments: str, place: str, way_out: str, damage: Damage = nothing) -> Case:
    return Case(f"usmt {' '.join(arguments)}", damage, arguments, place, way_out)


USAGE = [
    command("trian", place="trian", way_out="--help"),
    command("train", "--outt", "new", place="--outt", way_out="--out"),
    command("train", "--out", place="--out", way_out="requires an argument"),
    command("train", "--seed", "one", place="--seed", way_out="integer"),
    command("train", "now", place="now", way_out="--help"),
    command("evaluate", place="'run'", way_out="Missing argument"),
    command("evaluate", "run", "--split", "train", place="--split", way_out="'test'"),
    command("tasks", "shwo", place="shwo", way_out="show"),
    command("tasks", "show", place="'ID'", way_out="Missing argument"),
    command("tasks", "show", "breast_leson", place="'breast_leson'", way_out="'breast_lesion'"),
    command("groups", "show", "brest", place="'brest'", way_out="did you mean 'breast'?"),
    command("--plugins-dir", "gone", "tasks", "list", place="gone", way_out="folder"),
]

TO_TRAIN = [
    command("train", "--out", "new", place="no task to train", way_out="--group or --task"),
    command("train", "--group", "obb", "--out", "new", place="'obb'", way_out="'ob'"),
    command("train", "--task", "breast_leson", "--out", "new", place="leson", way_out="'breast_le"),
    command("train", "--preset", "papr", place="'papr'", way_out="did you mean 'paper'?"),
    command("train", "--moe", "maybe", "--task", "lung", place="moe.enabled", way_out="'auto'"),
    command(*TRAIN, "--data", "fmc_uia=data", place="--data fmc_uia", way_out="twice"),
    command(*TRAIN, "--data", "fmc_uai=data", place="'fmc_uai'", way_out="'fmc_uia'"),
    command(*TRAIN, "--data", "=data", place="--data =data", way_out="NAME=ROOT"),
    command(*TRAIN, "--data", "phantom=", place="--data phantom=", way_out="NAME=ROOT"),
    command(
        *("train", "--task", "lung", "--data", "fmc_uia", "--out", "new"),
        place="data.fmc_uia.root",
        way_out="--data fmc_uia=ROOT",
    ),
    command(
        *("train", "--task", "lung", "--data", "fmc_uia=gone", "--out", "new"),
        place="gone",
        way_out="expected the challenge's layout",
    ),
    command(
        *("train", "--task", "lung", "--data", "fmc_uia=specs", "--out", "new"),
        place="specs",
        way_out="expected the challenge's layout",
    ),
    command(
        *("train", "--task", "lung", "--data", "fmc_uia=data", "--out", "new"),
        place="task_id 'lung'",
        way_out="its task_ids: breast_2cls",
    ),
    command(*TRAIN[:-1], "config.yaml", place="--out config.yaml", way_out="another --out"),
    command(
        *TRAIN[:-1], "config.yaml/new", place="--out config.yaml/new", way_out="is not a folder"
    ),
    command(*TRAIN[:-1], "data", place="data: exists and is not empty", way_out="another --out"),
    command(*TRAIN[:-1], "/proc/new", place="--out /proc/new", way_out="another --out"),
]

TO_EVALUATE = [
    command(*EVALUATE, "--task", "breast_2cl", place="'breast_2cl'", way_out="'breast_2cls'"),
    command(*EVALUATE, "--data", "fmc_uia=gone", place="gone", way_out="challenge's layout"),
    command(*EVALUATE, "--data", "fmc_uia", place="data.fmc_uia.root", way_out="=ROOT"),
    command("evaluate", "data", place="data: not a run", way_out="Give the folder"),
]

TO_PREDICT = [
    command(*PREDICT, place="neither images nor --data", way_out="usmt predict RUN IMAGE"),
    command(*PREDICT, ONE, "--data", "fmc_uia=data", place="both images", way_out="usmt predict"),
    command(*PREDICT, ONE, place="several tasks", way_out="its tasks: breast_lesion"),
    command(*PREDICT, ONE, "--task", "lung", place="no task 'lung'", way_out="its tasks: breast"),
    command(
        *PREDICT, "gone.png", "--task", "breast_2cls", place="gone.png", way_out="no such file"
    ),
    command(*PREDICT, "specs", "--task", "breast_2cls", place="specs", way_out=".png"),
    command(*TO_FILES, "--pixel-size", "wide", place="--pixel-size wide", way_out="e.g. 0.18"),
    command(*TO_FILES, "--pixel-size", "0", place="--pixel-size 0", way_out="e.g. 0.18"),
    command(*TO_FILES, "--pixel-size", "nan", place="--pixel-size nan", way_out="e.g. 0.18"),
    command(
        *TO_FILES, "--batch-size", "0", place="--batch-size", way_out="greater than or equal to 1"
    ),
    command(*TO_FILES, "--device", "cuda", place="device: cuda", way_out="--device cpu"),
    command(*TO_FILES, "--out", "config.yaml", place="--out config.yaml", way_out="not a folder"),
    command(*PREDICT, "config.yaml", "--task", "breast_2cls", place="config.yaml", way_out="image"),
    command("predict", "specs", ONE, place="specs: not a run", way_out="Give the folder"),
    command(
        *(*PREDICT, "--data", "fmc_uia=data", "--out", "specs"),
        place="--out specs",
        way_out="Choose another --out",
    ),
    command(*PREDICT, "--data", "phantom=data", place="data.phantom.root", way_out="allowed"),
    command(*PREDICT, "--data", "fmc_uia=gone", place="gone", way_out="challenge's layout"),
]

CASES = [*USAGE, *TO_TRAIN, *TO_EVALUATE, *TO_PREDICT]
