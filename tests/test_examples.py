"""The distributions of examples/: built, installed beside usmt's wheel, tested, trained with."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from clean_environment import ROOT, CleanEnvironment

import usmt
import usmt.testing

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
PLUGINS = {
    "usmt-findings": "findings",
    "usmt-torchvision": "torchvision",
    "usmt-wardbook": "wardbook",
}
THEIR_NAMES = (
    *("usmt_findings", "usmt_torchvision", "usmt_wardbook", "usmt-findings", "usmt-torchvision"),
    *("wardbook", "lung_reports", "lung_findings", "ward_lesion"),
)
SHORT = (
    "--set epochs=1 --set image_size=64 --set workers=0 --set backbone.weights=none "
    "--set backbone.name=torchvision:resnet18 --set moe.experts=2 --set moe.blocks=2 "
    "--set task_types.segmentation='{fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}'"
)
TASKS = ("lung_findings", "ward_lesion", "ward_diagnosis", "ward_calipers")


@pytest.fixture(scope="module")
def environment(clean_environment: CleanEnvironment) -> CleanEnvironment:
    clean_environment.install(*EXAMPLES)
    return clean_environment


@pytest.fixture(scope="module")
def place(environment: CleanEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data for them."""
    folder = tmp_path_factory.mktemp("place")
    for script in ("usmt-findings/tests/make_reports.py", "usmt-wardbook/tests/make_wardbook.py"):
        name = Path(script).stem.removeprefix("make_")
        environment.run(str(ROOT / "examples" / script), name, cwd=folder)
    return folder


def test_they_are_found_beside_the_wheel(environment: CleanEnvironment, tmp_path: Path):
    site = environment.site
    assert environment.run("-c", "import usmt; print(usmt.__file__)").startswith(str(site))
    listed = json.loads(environment.run("-m", "usmt", "plugins", "list", "--json", cwd=tmp_path))
    assert {info["error"] for info in listed} == {None}
    theirs = {i["distribution"]: i["name"] for i in listed if i["distribution"] != "usmt"}
    assert PLUGINS.items() <= theirs.items() and len(EXAMPLES) == len(PLUGINS)
    folders = [Path(folder) for info in listed for folder in info["spec_dirs"]]
    assert folders and all(folder.is_relative_to(site) for folder in folders)


def test_their_own_tests_pass(environment: CleanEnvironment, tmp_path: Path):
    said = environment.pytest(*(example / "tests" for example in EXAMPLES), cwd=tmp_path)
    assert " passed" in said and "skipped" not in said


def test_one_network_is_trained_with_all_three(environment: CleanEnvironment, place: Path):
    """A task type, a dataset and a backbone that usmt knows nothing of, beside the built-in task
    types: trained, selected, scored and drawn."""
    data = "--data lung_reports=reports --data wardbook=wardbook"
    tasks = " ".join(f"--task {task}" for task in TASKS)
    environment.usmt(
        f"train {tasks} {data} {SHORT} --out run",
        "evaluate run --split test",
        "predict run reports/000.png --task lung_findings --tta --out predicted",
        "predict run wardbook/P003/right.tif --task ward_calipers --pixel-size 0.2 --out predicted",
        "predict run --data wardbook=wardbook --task ward_lesion --out handed_in",
        "predict run --data wardbook=wardbook --task ward_calipers --out measured",
        cwd=place,
    )
    run, made = place / "run", place / "predicted"
    assert {task for task in TASKS if task in (run / "scores.csv").read_text()} == set(TASKS)
    assert "exact_match" in (run / "rows-test.csv").read_text()
    assert "auc_effusion" in (run / "scores-test.json").read_text()
    assert (run / "figures" / "gallery.png").is_file()
    shown = json.loads((made / "lung_findings" / "000.json").read_text())["result"]
    assert set(shown["probabilities"]) == {"A-lines", "B-lines", "consolidation", "effusion"}
    assert (made / "lung_findings" / "000.overlay.png").is_file()
    lengths = json.loads((made / "ward_calipers" / "right.json").read_text())["measurements"]
    assert lengths["length"]["mm"] > 0
    measured = json.loads((place / "measured" / "predictions.json").read_text())
    assert len(measured) == 20 and all(each["pixel_size"] == [0.2, 0.2] for each in measured)
    assert len(list((place / "handed_in").rglob("*.png"))) == 20


def test_a_study_compares_arms_of_them(environment: CleanEnvironment, place: Path):
    options = f"--data lung_reports=reports {SHORT.replace('--set epochs=1', '')}"
    line = f"--groups lung_reports --paradigms ts,cg --seeds 0 --budget epochs=1 {options}"
    environment.usmt(f"study plan {line} --no-measure", f"study run {line} --out study", cwd=place)
    report = (place / "study" / "report" / "index.html").read_text()
    assert "lung_findings" in report and "auc" in report


def test_usmt_knows_nothing_of_them():
    """Their names stand nowhere in the engine and the built-in plugins."""
    sources = [path for room in ("usmt", "plugins") for path in (ROOT / room).rglob("*.*")]
    sources = [path for path in sources if path.suffix in (".py", ".yaml", ".jinja")]
    assert len(sources) > 100
    for path in [*sources, ROOT / "pyproject.toml"]:
        text = path.read_text(encoding="utf-8")
        assert not [name for name in THEIR_NAMES if name in text], path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_they_import_public_names_only(example: Path):
    for path in example.rglob("*.py"):
        for module, name in imported(path):
            if module.partition(".")[0] == "usmt":
                public = {"usmt": usmt, "usmt.testing": usmt.testing}.get(module)
                assert public is not None and name in public.__all__, (path, module, name)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
