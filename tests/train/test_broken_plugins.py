"""A plugin that loads and then breaks its contract in the middle of a run: the user reads which
task, task type or dataset, what was expected, what came, and the line."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import Answer, Usmt
from PIL import Image

SOUND = """
from dataclasses import dataclass

from usmt import Dataset, ImageMetric, Record, TaskType, hookimpl, read_image


@dataclass
class Shade:
    value: float


def error(result, label):
    return abs(result.value - label)


class Greyness(TaskType):
    name = "greyness"
    Result = Shade
    primary = "error"

    def problems(self, spec, label, size):
        return []

    def wrap(self, spec, label, size):
        return {"grey": label}

    def target(self, spec, wrapped, size):
        import torch

        return {"grey": torch.tensor([wrapped["grey"]])}

    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))

    def loss(self, spec, prediction, target):
        return (prediction - target["grey"]).abs().mean(dim=1)

    def decode(self, spec, prediction, frame):
        return Shade(float(prediction[0]))

    def metrics(self, spec):
        return {"error": ImageMetric(error, higher_is_better=False)}

    def selection_score(self, spec, scores):
        return 1 / (1 + scores["error"])

    def trivial(self, spec, labels):
        mean = sum(label for label, _ in labels) / len(labels)
        return lambda size: Shade(mean)

    def draw_label(self, spec, image, label):
        return image.copy()

    def draw_result(self, spec, image, result):
        return image.copy()


class Wall(Dataset):
    name = "wall"

    def records(self, task):
        names = sorted(path.name for path in self.options.root.iterdir())
        return [Record(task.id, name, name, f"row of {name}") for name in names]

    def read_image(self, record):
        return read_image(self.options.root / record.key)

    def read_label(self, record, task):
        return int(record.key[0]) / 10


@hookimpl
def usmt_task_types():
    return [Greyness]


@hookimpl
def usmt_datasets():
    return [Wall]
