"""`usmt plugins new`: what it writes installs, passes its own test and trains as it stands."""

from __future__ import annotations

import json
import re
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clean_environment import CleanEnvironment
from command_line import Usmt

from usmt import Plugins, load_catalogue, load_plugins
from usmt.data.geometry import Frame, affine, fit, move
from usmt.testing import check_dataset

Written = Callable[[str, str], tuple[Path, Plugins]]

KINDS = {"task-type": "my-type", "dataset": "my_data", "backbone": "My-Net"}
SHORT = (
    "--set epochs=1 --set image_size=64 --set workers=0 --set moe.experts=2 "
    "--set data.phantom='{images: 12, size: 64}'"
)
SMALL = "--set backbone.name=vit_tiny_patch16_dinov3_qkvb --set backbone.weights=none"


@pytest.fixture(scope="module")
def place(clean_environment: CleanEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each kind, written by usmt's wheel, and installed."""
    folder = tmp_path_factory.mktemp("place")
    lines = [f"plugins new {kind} {name}" for kind, name in KINDS.items()]
    clean_environment.usmt(*lines, cwd=folder)
    clean_environment.install(*(folder / name for name in KINDS.values()))
    return folder


def test_all_three_are_sound_plugins(clean_environment: CleanEnvironment, place: Path):
    listed = json.loads(clean_environment.run("-m", "usmt", "plugins", "list", "--json", cwd=place))
    infos = {info["name"]: info for info in listed}
    assert {infos[name]["error"] for name in ("my_type", "my_data", "my_net")} == {None}
    assert infos["my_type"]["task_types"] == ["my_type"]
    assert infos["my_data"]["datasets"] == ["my_data"]
    assert infos["my_net"]["backbones"] == ["my_net"]
    for name in ("my_type", "my_data"):
        assert Path(infos[name]["spec_dirs"][0]).is_relative_to(clean_environment.site)


def test_their_own_tests_pass(clean_environment: CleanEnvironment, place: Path):
    said = clean_environment.pytest(*(place / n / "tests" for n in KINDS.values()), cwd=place)
    assert "9 passed" in said


def test_the_commands_of_their_readmes_train(clean_environment: CleanEnvironment, place: Path):
    lines = []
    for kind, name in KINDS.items():
        (block,) = re.findall(
            r"^```sh\n(.*?)^```", (place / name / "README.md").read_text(), re.M | re.S
        )
        commands = block.splitlines()
        assert commands[:2] == ["pip install -e '.[test]'", "pytest"]
        for command in commands[2:-1]:
            clean_environment.run(*command.split()[1:], cwd=place / name)
        assert commands[-1].startswith("usmt train ")
        line = commands[-1].removeprefix("usmt ").replace("=few_images", f"={name}/few_images")
        data = SHORT if kind == "backbone" else f"{SHORT.partition(' --set data')[0]} {SMALL}"
        lines.append(f"{line} {data} --out {name}/run")
    clean_environment.usmt(*lines, cwd=place)
    for name in KINDS.values():
        assert (place / name / "run" / "scores.json").is_file()


@pytest.fixture
def written(usmt: Usmt, tmp_path: Path) -> Iterator[Written]:
    """Writes a plugin and loads it as it lies there, without installing it."""
    path, modules = list(sys.path), set(sys.modules)

    def write(kind: str, name: str) -> tuple[Path, Plugins]:
        root = tmp_path / name
        assert usmt("plugins", "new", kind, name, "--out", root).code == 0
        return root, load_plugins([root])

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in ("lab_type", "lab_data"):
            del sys.modules[name]


def test_the_label_of_the_task_type_follows_the_image(written: Written):
    """It is a width in pixels: a zoom changes it, a turn and a mirror do not."""
    _, plugins = written("task-type", "lab-type")
    spec = load_catalogue(plugins).task("lab_type_example")
    kind = plugins.task_type("lab_type")(plugins.task_type("lab_type").Options())
    label, size, network = 24.0, (48, 96), (64, 64)
    frame = Frame.fit(size, network)
    for zoom in (1.0, 0.8, 1.2):
        for degrees in (0.0, 37.0, 90.0):
            matrix = affine(network, degrees=degrees, scale=zoom, flip_horizontal=degrees > 0)
            wrapped = kind.wrap(spec, label, size)
            moved = {name: move(fit(value, frame), matrix) for name, value in wrapped.items()}
            (target,) = kind.target(spec, moved, network).values()
            assert float(target) == pytest.approx(zoom * 24 * 64 / 96 / 64, rel=1e-4)
            assert kind.decode(spec, target, frame.then(matrix)).value == pytest.approx(
                24, rel=1e-4
            )
    assert kind.decode(spec, target - 5, frame).value == 0
    assert kind.problems(spec, 24.0, (48, 96)) == [] != kind.problems(spec, 24.0, (96, 20))


def test_each_record_of_the_dataset_has_a_key_of_its_own(written: Written, tmp_path: Path):
    """Also where two rows name one image, or none."""
    root, plugins = written("dataset", "lab-data")
    images = tmp_path / "images"
    runpy.run_path(str(root / "tests" / "few_images.py"))["draw_few_images"](images)
    rows = ["000.png,p0,benign", "./001.png,p1,malignant", ",p2,benign", ",p2,benign"]
    rows += ["gone.png,p3,benign", "gone.png,p3,benign", "002.png,p4", "002.png,,benign"]
    with (images / "labels.csv").open("a", encoding="utf-8") as table:
        table.write("\n".join(rows) + "\n")
    Dataset, task = plugins.dataset("lab_data"), load_catalogue(plugins).task("lab_data_example")
    check_dataset(Dataset, images, tasks=[task], defects=len(rows))
    records = Dataset(Dataset.Options(root=images)).records(task)
    assert len({record.key for record in records}) == len(records) == 40 + len(rows)
    said = [str(record.defect) for record in records[40:]]
    for text, found in zip(
        ("000.png' is already in labels.csv:2", "already", "empty"), said, strict=False
    ):
        assert text in found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written(usmt: Usmt, tmp_path: Path, kind: str):
    name, package = f"My-{kind}", f"my_{kind.replace('-', '_')}"
    root = tmp_path / "new" / "lab"
    answer = usmt("plugins", "new", kind, name, "--out", root, "--json")
    assert answer.code == 0, answer.err
    files = [Path(file) for file in answer.data]
    assert files == sorted(path for path in (tmp_path / "new").rglob("*") if path.is_file())
    assert list((tmp_path / "new").iterdir()) == [root]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["name"] == name
    assert project["project"]["dependencies"] == ["usmt"]
    assert project["project"]["entry-points"]["usmt"] == {package: package}
    assert "USMT_API = 1" in (root / package / "__init__.py").read_text()
    for file in files:
        text = file.read_text()
        assert "{{" not in text and "PACKAGE" not in str(file)
        assert all(len(line) <= 120 for line in text.splitlines())
    assert sum("to change" in file.read_text().lower() for file in files) >= 3
    loose = usmt("plugins", "list", "--plugins-dir", root, "--json").data
    (info,) = [info for info in loose if info["name"] == package]
    assert info["status"] == "ok", info["error"]


def test_a_folder_that_is_there_is_left_alone(usmt: Usmt, tmp_path: Path):
    (tmp_path / "my-lab").mkdir()
    mine = tmp_path / "my-lab" / "thesis.txt"
    mine.write_text("years of work")
    answer = usmt("plugins", "new", "dataset", "my-lab", "--out", tmp_path / "my-lab")
    assert answer.code == 1 and "is there already" in answer.err
    assert list(tmp_path.rglob("*.*")) == [mine] and mine.read_text() == "years of work"
    answer = usmt("plugins", "new", "dataset", "my-lab", "--out", mine)
    assert answer.code == 1 and mine.read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert usmt("plugins", "new", "dataset", "my-lab", "--out", tmp_path / "empty").code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2nd", "'2nd' is no name for a plugin"),
        ("my lab", "'my lab' is no name for a plugin"),
        ("../lab", "'../lab' is no name for a plugin"),
        ("lab-", "'lab-' is no name for a plugin"),
        ("", "'' is no name for a plugin"),
        ("class", "a word or a module of Python's own"),
        ("Statistics", "a word or a module of Python's own"),
        ("phantom", "there is a plugin 'phantom': phantom (usmt"),
        ("folder", "the dataset 'folder' is given by own_data (usmt"),
        ("numpy", "there is a Python module 'numpy'"),
    ],
)
def test_a_name_that_cannot_be_used(usmt: Usmt, tmp_path: Path, name: str, reason: str):
    answer = usmt("plugins", "new", "task-type", name, "--out", tmp_path / "out")
    assert answer.code == 1 and reason in answer.err
    assert not list(tmp_path.iterdir())
