"""docs/how_to/plugins.md and the pages on each kind of thing, new_task_type.md, new_dataset.md,
new_backbone.md, new_executor.md: their files, written out as they stand, are a plugin that works.
"""

from __future__ import annotations

import inspect
import pickle
import re
import runpy
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from ruamel.yaml import YAML

from usmt import (
    API_VERSION,
    BackboneFamily,
    Dataset,
    Ended,
    Executor,
    Frame,
    Job,
    Plugins,
    TaskType,
    hookspecs,
    load_plugins,
)
from usmt.cli.main import main
from usmt.errors import DataError

ROOT = Path(__file__).parents[1]
HOW_TO = ROOT / "docs" / "how_to"
PAGE = HOW_TO / "plugins.md"
TEXT = "".join(
    (HOW_TO / f"{name}.md").read_text(encoding="utf-8")
    for name in ("plugins", "new_task_type", "new_dataset", "new_backbone", "new_executor")
)
BLOCK = re.compile(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("my_plugins")
    for name, text in BLOCK.findall(TEXT):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def plugins(folder: Path) -> Iterator[Plugins]:
    path = list(sys.path)
    yield load_plugins([folder])
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "clinic"]:
        del sys.modules[name]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = ["image,patient,value"]
    for index, value in enumerate((30, 55, 70)):
        pixels = np.full((24, 32), 40 * index, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.png,p{index},{value}")
    rows += ["3.png,p3,80", "./0.png,p0,30", ",p4,40"]
    (tmp_path / "values.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_the_plugin_is_sound(plugins: Plugins) -> None:
    [info] = [info for info in plugins.loaded if info.name == "clinic"]
    assert info.error is None
    assert info.given == {
        "task_type": ["quantity"],
        "dataset": ["clinic"],
        "backbone": ["clinic"],
        "executor": ["nice"],
    }
    assert [path.name for path in info.spec_dirs] == ["specs"]


def test_every_hook_and_every_method_of_a_contract_is_shown() -> None:
    for hook in (name for name in vars(hookspecs) if name.startswith("usmt_")):
        assert f"def {hook}(" in TEXT and f"`{hook}(" in TEXT
    for contract in (TaskType, Dataset, BackboneFamily, Executor):
        methods = [name for name, _ in inspect.getmembers(contract, inspect.isroutine)]
        for method in (name for name in methods if not name.startswith("_")):
            shown = (
                f"def {method}(self" if method in contract.__abstractmethods__ else f"`{method}("
            )
            assert shown in TEXT, method


def test_measurements_are_declared_and_taken(plugins: Plugins) -> None:
    """The section "Measurements that a spec declares" of new_task_type.md."""
    page = (HOW_TO / "new_task_type.md").read_text(encoding="utf-8")
    section = page.partition("\n## Measurements that a spec declares\n")[2]
    [declared] = re.findall(r"^```yaml\n(.*?)^```$", section, re.M | re.S)
    [method] = re.findall(r"^```python\n(def measure.*?)^```$", section, re.M | re.S)
    base = {"id": "cut", "title": "Cut", "type": "cut", "organ": "any", "dataset": "any"}
    fields = {**base, "flip": "none", **YAML(typ="safe").load(declared)}
    from clinic.callipers import CalliperSpec

    spec = CalliperSpec.model_validate(fields)
    space: dict = {}
    exec(method, space)
    result = SimpleNamespace(points=np.array([[1.0, 1.0], [4.0, 5.0]]))
    assert space["measure"](None, spec, result, (1.0, 1.0))["width"].value == 5
    assert space["measure"](None, spec, result, (2.0, 0.5))["width"].value == pytest.approx(40**0.5)
    fields["measurements"]["width"]["between"] = ["left", "rihgt"]
    with pytest.raises(ValidationError) as caught:
        CalliperSpec.model_validate(fields)
    [error] = caught.value.errors()
    assert error["loc"] == ("measurements", "width", "between", 1)
    assert "there is no point 'rihgt' (did you mean 'right'?)" in error["msg"]


def test_the_dataset_reads_strictly(plugins: Plugins, data: Path) -> None:
    Clinic = plugins.dataset("clinic")
    spec = _spec(plugins)
    dataset = Clinic(Clinic.Options(root=data))
    records = dataset.records(spec)
    good, bad = records[:3], records[3:]
    assert [(r.key, r.source_id, r.place, r.defect) for r in good] == [
        (f"{i}.png", f"p{i}", f"values.csv:{i + 2}", None) for i in range(3)
    ]
    said = ("'3.png': no such file", "'./0.png' is already in values.csv:2", "image is empty")
    for record, text in zip(bad, said, strict=True):
        assert text in str(record.defect) and record.key == record.place
        with pytest.raises(DataError, match=re.escape(text)):
            dataset.read_image(record)
    assert [dataset.read_label(record, spec) for record in good] == [30, 55, 70]
    assert dataset.read_image(good[1]).shape == (24, 32)
    assert len({dataset.fingerprint(record) for record in good}) == 3
    assert Clinic.misfits(spec) == []
    assert "not labels of" in Clinic.misfits(spec.model_copy(update={"type": "detection"}))[0]
    with pytest.raises(DataError, match="there is no column 'age'"):
        dataset.records(spec.model_copy(update={"layout": {"column": "age"}}))
    with pytest.raises(DataError, match="there is no folder"):
        Clinic(Clinic.Options(root=data / "nowhere"))


def test_the_task_type_does_what_the_contract_says(plugins: Plugins) -> None:
    import torch

    Quantity = plugins.task_type("quantity")
    spec, kind, size = _spec(plugins), Quantity(Quantity.Options()), (24, 32)
    assert kind.problems(spec, 55.0, size) == []
    assert "outside 0.0 to 100.0" in kind.problems(spec, 130.0, size)[0]
    target = kind.target(spec, kind.wrap(spec, 55.0, size), (16, 16))
    assert target["value"].item() == pytest.approx(0.55)
    prediction = kind.head(spec, 8)(torch.randn(3, 8, 4, 4))
    stacked = {"value": target["value"].expand(3)}
    assert prediction.shape == kind.loss(spec, prediction, stacked).shape == (3,)
    frame = Frame.fit(size, (16, 16))
    assert kind.decode(spec, torch.tensor(0.4), frame) == pytest.approx(40)
    assert kind.decode(spec, torch.tensor(1.4), frame) == 100
    views = [(torch.tensor(share), frame) for share in (0.4, 0.6)]
    assert kind.decode_views(spec, views) == pytest.approx(50)
    assert kind.as_data(spec, 40.0) == {"value": 40.0}
    assert kind.as_images(spec, 40.0) == kind.measure(spec, 40.0, (1, 1)) == {}
    metric = kind.metrics(spec)["MAE"]
    metric.update(40.0, 50.0)
    metric = pickle.loads(pickle.dumps(metric))
    metric.update(70.0, 50.0)
    assert float(metric.compute()) == pytest.approx(15)
    assert kind.selection_score(spec, {"MAE": 15.0}) == pytest.approx(0.85)
    assert kind.selection_score(spec, {"MAE": float("nan")}) == 0
    assert kind.trivial(spec, [(30.0, size), (70.0, size), (55.0, size)])(size) == 55
    image = np.zeros((24, 64, 3), np.uint8)
    assert kind.draw_label(spec, image, 55.0).any() and kind.draw_result(spec, image, 40.0).any()
    assert not image.any()


def test_points_go_to_shares_and_back(folder: Path) -> None:
    import torch
    from torchvision.tv_tensors import KeyPoints

    from usmt.data.geometry import fit

    names = runpy.run_path(str(folder / "clinic" / "places.py"))
    points = [[0.0, 0.0], [4.0, 1.0], [29.5, 17.25]]
    frame = Frame.fit((20, 40), (64, 64))
    moved = fit(KeyPoints(torch.tensor(points), canvas_size=(20, 40)), frame)
    shares = names["to_shares"](moved, (64, 64))
    assert shares[0].tolist() == pytest.approx([0.5 / 40, (16 + 0.8) / 64])
    assert names["to_pixels"](shares.numpy(), frame) == pytest.approx(np.array(points), abs=1e-4)


def test_the_label_that_follows_a_move_is_the_generated_one() -> None:
    """Whose behaviour tests/scaffold looks at."""
    page = (HOW_TO / "new_task_type.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(def wrap\(.*?)^```$", page, re.M | re.S)
    folder = ROOT / "usmt" / "scaffold" / "templates" / "task-type" / "PACKAGE"
    template = (folder / "task_type.py.jinja").read_text(encoding="utf-8")
    methods = re.split(r"\n+(?=def )", block)
    assert len(methods) == 3
    for method in methods:
        assert method.count("return ") == 1
        assert f"{textwrap.indent(method.strip(), '    ')}\n\n" in template, "not the whole method"


def test_the_page_s_own_tests_pass(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    names = runpy.run_path(str(folder / "clinic_tests" / "test_clinic.py"))
    tests = {name: test for name, test in names.items() if name.startswith("test_")}
    assert len(tests) == 4
    for test in tests.values():
        test(*[tmp_path] * len(inspect.signature(test).parameters))


def test_the_backbone_trains(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--plugins-dir", str(folder)]
    assert main(["backbones", "show", "clinic:small", *common]) == 0
    assert "Four stages of convolutions" in capsys.readouterr().out
    settings = f"{QUICK.replace('vit_tiny_patch16_dinov3_qkvb', 'clinic:small')} --set moe.blocks=2"
    decoder = (
        "task_types.segmentation={fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}"
    )
    images = ["--set", "data.phantom.images=10", "--out", str(tmp_path / "run")]
    command = ["train", "--group", "lung", *shlex.split(settings), "--set", decoder, *images]
    assert main([*command, *common]) == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "scores.csv").is_file()


def test_the_version_is_this_one() -> None:
    assert f"USMT_API = {API_VERSION}\n" in PAGE.read_text(encoding="utf-8")


def test_the_executor_runs_jobs(plugins: Plugins, tmp_path: Path) -> None:
    Nice = plugins.executor("nice")
    code = "import os, sys, time; print(os.nice(0)); sys.stdout.flush(); time.sleep(%d)"
    with Nice(Nice.Options(by=7), jobs=2) as executor:
        for id, seconds in (("short", 0), ("long", 300)):
            command = [sys.executable, "-c", code % seconds]
            executor.start(Job(id, command, tmp_path / f"{id}.log"))
        assert [(end.id, end.code) for end in _wait(executor)] == [("short", 0)]
        executor.stop("long")
        [end] = _wait(executor)
        assert (end.id, end.reason) == ("long", "stopped")
    assert (tmp_path / "short.log").read_text() == "7\n"


def _wait(executor: Executor) -> list[Ended]:
    give_up = time.monotonic() + 30
    while not (found := executor.ended()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found


COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    for line in block.splitlines()
]
QUICK = (
    "--set epochs=1 --set image_size=64 --set workers=0 --set moe.experts=2 "
    "--set backbone.name=vit_tiny_patch16_dinov3_qkvb --set backbone.weights=none"
)


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_page_s_commands(
    folder: Path, tmp_path: Path, dry_run: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The training command is run as it stands, and once more in earnest: a task type that usmt
    knows nothing of is trained and scored."""
    rows = ["image,patient,value"]
    for index in range(24):
        pixels = np.full((48, 64), 10 * index, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.png,p{index},{4 * index}")
    (tmp_path / "values.csv").write_text("\n".join(rows) + "\n")
    for command in COMMANDS:
        text = command.replace("my_plugins", str(folder)).replace("/data/clinic", str(tmp_path))
        if " train " in command:
            text += f" {QUICK} --out {tmp_path / 'run'}"
        if not dry_run:
            text = text.replace("--dry-run", "")
        code = main(shlex.split(text)[1:])
        out, err = capsys.readouterr()
        assert code == 0, err
        assert "clinic" in out + err
    assert (tmp_path / "run" / "scores.csv").is_file() is not dry_run


def _spec(plugins: Plugins):
    return plugins.task_type("quantity").Spec(
        id="ejection_fraction",
        title="Ejection fraction",
        type="quantity",
        organ="heart",
        dataset="clinic",
        flip="horizontal",
        low=0,
        high=100,
        unit="%",
    )