"""

MISTAKES = {
    "loss of all rows at once": (
        ".abs().mean(dim=1)",
        ".abs().mean()",
        "loss() of the task type greyness gave a tensor (), expected a tensor (2,)",
        "def loss",
    ),
    "losses of each row": (
        ".abs().mean(dim=1)",
        ".abs().repeat(1, 2)",
        "loss() of the task type greyness gave a tensor (2, 2), expected a tensor (2,)",
        "def loss",
    ),
    "no loss": ("return (prediction -", "(prediction -", "loss() of the task type", "def loss"),
    "loss that takes other arguments": (
        "def loss(self, spec, prediction, target)",
        "def loss(self, prediction, target)",
        "loss() of the task type greyness: TypeError",
        "def loss",
    ),
    "loss that raises": ('target["grey"]', 'target["gray"]', "KeyError: 'gray'", "(prediction -"),
    "target of nothing": (
        'return {"grey": torch',
        'return {}, {"grey": torch',
        "target() of the task type greyness gave a tuple, expected a dict of tensors",
        "def target",
    ),
    "empty target": (
        'return {"grey": torch.tensor([wrapped["grey"]])}',
        "return {}",
        "target() of the task type greyness gave a dict of nothing, expected a dict of tensors",
        "def target",
    ),
    "targets of many shapes": (
        'torch.tensor([wrapped["grey"]])',
        'torch.ones(int(10 * wrapped["grey"]) + 1)',
        "the same names and shapes for all records",
        "def target",
    ),
    "no prediction": (
        "return nn.Sequential(",
        "class Nothing(nn.Module):\n"
        "            def forward(self, features):\n"
        "                return None\n\n"
        "        return nn.Sequential(Nothing()) if spec else (",
        "head() of the task type greyness made a module that gave None for 2 images",
        "def head",
    ),
    "a head that does not fit": (
        "nn.Flatten(), ",
        "",
        "head() of the task type greyness: RuntimeError",
        "def head",
    ),
    "a head that is no module": (
        "return nn.Sequential(",
        "return [nn.Sequential][:1] or (",
        "head() of the task type greyness gave a list, expected an nn.Module",
        "def head",
    ),
    "a decoder without channels": (
        "    def head(self",
        "    def decoder(self, features):\n"
        "        from torch import nn\n\n"
        "        return nn.Sequential()\n\n"
        "    def head(self",
        "decoder() of the task type greyness gave a Sequential, expected None or an nn.Module with "
        "out_channels",
        "def decoder",
    ),
    "decode that raises": ("Shade(float(prediction[0]))", "1 / 0", "ZeroDivisionError", "1 / 0"),
    "decode of another type": (
        "return Shade(float(prediction[0]))",
        "return prediction",
        "decode() of the task type greyness gave a tensor (1,), expected a Shade",
        "def decode",
    ),
    "trivial that is no function": (
        "return lambda size: Shade(mean)",
        "return Shade(mean)",
        "trivial() of the task type greyness gave a Shade, expected a function",
        "def trivial",
    ),
    "trivial that raises later": (
        "lambda size: Shade(mean)",
        "lambda size: Shade(mean / 0)",
        "trivial() of the task type greyness: ZeroDivisionError",
        "mean / 0",
    ),
    "metrics that are functions": (
        '"error": ImageMetric(error, higher_is_better=False)',
        '"error": error',
        "gave a function as 'error', expected a torchmetrics Metric",
        "def metrics",
    ),
    "no primary metric": (
        '{"error": Im',
        '{"mae": Im',
        "lacks 'error', the primary",
        "def metrics",
    ),
    "metrics that give several numbers": (
        "def metrics(self, spec):",
        "def metrics(self, spec):\n"
        "        class Two(ImageMetric):\n"
        "            per_image = False\n\n"
        "            def compute(self):\n"
        "                return {'a': 1.0}\n\n"
        "        return {'error': Two(error, higher_is_better=True)}\n",
        "gave 'error', whose compute() gave a dict of a, expected one number",
        "def metrics",
    ),
    "a metric that raises": (
        "abs(result.value - label)",
        "abs(result.worth - label)",
        "the metric 'error' of the task type greyness: AttributeError",
        "result.worth",
    ),
    "a selection score of more than 1": (
        'return 1 / (1 + scores["error"])',
        "return 7",
        "selection_score() of the task type greyness gave 7 for error ",
        "def selection_score",
    ),
    "a selection score that is not defined": (
        'return 1 / (1 + scores["error"])',
        'return float("nan")',
        "selection_score() of the task type greyness gave nan for error ",
        "def selection_score",
    ),
    "a label that is missed": (
        "int(record.key[0])",
        '{}["side"]',
        "dataset wall: read_label() for row of 0.png: KeyError: 'side'",
        '{}["side"]',
    ),
    "an image that is missed": (
        "read_image(self.options.root / record.key)",
        '{}["file"]',
        "dataset wall: read_image() for row of 0.png: KeyError: 'file'",
        '{}["file"]',
    ),
    "problems that raise": (
        "return []",
        "return label['problems']",
        "problems() of the task type greyness for row of 0.png: TypeError",
        "label['problems']",
    ),
    "a label that cannot be wrapped": (
        '{"grey": label}',
        '{"grey": label["grey"]}',
        "wrap() of the task type greyness: TypeError",
        '{"grey": label["grey"]}',
    ),
    "records that a default method asks for": (
        "    def records(self, task):",
        "    asked = 0\n\n    def records(self, task):\n"
        "        self.asked += 1\n"
        "        if self.asked > 1:\n"
        "            raise ValueError('asked again')",
        "all_records() for all its tasks: ValueError: asked again",
        "raise ValueError",
    ),
    "misfits that are nothing": (
        "    def records",
        "    @classmethod\n    def misfits(cls, task):\n        return None\n\n    def records",
        "misfits() for the task wall_grey gave None, expected a list of texts",
        "@classmethod",
    ),
    "records that raise": (
        "row of {name}",
        "{task.row}",
        "records() for the task wall_grey: ",
        "{t",
    ),
    "records of another task": (
        "Record(task.id,",
        'Record("wall",',
        "asked for the task 'wall_grey' and gave a record of the task 'wall' (row of 0.png)",
        "def records",
    ),
    "no records": (
        "return [Record",
        "[Record",
        "records() for the task wall_grey: ",
        "def records",
    ),
    "a dataset that does not open": (
        "    def records",
        "    def __init__(self, options):\n        self.rows = {}['rows']\n\n    def records",
        "dataset wall: opening it: KeyError: 'rows'",
        "{}['rows']",
    ),
}


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.fixture
def train(usmt: Usmt, tmp_path: Path, request: pytest.FixtureRequest):
    """`train(text, *more)` -> answer of a run of two epochs on ten images, and the plugin's file,
    which has another name in each test."""
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for number in range(10):
        pixels = rng.integers(0, 255, (20, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{number}.png")
    (tmp_path / "specs" / "tasks").mkdir(parents=True)
    (tmp_path / "specs" / "tasks" / "wall_grey.yaml").write_text(
        "id: wall_grey\ntitle: Grey walls\ntype: greyness\norgan: wall\ndataset: wall\n"
        "images: 10\nflip: both\ncitation: none\n"
    )
    name = re.sub(r"\W+", "_", f"plugin_{request.node.name}")
    file = tmp_path / "loose" / f"{name}.py"
    file.parent.mkdir()

    def run(text: str, *more: object) -> tuple[Answer, Path]:
        file.write_text(text)
        sys.modules.pop(name, None)
        options = ("epochs=2", "batch_size=2", "image_size=64", "cache.disk_mb=0", "split.val=0.3")
        answer = usmt(
            *("train", "--task", "wall_grey", "--data", f"wall={tmp_path / 'data'}"),
            *("--specs", tmp_path / "specs", "--plugins-dir", file.parent),
            *("--out", tmp_path / "run"),
            *(part for option in options for part in ("--set", option)),
            *more,
        )
        return answer, file

    return run


def test_the_plugin_itself_is_sound(train) -> None:
    answer, _ = train(SOUND)
    assert answer.code == 0, answer.err


def told(answer: Answer) -> str:
    """On one line, as the terminal may be narrow."""
    return " ".join(answer.err.split())


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(train, name: str) -> None:
    sound, broken, expected, line = MISTAKES[name]
    assert SOUND.count(sound) == 1
    text = SOUND.replace(sound, broken)
    answer, file = train(text)
    assert answer.code == 1, answer.err
    assert "Traceback" not in answer.err and "defect of usmt" not in answer.err
    assert expected in told(answer)
    assert re.search("wall_grey|dataset wall|task type greyness", told(answer))
    number = next(n for n, each in enumerate(text.splitlines(), 1) if line in each)
    assert f"{file}:{number})" in answer.err.replace("\n", "")
    assert "a fault of the plugin" in told(answer)


@pytest.mark.parametrize("name", ["targets of many shapes", "empty target"])
def test_a_mistake_in_a_process_that_loads_is_told_alike(train, name: str) -> None:
    sound, broken, expected, _ = MISTAKES[name]
    answer, _ = train(SOUND.replace(sound, broken), "--set", "workers=2")
    assert answer.code == 1, answer.err
    assert expected in told(answer)
    assert "Traceback" not in answer.err and "worker process" not in answer.err


def test_an_error_for_people_in_a_process_that_loads_stays_one(train) -> None:
    """An image that vanishes after the scan, say."""
    text = SOUND.replace(
        "        import torch\n",
        "        import torch\n        from usmt import DataError\n"
        "        raise DataError('row 7: gone', hint='Bring it back.')\n",
    )
    answer, _ = train(text, "--set", "workers=1")
    assert answer.code == 1
    assert answer.err.splitlines()[-2:] == ["error: row 7: gone", "  Bring it back."]


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(train, tmp_path) -> None:
    sound, broken, *_ = MISTAKES["loss of all rows at once"]
    answer, _ = train(SOUND.replace(sound, broken))
    assert answer.code == 1 and not (tmp_path / "run").exists()
    assert "there is no checkpoint yet" in answer.err
    answer, _ = train(SOUND.replace(sound, broken), "--out", tmp_path / "new" / "deep")
    assert answer.code == 1 and not (tmp_path / "new").exists()
    (tmp_path / "run").mkdir()  # one that was there stays
    answer, _ = train(SOUND.replace(sound, broken))
    assert answer.code == 1 and not list((tmp_path / "run").iterdir())
    answer, _ = train(SOUND)
    assert answer.code == 0, answer.err


def test_what_comes_into_the_folder_of_a_run_stays(train, tmp_path) -> None:
    """While the data are read, and while the first epoch is trained."""
    notes = tmp_path / "run" / "notes.txt"
    keep = f"import pathlib\n        p = pathlib.Path({str(notes)!r})\n"
    keep += "        p.parent.mkdir(exist_ok=True)\n        p.write_text('mine')\n"
    for method in (
        "    def head(self, spec, channels):\n",
        "    def decode(self, spec, prediction, frame):\n",
    ):
        text = SOUND.replace(method, f"{method}        {keep}")
        text = text.replace("Shade(float(prediction[0]))", "1 / 0")
        answer, _ = train(text)
        assert answer.code == 1 and notes.read_text() == "mine"
        shutil.rmtree(notes.parent)


def test_a_score_that_is_not_defined_is_nobodys_fault(train) -> None:
    text = SOUND.replace("abs(result.value - label)", "float('nan')")
    text = text.replace('1 / (1 + scores["error"])', 'scores["error"]')
    answer, _ = train(text)
    assert answer.code == 1 and "fault of the plugin" not in told(answer)
    assert "task wall_grey: no weights can be chosen, for error is not defined" in told(answer)


def test_a_picture_that_fails_costs_no_scores(train, tmp_path) -> None:
    answer, _ = train(SOUND.replace("return image.copy()", "return None"))
    assert answer.code == 0, answer.err
    assert "there is no gallery: " in told(answer)
    assert "draw_label() of the task type greyness gave None, expected an array" in told(answer)
    assert (tmp_path / "run" / "scores.json").is_file()


def test_measurements_that_are_none_are_told(train, usmt: Usmt, tmp_path) -> None:
    text = SOUND.replace(
        "    def metrics",
        "    def measure(self, spec, result, pixel_size):\n        return {'grey': 1.0}\n\n"
        "    def metrics",
    )
    answer, _ = train(text)
    assert answer.code == 0, answer.err
    scan, out = tmp_path / "data" / "0.png", tmp_path / "said"
    answer = usmt("predict", tmp_path / "run", scan, "--out", out)
    assert answer.code == 1 and "defect of usmt" not in answer.err
    assert "measure() of the task type greyness gave a float as 'grey', expected a " in told(answer)


def test_records_with_defects_can_be_left_out_of_a_score(train, usmt: Usmt, tmp_path) -> None:
    answer, _ = train(SOUND)
    assert answer.code == 0, answer.err
    others = tmp_path / "others"
    shutil.copytree(tmp_path / "data", others)
    (others / "broken.png").write_bytes(b"broken")
    command = ("evaluate", tmp_path / "run", "--split", "val", "--data", f"wall={others}")
    answer = usmt(*command)
    assert answer.code == 1 and "leave them out: --skip-bad" in told(answer)
    answer = usmt(*command, "--skip-bad")
    assert answer.code == 0, answer.err
    assert "1 records are left out" in told(answer)


def test_a_file_that_a_fingerprint_misses_is_left_to_whoever_reads(train, tmp_path) -> None:
    text = SOUND.replace(
        "    def records",
        "    def fingerprint(self, record):\n        open('gone')\n\n    def records",
    )
    kept = ("--set", "cache.disk_mb=64", "--set", f"cache.folder={tmp_path / 'cache'}")
    answer, _ = train(text, *kept)
    assert answer.code == 0, answer.err


def test_a_slip_of_usmt_is_not_told_as_a_plugins(train, monkeypatch) -> None:
    def slip(*_: object) -> None:
        raise AttributeError("our own slip")

    monkeypatch.setattr("usmt.data.images.fit", slip)
    answer, _ = train(SOUND)
    assert answer.code == 2 and "this is a defect of usmt" in answer.err
    assert "our own slip" in answer.err and "fault of the plugin" not in told(answer)


def test_a_run_that_fails_later_keeps_what_it_has(train, tmp_path) -> None:
    text = SOUND.replace("return lambda size: Shade(mean)", "return None")
    answer, _ = train(text)
    assert answer.code == 1
    assert (tmp_path / "run" / "best").is_dir() and (tmp_path / "run" / "last").is_dir()


# -- after the run


def test_a_plugin_that_moved_is_named_and_found_again(train, usmt: Usmt, tmp_path: Path) -> None:
    answer, file = train(SOUND)
    assert answer.code == 0, answer.err
    old, new = file.parent, tmp_path / "moved"
    old.rename(new)
    sys.modules.pop(file.stem)
    commands = [
        ("evaluate", tmp_path / "run", "--split", "val"),
        ("predict", tmp_path / "run", tmp_path / "data" / "0.png", "--out", tmp_path / "said"),
    ]
    for command in commands:
        answer = usmt(*command)
        assert answer.code == 1, answer.err
        assert "no plugin gives the task type 'greyness'" in answer.err
        assert f"the folder of plugins {old}, which the run was trained with, is not there" in told(
            answer
        )
        assert "--plugins-dir" in answer.err
        for given in ((*command, "--plugins-dir", new), ("--plugins-dir", new, *command)):
            answer = usmt(*given)
            assert answer.code == 0, answer.err
            assert "failed" not in answer.err


def test_a_plugin_that_is_given_takes_the_place_of_the_one_before(
    train, usmt: Usmt, tmp_path: Path
) -> None:
    answer, file = train(SOUND)
    assert answer.code == 0, answer.err
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / file.name).write_text(SOUND.replace("Shade(float(prediction[0]))", "Shade(7.0)"))
    sys.modules.pop(file.stem)
    sys.path.remove(str(file.parent))
    answer = usmt("evaluate", tmp_path / "run", "--split", "val", "--plugins-dir", newer, "--json")
    assert answer.code == 0, answer.err
    assert answer.data["tasks"]["wall_grey"]["score"] > 6
    assert "failed" not in answer.err


def test_what_nobody_foresaw_is_told_as_the_plugins(train, usmt: Usmt, tmp_path: Path) -> None:
    """In a command that asks plugins by itself."""
    text = SOUND.replace(
        "    def read_image", "    def remarks(self):\n        return 1 / 0\n\n    def read_image"
    )
    train(text, "--dry-run")
    (file,) = (tmp_path / "loose").glob("*.py")
    answer = usmt(
        *("data", "check", f"wall={tmp_path / 'data'}"),
        *("--specs", tmp_path / "specs", "--plugins-dir", file.parent),
    )
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert f"plugin {file.stem} " in told(answer) and "ZeroDivisionError" in answer.err
    number = next(n for n, each in enumerate(text.splitlines(), 1) if "1 / 0" in each)
    assert f"{file}:{number})" in answer.err.replace("\n", "")


def test_a_task_of_a_plugin_that_failed_is_told_with_the_reason(train, usmt: Usmt) -> None:
    text = SOUND.replace("class Greyness", "import missing_library\n\n\nclass Greyness")
    answer, file = train(text)
    assert answer.code == 1
    assert "No module named 'missing_library'" in told(answer)
    number = next(n for n, each in enumerate(text.splitlines(), 1) if "missing_library" in each)
    assert f"{file}:{number})" in answer.err.replace("\n", "")
    answer = usmt("train", "--task", "wall_gray", "--plugins-dir", file.parent)
    assert answer.code == 1
    assert "there is no task 'wall_gray'" in told(answer) and "missing_library" in told(answer)
