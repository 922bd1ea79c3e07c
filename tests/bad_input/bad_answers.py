"""Bad input to the commands that look at data and at predictions."""

from __future__ import annotations

import json

from case import Case
from damage import Damage, both, cells, cut, nothing, put

DATA = ("fmc_uia=data", "--specs", "specs")
CHECK = ("data", "check", *DATA)
SUBMISSION = ("submission", "check", "answers", "--data", "data", "--task", "breast_2cls")
SCORE = ("score", "data", "answers", "--task", "breast_2cls")
LIST = "answers/classification_predictions.json"


def command(
    name: str,
    *arguments: str,
    place: str,
    way_out: str,
    damage: Damage = nothing,
    answers: bool = False,
) -> Case:
    return Case(name, damage, arguments, place, way_out, answers)


def looked_at(name: str, damage: Damage, command_line: tuple[str, ...], way_out: str) -> Case:
    """The list of what is wrong is on stdout; the error says that there is one."""
    return Case(name, damage, command_line, "", way_out, answers=True)


def answer(image: str, **values: object) -> dict[str, object]:
    return {
        "task_id": "breast_2cls",
        "image_path": f"../images/breast_2cls/{image}.png",
        "predicted_class": 0,
        "predicted_probs": [0.75, 0.25],
        **values,
    }


def listed(*entries: object) -> Damage:
    return put(LIST, json.dumps(entries))


ALL = [answer(f"{number:02}") for number in range(1, 17)]

LOOKED_AT = [
    looked_at(
        "data check: a row and an image",
        both(cells("breast_2cls", mask="7"), put("data/images/breast_2cls/02.png", "x")),
        CHECK,
        "in the data of fmc_uia would harm training",
    ),
    looked_at(
        "data check: a quarter of everything",
        both(*(cut(f"data/images/breast_2cls/{i:02}.png") for i in range(1, 17))),
        CHECK,
        "16 errors in the data",
    ),
    command("data check: unknown task", *CHECK, "--task", "lung", place="'lung'", way_out="its ta"),
    command("data check: no root", "data", "check", "fmc_uia", place="root", way_out="=ROOT"),
    command(
        "data check: unknown dataset",
        *("data", "check", "fmc_uai=data"),
        place="'fmc_uai'",
        way_out="did you mean 'fmc_uia'?",
    ),
    command(
        "data check: list into a folder",
        *(*CHECK, "--csv", "specs"),
        place="specs",
        way_out="Is a directory",
    ),
    command(
        "data check: no split",
        *(*CHECK, "--split", "config.yaml"),
        place="config.yaml:1: ",
        way_out="expected the columns",
    ),
    command(
        "data stats: picture of another kind",
        *("data", "stats", *DATA, "--out", "stats.docx"),
        place="stats.docx",
        way_out=".png",
    ),
    command("data show: no task", "data", "show", *DATA, place="--task", way_out="Missing option"),
    command(
        "data show: picture of another kind",
        *("data", "show", *DATA, "--task", "breast_2cls", "--out", "labels.docx"),
        place="labels.docx",
        way_out=".html",
    ),
    command(
        "data show: nothing to show",
        *("data", "show", *DATA, "--task", "breast_2cls", "--count", "0"),
        place="--count",
        way_out="greater than or equal to 1",
    ),
    command(
        "data split: over a file that is there",
        *("data", "split", *DATA, "--out", "config.yaml"),
        place="config.yaml",
        way_out="--force",
    ),
    command(
        "data split: into a folder",
        *("data", "split", *DATA, "--out", "specs"),
        place="specs",
        way_out="another --out",
    ),
    command(
        "data cache build: an image cut off",
        *("data", "cache", "build", *DATA, "--task", "breast_2cls", "--size", "64"),
        damage=cut("data/images/breast_2cls/01.png"),
        place="csv_files/breast_2cls.csv:2",
        way_out="cannot be read",
        answers=True,
    ),
    command(
        "data cache build: into a file",
        *("data", "cache", "build", *DATA, "--set", "cache.folder=config.yaml"),
        place="config.yaml",
        way_out="cache.folder=DIR",
    ),
    command(
        "data cache build: no data",
        *("data", "cache", "build", "fmc_uia=gone"),
        place="gone",
        way_out="expected the challenge's layout",
    ),
]

PREDICTIONS = [
    looked_at("submission: no list", put("answers/x.txt", ""), SUBMISSION, "classification_pred"),
    looked_at("submission: a list that is text", put(LIST, "x"), SUBMISSION, "not JSON"),
    looked_at("submission: a list cut off", both(listed(*ALL), cut(LIST)), SUBMISSION, "not JSON"),
    looked_at("submission: no list but a mapping", put(LIST, "{}"), SUBMISSION, "expected a list"),
    looked_at("submission: a list of numbers", put(LIST, "[1, null]"), SUBMISSION, "[0]"),
    looked_at("submission: a list in the list", put(LIST, "[" * 9999), SUBMISSION, "not JSON"),
    looked_at("submission: an image is missing", listed(*ALL[1:]), SUBMISSION, "01.png"),
    looked_at("submission: an image twice", listed(*ALL, ALL[0]), SUBMISSION, "is already in"),
    looked_at(
        "submission: an image that is not asked for",
        listed(*ALL, answer("99")),
        SUBMISSION,
        "99.png",
    ),
    looked_at(
        "submission: another class",
        listed(answer("01", predicted_class=2), *ALL[1:]),
        SUBMISSION,
        "expected 0 to 1",
    ),
    looked_at(
        "submission: probabilities of nothing",
        listed(answer("01", predicted_probs=["x", None]), *ALL[1:]),
        SUBMISSION,
        "predicted_probs",
    ),
    looked_at(
        "submission: probabilities as NaN",
        put(LIST, json.dumps([answer("01", predicted_probs=[float("nan"), 1]), *ALL[1:]])),
        SUBMISSION,
        "predicted_probs",
    ),
    command(
        "submission: no folder",
        *SUBMISSION,
        place="answers",
        way_out="no such folder",
        answers=True,
    ),
    command(
        "submission: no data",
        *("submission", "check", "answers", "--data", "gone"),
        damage=listed(*ALL),
        place="gone",
        way_out="expected the challenge's layout",
    ),
    command(
        "submission: unknown task",
        *(*SUBMISSION[:-1], "lung"),
        damage=listed(*ALL),
        place="lung",
        way_out="breast_2cls",
    ),
    command("score: no folder", *SCORE, place="answers", way_out="folder"),
    command(
        "score: no data",
        *("score", "gone", "answers"),
        damage=listed(*ALL),
        place="gone",
        way_out="expected the challenge's layout",
    ),
    command(
        "score: unknown task",
        *(*SCORE[:-1], "lung"),
        damage=listed(*ALL),
        place="lung",
        way_out="breast_2cls",
    ),
    command(
        "score: values into a folder",
        *(*SCORE, "--csv", "specs"),
        damage=listed(*ALL),
        place="specs",
        way_out="Is a directory",
    ),
]

CASES = [*LOOKED_AT, *PREDICTIONS]
