"""Every block of code in the documentation is run or loaded by a test, here or where it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from usmt import load_catalogue, load_plugins

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
BLOCK = re.compile(r"^```+([^\n`]*)\n(.*?)^```+$", re.M | re.S)

NOT_RUN = {"", "text", "sh", "{toctree}", "{eval-rst}"}
RUN_ELSEWHERE = {
    ("docs/how_to/plugins.md", "python"): "test_docs_plugins.py",
    ("docs/how_to/plugins.md", "yaml"): "test_docs_plugins.py",
    ("docs/how_to/new_task_type.md", "python"): "test_docs_plugins.py",
    ("docs/how_to/new_task_type.md", "yaml"): "test_docs_plugins.py",
    ("docs/how_to/new_dataset.md", "python"): "test_docs_plugins.py",
    ("docs/how_to/new_backbone.md", "python"): "test_docs_plugins.py",
    ("docs/how_to/new_executor.md", "python"): "test_docs_plugins.py",
    ("docs/how_to/own_data.md", "yaml"): "test_docs_own_data.py",
    ("docs/how_to/predict.md", "python"): "predict/test_model.py",
    ("docs/reference/measurements.md", "python"): "test_docs.py",
}
SHOWN_ONLY = {("docs/how_to/plugins.md", "toml"), ("examples/usmt-wardbook/README.md", "json")}
RUN_HERE = {
    ("docs/how_to/scoring.md", "python"),
    ("docs/explanation/phantom.md", "python"),
    ("docs/explanation/phantom.md", "yaml"),
}


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(page.read_text("utf-8")) if name == language]


def test_no_block_of_code_is_left_out() -> None:
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        for language, text in BLOCK.findall(page.read_text("utf-8")):
            key = (name, language)
            if language in NOT_RUN or key in SHOWN_ONLY or key in RUN_HERE:
                continue
            if language == "console":  # test_docs.py runs those of docs and README
                assert not name.startswith("examples"), f"{name}: no test runs its commands"
            elif key in RUN_ELSEWHERE:
                test = (ROOT / "tests" / RUN_ELSEWHERE[key]).read_text("utf-8")
                assert page.name in test
            else:
                assert named_file(text), f"{name}: no test runs its {language}:\n{text}"


def named_file(text: str) -> str | None:
    """A block of YAML that begins with `# PATH` is that file, a spec or a study."""
    found = re.match(r"# (\S+/(?:tasks|groups|studies)/\w+\.yaml)\n", text)
    return found[1] if found else None


FILES = [
    pytest.param(path, text, id=f"{page.name}-{Path(path).stem}")
    for page in PAGES
    if (str(page.relative_to(ROOT)), "yaml") not in RUN_ELSEWHERE
    for text in blocks(page, "yaml")
    if (path := named_file(text))
]


@pytest.mark.parametrize(("path", "text"), FILES)
def test_a_file_that_is_shown_is_one_that_loads(path: str, text: str, tmp_path: Path) -> None:
    if (ROOT / path).is_file():
        assert (ROOT / path).read_text("utf-8") == text.partition("\n")[2]
        return
    kind, name = Path(path).parts[-2:]
    if kind == "groups":  # of tasks beside it on its page: tests/test_specs.py loads all of them
        assert YAML(typ="safe").load(text)["id"] == Path(name).stem
        return
    (tmp_path / kind).mkdir()
    (tmp_path / kind / name).write_text(text, encoding="utf-8")
    assert Path(name).stem in load_catalogue(load_plugins(), [tmp_path]).tasks


def test_the_metrics_of_the_page_on_scoring() -> None:
    a, b = np.zeros((2, 8, 8), bool)
    a[2:5, 2:5] = b[3:6, 3:6] = True
    names = {
        "a": a,
        "b": b,
        "probabilities": np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
        "labels": np.array([0, 1, 1]),
        "predicted": np.array([0, 1, 0]),
        "boxes": np.array([[0, 0, 4, 4], [1, 1, 5, 5]], float),
        "box": np.array([0, 0, 4, 4], float),
        "points": np.array([[1.0, 1.0], [4.0, 4.0]]),
        "truth": np.array([[1.0, 2.0], [4.0, 4.0]]),
    }
    (text,) = blocks(DOCS / "how_to" / "scoring.md", "python")
    imported, *lines = filter(None, text.splitlines())
    exec(imported, names)
    given = [eval(line, names) for line in lines]
    pairs = [each if isinstance(each, tuple) else (each,) for each in given]
    values = np.hstack([value for pair in pairs for value in pair])
    assert np.isfinite(values).all() and len(values) == 8  # two boxes give two values
    assert values[2] == 1 and values[-1] == 0.5


def test_the_anatomy_of_the_page_on_the_phantom_is_drawn() -> None:
    from usmt_phantom.anatomy import plan
    from usmt_phantom.subjects import Subject

    function, entry = blocks(DOCS / "explanation" / "phantom.md", "python")
    names = {**vars(plan), **vars(__import__("usmt_phantom.scene", fromlist=["*"]))}
    names |= {"Subject": Subject, "Ellipse": __import__("usmt_phantom.shapes").shapes.Ellipse}
    exec(function, names)
    subject = eval(entry, names)
    scene = subject.draw(plan.Plan(height=0.8), np.random.default_rng(0))
    assert subject.serves("segmentation", 2) and [name for name, _ in scene.regions] == ["bladder"]


def test_the_planted_task_of_the_page_on_the_phantom_is_one() -> None:
    (text,) = blocks(DOCS / "explanation" / "phantom.md", "yaml")
    options = YAML(typ="safe").load(text)["data"]["phantom"]
    planted = load_plugins().dataset("phantom").Options(**options).planted["planted_misled"]
    assert planted.train == 80 and planted.confounder == "upright"
