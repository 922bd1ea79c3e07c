"""Task specs, groups and settings of any text: valid, or refused with file, line and column."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import fuzz, mutated
from small_copy import CONFIG, GROUP, TASK

import usmt_fmc_uia
from usmt import Catalogue, Plugins, UsmtError, load_catalogue, load_plugins
from usmt.errors import ConfigError, SpecError
from usmt.train.config import RunSettings
from usmt.train.load_settings import load_settings
from usmt.yaml_file import YamlError

(TASK_SPECS,) = usmt_fmc_uia.usmt_spec_dirs()
BUILT_IN = [path.read_bytes() for path in sorted(TASK_SPECS.glob("tasks/*.yaml"))]
TYPES = ("segmentation", "classification", "regression", "detection")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    """Without their specs, which would be read anew for each example."""
    plugins = load_plugins()
    plugins.spec_dirs.clear()
    return plugins


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "tasks").mkdir()
    (folder / "groups").mkdir()
    return folder


def read(plugins: Plugins, folder: Path, **files: bytes) -> Catalogue | None:
    """The catalogue of a task `it` and a group `some`; None if it is refused as it should be."""
    (folder / "tasks/it.yaml").write_bytes(files.get("task", TASK.encode()))
    (folder / "groups/some.yaml").write_bytes(files.get("group", b"id: some\ntitle: x\ntasks: all"))
    try:
        return load_catalogue(plugins, [folder])
    except SpecError as error:
        check_message(error, folder)
        return None


def check_message(error: UsmtError, folder: Path) -> None:
    text = error.message
    text.encode()
    for line in text.split("\n"):
        more = re.fullmatch(r"\.\.\. and [0-9]+ more", line)
        assert more or line.startswith("  ") or re.match(rf"{folder}\S*:[0-9]+:[0-9]+: ", line), (
            text
        )
    assert len(text.splitlines()) <= 22
    assert error.hint is None or error.hint.encode()


def as_task(content: bytes) -> bytes:
    """A built-in spec under the id of the file that it is put into."""
    return re.sub(rb"\Aid: \w+", b"id: it", content)


@given(st.text(max_size=300) | st.binary(max_size=300))
@example("")
@example("id: it\n\ud800")
@example("? a\n: b")
@example("[" * 1000)
@example('id: it\ntype: "\\ud800"\n')
@example("*" * 200)
@fuzz(300)
def test_any_text(plugins: Plugins, folder: Path, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    read(plugins, folder, task=content)
    read(plugins, folder, task=as_task(BUILT_IN[0]), group=content)


def test_the_built_in_ones_are_good(plugins: Plugins, folder: Path) -> None:
    for content in BUILT_IN:
        assert read(plugins, folder, task=as_task(content)) is not None


@given(mutated([as_task(content) for content in BUILT_IN]))
@fuzz(1000)
def test_a_good_spec_spoilt(plugins: Plugins, folder: Path, content: bytes) -> None:
    read(plugins, folder, task=content)


@given(mutated([GROUP.replace("id: ward", "id: some").encode()]))
@fuzz(300)
def test_a_good_group_spoilt(plugins: Plugins, folder: Path, content: bytes) -> None:
    read(plugins, folder, task=as_task(BUILT_IN[0]), group=content)


NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**30), 1e308])
TEXTS = (
    st.text(max_size=8)
    | st.just("\ud800")
    | st.sampled_from(["it", "left", "lesion", "background", "width", "~"])
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
KEYS = st.sampled_from(["kind", "class", "points", "size", "area", "distance", "angle"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=3),
    max_leaves=8,
)

SOUND = {
    "id": "it",
    "title": "x",
    "organ": "x",
    "dataset": "fmc_uia",
    "flip": "none",
}
OWN = {
    "segmentation": {"classes": ["background", "lesion"], "measurements": {}},
    "classification": {"classes": ["a", "b"]},
    "regression": {"points": ["left", "right"], "measurements": {}},
    "detection": {"target": "x", "measurements": {}},
}


@given(st.sampled_from(TYPES), st.data())
@fuzz(1500)
def test_any_value_of_any_field(plugins: Plugins, folder: Path, kind: str, data: st.DataObject):
    whole = {**SOUND, "type": kind, **OWN[kind]}
    fields = sorted(plugins.task_type(kind).Spec.model_fields)
    for field in data.draw(st.lists(st.sampled_from(fields), min_size=1, max_size=2)):
        whole[field] = data.draw(VALUES)
    content = json.dumps(whole, indent=data.draw(st.sampled_from([None, 1]))).encode()
    catalogue = read(plugins, folder, task=content)
    if catalogue is not None:
        spec = catalogue.tasks.get("it")
        assert spec is None or type(spec).model_validate(spec.model_dump()) == spec


# -- settings, which are read by the same code


@given(mutated([CONFIG.encode()]))
@fuzz(700)
def test_a_good_config_spoilt(folder: Path, content: bytes) -> None:
    path = folder / "config.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load_settings("small", path, {}, []), RunSettings)
    except YamlError as error:
        check_message(error, folder)
    except ConfigError as error:
        assert str(error).encode()


@given(
    st.text(max_size=20) | VALUES.map(json.dumps), st.sampled_from(sorted(RunSettings.model_fields))
)
@example("=" * 9, "epochs")
@example("\ud800", "group")
@fuzz(500)
def test_any_assignment(value: str, key: str) -> None:
    for assignment in (value, f"{key}={value}", f"{key}.{value}"):
        try:
            load_settings("small", None, {"tasks": ["it"]}, [assignment])
        except ConfigError as error:
            assert str(error).encode("utf-8", "backslashreplace")
