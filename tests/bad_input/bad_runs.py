"""Bad runs, checkpoints and weights."""

from __future__ import annotations

from case import EVALUATE, RESUME, TRAIN, Case
from damage import (
    Damage,
    both,
    cells,
    cut,
    flip_bit,
    in_json,
    nothing,
    put,
    redrawn,
    remove,
    replace,
    tensors,
    trap,
    vouch,
)

PREDICT = ("predict", "run", "data/images/breast_2cls/01.png", "--task", "breast_2cls")
AS_JSON = (*EVALUATE, "--json")
WAY_OUT = "Restore the folder from a copy"


def best(name: str, damage: Damage, said: str, command: tuple[str, ...] = EVALUATE) -> Case:
    return Case(f"checkpoint: {name}", damage, command, "run/best: ", said)


def last(name: str, damage: Damage, way_out: str = WAY_OUT) -> Case:
    return Case(f"checkpoint to go on with: {name}", damage, RESUME, "stopped/last: ", way_out)


def run(name: str, damage: Damage, place: str, way_out: str) -> Case:
    return Case(f"run: {name}", damage, EVALUATE, place, way_out)


def resumed(name: str, damage: Damage, place: str, way_out: str) -> Case:
    return Case(f"resume: {name}", damage, RESUME, place, way_out)


def weights(name: str, damage: Damage, file: str, way_out: str) -> Case:
    """Of a file that is given as the backbone's weights."""
    command = (*TRAIN, "--set", f"backbone.weights={file}")
    return Case(f"weights: {name}", damage, command, file, way_out)


CHECKPOINTS = [
    best("tensors cut off", cut("run/best/model.safetensors"), "model.safetensors is not what was"),
    best("a bit flipped", flip_bit("run/best/model.safetensors"), "its SHA-256 differs"),
    best("a bit flipped, to predict", flip_bit("run/best/model.safetensors"), WAY_OUT, PREDICT),
    best("a bit flipped, told as JSON", flip_bit("run/best/model.safetensors"), WAY_OUT, AS_JSON),
    best("no manifest", remove("run/best/manifest.json"), "manifest.json is missing"),
    best("a manifest that is text", put("run/best/manifest.json", "x"), "missing or unreadable"),
    best("a manifest of nothing", in_json("run/best/manifest.json", {"sha256": {}}), "not list"),
    best("a file too many", put("run/best/notes.txt", "x"), "notes.txt does not belong to it"),
    best("a file too few", remove("run/best/state.json"), "state.json is missing"),
    best("none", remove("run/best"), "there is no checkpoint"),
    best(
        "vouched for, but no tensors",
        both(put("run/best/model.safetensors", "text"), vouch("run/best")),
        WAY_OUT,
    ),
    best(
        "vouched for, but of another network",
        both(tensors("run/best/model.safetensors", {"w": (2, 3)}), vouch("run/best")),
        "network",
    ),
    last("a pickle that runs code", trap("stopped/last/optimizer.pt")),
    last(
        "a pickle that runs code, vouched for",
        both(trap("stopped/last/optimizer.pt"), vouch("stopped/last")),
    ),
    last("cut off", cut("stopped/last/optimizer.pt")),
    last("cut off and vouched for", both(cut("stopped/last/optimizer.pt"), vouch("stopped/last"))),
    last(
        "a state of nothing",
        both(put("stopped/last/state.json", "{}"), vouch("stopped/last")),
    ),
]

RUNS = [
    run("none", remove("run"), "run: not a run", "Give the folder that `usmt train` printed."),
    run("a file", both(remove("run"), put("run", "x")), "run: not a run", "Give the folder"),
    run("settings cut off", cut("run/config.yaml"), "run/config.yaml:", "restore it from a copy"),
    run("settings that are text", put("run/config.yaml", "x"), "run/config.yaml:1:1", "expected"),
    run("unknown setting", put("run/config.yaml", "epoch: 3"), "run/config.yaml:1:1", "'epochs'"),
    run("no list of tasks", remove("run/task_specs/tasks.yaml"), "tasks.yaml:1:1", "cannot be"),
    run("a list of no tasks", put("run/task_specs/tasks.yaml", "a: 1"), "tasks.yaml", "tasks"),
    run(
        "a task's spec is lost",
        remove("run/task_specs/tasks/breast_2cls.yaml"),
        "task_specs/tasks/breast_2cls.yaml:1:1",
        "cannot be read",
    ),
    run(
        "a task's spec is damaged",
        replace("run/task_specs/tasks/breast_2cls.yaml", "classes", "clases"),
        "task_specs/tasks/breast_2cls.yaml:",
        "did you mean 'classes'?",
    ),
    run(
        "a task has another type",
        put("run/task_specs/tasks/breast_2cls.yaml", "id: breast_2cls\n"),
        "task_specs/tasks/breast_2cls.yaml",
        "missing",
    ),
    run("split edited", replace("run/split.csv", ",val,", ",test,"), "run/split.csv", "Restore it"),
    run("split cut off", cut("run/split.csv"), "run/split.csv:", "not a row of a split"),
    run("split lost", remove("run/split.csv"), "run/split.csv", "No such file"),
    run("split of bytes", put("run/split.csv", b"\xff\xfe\0"), "run/split.csv:1", "not UTF-8"),
    run("data.json lost", remove("run/data.json"), "run/data.json", "cannot be read"),
    run("data.json is text", put("run/data.json", "x"), "run/data.json", "cannot be read"),
    run("data.json is a list", put("run/data.json", "[1]"), "run/data.json", "cannot be read"),
    run("data.json of numbers", put("run/data.json", '{"fmc_uia": 3}'), "run/", "began with"),
    run("data moved away", remove("data"), "there is no folder", "expected the challenge's layout"),
]

RESUMED = [
    Case("resume: no run", nothing, ("train", "--resume", "specs"), "specs: not a run", "Give the"),
    resumed(
        "an image changed",
        redrawn("data/images/breast_2cls/01.png", lambda pixels: 255 - pixels),
        "01.png",
        "Restore the data",
    ),
    resumed(
        "a row is gone",
        replace("data/csv_files/breast_2cls.csv", "../images/breast_2cls/16.png", "../images/x"),
        "16.png",
        "Restore the data",
    ),
    resumed(
        "a label changed for nonsense",
        cells("breast_2cls", mask="7"),
        "csv_files/breast_2cls.csv:2",
        "one of 0 to 1",
    ),
    resumed("scores are text", put("stopped/scores.json", "x"), "scores.json", "cannot be read"),
    Case(
        "resume: with settings of its own",
        nothing,
        (*RESUME, "--set", "epochs=3"),
        "--set cannot be given with --resume",
        "keeps the settings",
    ),
    Case(
        "resume: with a group",
        nothing,
        (*RESUME, "--group", "ward"),
        "--group cannot be given with --resume",
        "keeps the settings",
    ),
]

WEIGHTS = [
    weights("missing", nothing, "gone.pth", "random weights on purpose"),
    weights("misspelt", nothing, "pretraind", "did you mean 'pretrained'?"),
    weights("a folder", nothing, "data", "random weights on purpose"),
    weights("text", put("weights.pth", "x"), "weights.pth", "cannot be read as weights"),
    weights("empty", put("weights.safetensors", ""), "weights.safetensors", "cannot be read"),
    weights("another suffix", put("weights.npz", "x"), "weights.npz", "none of .safetensors"),
    weights("a pickle that runs code", trap("weights.pth"), "weights.pth", "holds other objects"),
    weights(
        "of another network",
        tensors("weights.safetensors", {"cls_token": (1, 1, 64), "neck": (2, 3)}),
        "weights.safetensors",
        "missing: ",
    ),
    weights("no tensors", tensors("weights.safetensors", {}), "weights.safetensors", "no tensors"),
]

CASES = [*CHECKPOINTS, *RUNS, *RESUMED, *WEIGHTS]
