"""Discovery: sound plugins give what they say, broken ones are contained and explained."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Usmt

from usmt import API_VERSION, Plugins, load_plugins
from usmt.errors import PluginError
from usmt.plugin_info import PluginInfo

TASK_TYPE = """
from usmt import TaskType, hookimpl

class Volume(TaskType):
    name = "volume"
    primary = "error"
    problems = wrap = target = head = loss = decode = metrics = lambda self, *given: None
    selection_score = trivial = draw_label = draw_result = lambda self, *given: None

@hookimpl
def usmt_task_types():
    return [Volume]
"""

DATASET = """
from usmt import Dataset, hookimpl

class Clinic(Dataset):
    name = "clinic"
    records = read_image = read_label = lambda self, *given: None

@hookimpl
def usmt_datasets():
    return [Clinic]
"""

BACKBONE = """
from usmt import BackboneFamily, hookimpl

class Nets(BackboneFamily):
    name = "nets"
    cards = has = build = lambda self, *given: None

@hookimpl
def usmt_backbones():
    return [Nets]
"""

EXECUTOR = """
from usmt import Executor, hookimpl

class Queue(Executor):
    name = "queue"
    start = ended = stop = close = lambda self, *given: None

@hookimpl
def usmt_executors():
    return [Queue]
"""

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has its own modules, and no plugin but its own and the installed ones."""
    for name in ("USMT_DISABLE_PLUGINS", "USMT_PLUGINS_DIR"):
        monkeypatch.delenv(name, raising=False)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith("usmt"):
            del sys.modules[name]


@pytest.fixture
def loose(tmp_path: Path) -> Write:
    """Writes loose plugins, name=text, and gives their folder."""

    def write(folder: str = "loose", **files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / folder / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path / folder

    return write


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Installs a real distribution: metadata, entry points and one module."""

    def install(name: str, version: str, entries: str, **modules: str) -> Path:
        site = tmp_path / f"site_{name}"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[usmt]\n{entries}\n")
        for module, text in modules.items():
            (site / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))
        return site

    return install


def info_of(plugins: Plugins, name: str) -> PluginInfo:
    [info] = [info for info in plugins.loaded if info.name == name]
    return info


# -- what works


def test_a_loose_file_gives_its_classes_and_folders(loose: Write, tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    text = TASK_TYPE + DATASET.replace("from usmt import Dataset, hookimpl", "import usmt").replace(
        "(Dataset)", "(usmt.Dataset)"
    )
    text += EXECUTOR
    text += f"""
@hookimpl
def usmt_spec_dirs():
    from pathlib import Path
    return [Path({str(specs)!r})]
"""
    plugins = load_plugins([loose(mine=text)])
    info = info_of(plugins, "mine")
    assert (info.status, info.error, info.version) == ("ok", None, None)
    assert info.given == {
        "task_type": ["volume"],
        "dataset": ["clinic"],
        "backbone": [],
        "executor": ["queue"],
    }
    assert plugins.task_type("volume").__name__ == "Volume"
    assert plugins.datasets["clinic"].name == "clinic"
    assert plugins.executor("queue").name == "queue"
    assert (specs, "mine") in plugins.spec_dirs
    assert plugins.provider("task_type", "volume") is info
    assert info.distribution == str(tmp_path / "loose" / "mine.py")


def test_a_loose_package_and_files_that_are_left_alone(tmp_path: Path) -> None:
    package = tmp_path / "loose" / "packed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from packed.inner import usmt_datasets\nfrom . import inner\n"
    )
    (package / "inner.py").write_text(DATASET)
    for name in ("_private.py", ".hidden.py", "notes.txt"):
        (tmp_path / "loose" / name).write_text("raise RuntimeError('not to be loaded')")
    (tmp_path / "loose" / "folder").mkdir()
    plugins = load_plugins([tmp_path / "loose"])
    assert [i.name for i in plugins.loaded if "loose" in i.distribution] == ["packed"]
    assert info_of(plugins, "packed").error is None
    assert plugins.provider("dataset", "clinic").name == "packed"


def test_a_distribution_is_known_by_name_and_version(distribution: Write) -> None:
    distribution("clinic-tools", "1.2", "clinic = clinic_tools", clinic_tools=DATASET)
    info = info_of(load_plugins(), "clinic")
    assert (info.distribution, info.version, info.status) == ("clinic-tools", "1.2", "ok")
    assert str(info) == "clinic (clinic-tools 1.2)"


def test_an_entry_point_may_name_an_object(distribution: Write) -> None:
    text = """
import usmt
class Clinic(usmt.Dataset):
    name = "clinic"
    records = read_image = read_label = lambda self, *given: None
class Plugin:
    @usmt.hookimpl
    def usmt_datasets(self):
        return [Clinic]
plugin = Plugin()
"""
    distribution("clinic-tools", "1.2", "clinic = clinic_tools:plugin", clinic_tools=text)
    plugins = load_plugins()
    assert info_of(plugins, "clinic").error is None
    assert plugins.dataset("clinic").name == "clinic"


def test_folders_from_the_environment(loose: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = loose("one", one=TASK_TYPE), loose("two", two=DATASET)
    monkeypatch.setenv("USMT_PLUGINS_DIR", os.pathsep.join(map(str, folders)))
    plugins = load_plugins([folders[0]])  # given twice, loaded once
    assert "volume" in plugins.task_types and "clinic" in plugins.datasets
    assert info_of(plugins, "one").status == "ok"


def test_loading_twice_gives_the_same_classes(loose: Write) -> None:
    folder = loose(mine=DATASET)
    first, second = load_plugins([folder]), load_plugins([folder])
    assert first.dataset("clinic") is second.dataset("clinic")


# -- what is broken, and contained


BROKEN = {
    "raises": ("x = 1\nraise RuntimeError('no licence')", ["RuntimeError: no licence", ":2)"]),
    "no_module": ("import missing_library", ["No module named 'missing_library'", ":1)"]),
    "syntax": ("def f(:\n", ["SyntaxError", ":1)"]),
    "leaves": ("import sys\nsys.exit(3)", ["SystemExit: 3", ":2)"]),
    "no_hook": ("x = 1", ["implements no hook", "usmt_datasets"]),
    "unmarked": ("def usmt_datasets():\n    return []", ["not marked with @usmt.hookimpl", ":1)"]),
    "misspelt": (
        "import usmt\n@usmt.hookimpl\ndef usmt_dataset():\n    return []",
        ["no hook 'usmt_dataset' (did you mean 'usmt_datasets'?)", ":2)"],
    ),
    "hook_raises": (
        "import usmt\n@usmt.hookimpl\ndef usmt_datasets():\n    return [1 / 0]",
        ["ZeroDivisionError", ":4)"],
    ),
    "arguments": (
        "import usmt\n@usmt.hookimpl\ndef usmt_datasets(registry):\n    return []",
        ["usmt_datasets() takes registry, allowed: it gives none", ":2)"],
    ),
    "other_arguments": (
        "import usmt\n@usmt.hookimpl\ndef usmt_commands(app, context):\n    pass",
        ["usmt_commands() takes context, allowed: app", ":2)"],
    ),
    "hook_is_a_value": (
        f"{TASK_TYPE}usmt_executors = []",
        ["usmt_executors is a list, expected a function", ":13)"],
    ),
    "hook_is_a_class": (
        "import usmt\n@usmt.hookimpl\nclass usmt_datasets:\n    pass",
        ["usmt_datasets is a class, expected a function", ":3)"],
    ),
    "instance": (
        BACKBONE.replace("return [Nets]", "return [Nets()]"),
        ["usmt_backbones() at ", ":8", "the class itself: Nets, not Nets(...)"],
    ),
    "no_such_name": ("from usmt import Wizard", ["cannot import name 'Wizard' from 'usmt'", ":1)"]),
    "newer": (
        f"{DATASET}\nUSMT_API = 2",
        ["written for version 2", "this usmt has version 1: install a newer usmt", ":12)"],
    ),
    "older": (f"USMT_API: int = 0\n{DATASET}", ["version 0", "newer version of the plugin", ":1)"]),
    "newer_and_broken": (
        "from usmt import Wizard\nUSMT_API = 2",
        ["cannot import name 'Wizard'", "written for version 2 of usmt's plugin interface", ":2)"],
    ),
    "version_in_words": (
        f'USMT_API = "1.0"\n{DATASET}',
        ["must be a whole number", "'1.0'", ":1)"],
    ),
    "version_true": (f"USMT_API = True\n{DATASET}", ["must be a whole number", "True", ":1)"]),
    "takes_the_path": (
        "import sys\nsys.path = []\nraise ValueError('no path')",
        ["ValueError: no path", "out of sys.path, which usmt has put back"],
    ),
    "not_a_list": (
        "import usmt\n@usmt.hookimpl\ndef usmt_datasets():\n    return {'a': 1}",
        ["usmt_datasets()", ":2", "a list was expected"],
    ),
    "not_a_class": (
        "import usmt\n@usmt.hookimpl\ndef usmt_datasets():\n    return ['clinic']",
        ["'clinic' is not a subclass of usmt.Dataset"],
    ),
    "wrong_class": (
        TASK_TYPE.replace("usmt_task_types", "usmt_datasets"),
        ["Volume", "is not a subclass of usmt.Dataset"],
    ),
    "nameless": (DATASET.replace('name = "clinic"', ""), ["Clinic.name must be a word"]),
    "bad_name": (DATASET.replace('"clinic"', '"my clinic"'), ["not 'my clinic'"]),
    "unfinished": (
        DATASET.replace("records = read_image", "read_image"),
        ["Clinic does not define records of usmt.Dataset"],
    ),
    "unfinished_executor": (
        EXECUTOR.replace("stop = close", "stop"),
        ["Queue does not define close of usmt.Executor"],
    ),
    "bad_options": (
        EXECUTOR.replace("start =", "Options = dict\n    start ="),
        ["Queue.Options must be a subclass of usmt.ExecutorOptions"],
    ),
    "no_class_of_results": (
        TASK_TYPE.replace("primary =", "Result = list[int]\n    primary ="),
        ["Volume.Result must be a class, such as a dataclass"],
    ),
    "no_primary": (TASK_TYPE.replace('primary = "error"', ""), ["Volume.primary"]),
    "bad_spec": (
        TASK_TYPE.replace("primary =", "Spec = dict\n    primary ="),
        ["Volume.Spec must be a subclass of usmt.TaskSpec"],
    ),
    "bad_folder": (
        "import usmt, pathlib\n@usmt.hookimpl\ndef usmt_spec_dirs():\n"
        "    return [pathlib.Path('/nowhere/at/all')]",
        ["/nowhere/at/all", "is not the Path of a folder"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_contained_and_explained(name: str, loose: Write) -> None:
    text, expected = BROKEN[name]
    module = f"broken_{name}"
    plugins = load_plugins([loose(**{module: text, "sound": DATASET.replace("clinic", "other")})])
    info = info_of(plugins, module)
    assert info.status == "failed" and info.error is not None
    for part in expected:
        assert part in info.error
    assert f"{module}.py" in f"{info} {info.error}"
    assert plugins.dataset("other").name == "other"
    with pytest.raises(PluginError) as caught:
        plugins.dataset("clinic")
    assert module in str(caught.value) and expected[0] in str(caught.value)


def test_the_sound_part_of_a_broken_plugin_is_used(loose: Write) -> None:
    text = DATASET + "\n@hookimpl\ndef usmt_task_types():\n    raise ValueError('half done')\n"
    plugins = load_plugins([loose(half=text)])
    assert info_of(plugins, "half").status == "failed"
    assert plugins.dataset("clinic").name == "clinic"


def test_a_plugin_for_this_version_is_used(loose: Write) -> None:
    plugins = load_plugins([loose(mine=f"USMT_API = 1\n{DATASET}")])
    assert info_of(plugins, "mine").error is None
    assert API_VERSION == 1


def test_a_plugin_object_says_its_version_in_its_module(distribution: Write) -> None:
    text = (
        f"USMT_API = 7\n{DATASET}\nclass Plugin:\n    usmt_datasets = staticmethod(usmt_datasets)"
    )
    distribution("clinic-tools", "1.2", "clinic = clinic_tools:Plugin", clinic_tools=text)
    plugins = load_plugins()
    assert "written for version 7" in str(info_of(plugins, "clinic").error)
    assert "clinic" not in plugins.datasets


def test_what_a_plugin_takes_out_of_the_path_is_put_back(loose: Write) -> None:
    before = set(sys.path)
    text = f"{DATASET}\nimport sys\nsys.path[:] = ['/nowhere']"
    plugins = load_plugins([loose(greedy=text, sound=TASK_TYPE)])
    assert before <= set(sys.path)
    assert "greedy.py" in str(info_of(plugins, "greedy").error)
    assert plugins.dataset("clinic").name == "clinic"  # its sound part is used
    assert info_of(plugins, "sound").error is None


def test_a_plugin_may_add_to_the_path(loose: Write) -> None:
    plugins = load_plugins([loose(modest=f"import sys\nsys.path.insert(0, '/nowhere')\n{DATASET}")])
    assert info_of(plugins, "modest").error is None


def test_one_plugin_that_gives_a_name_twice(loose: Write) -> None:
    text = BACKBONE.replace("return [Nets]", "return [Nets, type('Again', (Nets,), {})]")
    plugins = load_plugins([loose(twice=text)])
    error = str(info_of(plugins, "twice").error)
    assert "the family of backbones 'nets' is given by twice" in error and "twice.py:4)" in error
    assert len(info_of(plugins, "twice").errors) == 1
    with pytest.raises(PluginError, match="family of backbones 'nets' is given by"):
        plugins.backbone("nets")


def test_two_plugins_with_one_name_for_a_backbone(loose: Write, distribution: Write) -> None:
    distribution("net-tools", "1.2", "nets = net_tools", net_tools=BACKBONE)
    plugins = load_plugins([loose(own=BACKBONE, mine=DATASET)])
    with pytest.raises(PluginError) as caught:
        plugins.backbone("nets")
    for part in ("nets (net-tools 1.2)", "net_tools.py:4)", "own (", "own.py:4)"):
        assert part in str(caught.value)
    assert plugins.dataset("clinic").name == "clinic"
    assert "timm" in plugins.backbones


def test_a_broken_distribution_is_named(distribution: Write) -> None:
    distribution("clinic-tools", "1.2", "clinic = clinic_tools", clinic_tools="raise OSError('x')")
    distribution("gone", "0.1", "gone = no_such_module\nodd = not:a:name")
    plugins = load_plugins()
    with pytest.raises(PluginError, match=r"plugin clinic \(clinic-tools 1\.2\) failed: OSError"):
        plugins.task_type("volume")
    assert "no_such_module" in str(info_of(plugins, "gone").error)
    assert info_of(plugins, "odd").status == "failed"


def test_ctrl_c_goes_through(loose: Write) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_plugins([loose(stopped="raise KeyboardInterrupt")])


def test_what_a_plugin_prints_does_not_reach_stdout(
    loose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"print('at import')\n{DATASET}".replace("return [", "print('in hook'); return [")
    load_plugins([loose(chatty=text)])
    out, err = capsys.readouterr()
    assert out == ""
    assert "at import" in err and "in hook" in err


def test_a_loose_file_may_not_take_the_name_of_a_module(loose: Write) -> None:
    plugins = load_plugins([loose(json=DATASET)])
    assert "the name of the module 'json' is taken by" in str(info_of(plugins, "json").error)
    assert "clinic" not in plugins.datasets


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no such folder"):
        load_plugins([tmp_path / "nowhere"])


def test_a_loose_plugin_may_be_a_link(loose: Write, tmp_path: Path) -> None:
    package = tmp_path / "project" / "packed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(DATASET)
    folder = loose(elsewhere="raise ValueError('to be replaced')")
    (folder / "elsewhere.py").unlink()
    (folder / "packed").symlink_to(package)
    (tmp_path / "project" / "single.py").write_text(TASK_TYPE)
    (folder / "single.py").symlink_to(tmp_path / "project" / "single.py")
    plugins = load_plugins([folder])
    assert info_of(plugins, "packed").error is None and info_of(plugins, "single").error is None
    assert plugins.dataset("clinic").name == "clinic"


def test_what_else_a_project_has_is_not_run(loose: Write) -> None:
    texts = dict.fromkeys(("setup", "conftest", "noxfile", "test_mine"), "raise SystemExit(3)")
    folder = loose(mine=DATASET, **texts)
    (folder / "tests").mkdir()
    (folder / "tests" / "__init__.py").write_text("raise SystemExit(3)")
    plugins = load_plugins([folder])
    assert [i.name for i in plugins.loaded if "loose" in i.distribution] == ["mine"]


def test_an_error_of_syntax_is_told_with_the_file_that_has_it(tmp_path: Path) -> None:
    package = tmp_path / "loose" / "packed_badly"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from . import inner\n")
    (package / "inner.py").write_text("x = 1\ndef f(:\n")
    error = info_of(load_plugins([tmp_path / "loose"]), "packed_badly").error
    assert error == f"SyntaxError: invalid syntax ({package / 'inner.py'}:2)"


SLIPS = {
    "decode_view": (TASK_TYPE, "decode_views"),
    "as_image": (TASK_TYPE, "as_images"),
    "concern": (TASK_TYPE, "concerns"),
    "class_in": (TASK_TYPE, "classes_in"),
    "remark": (DATASET, "remarks"),
    "unlabeled": (DATASET, "unlabelled"),
    "pixelsize": (DATASET, "pixel_size"),
    "finger_print": (DATASET, "fingerprint"),
    "publish": (BACKBONE, None),
    "decoded": (TASK_TYPE, None),
    "class_names": (TASK_TYPE, None),
    "_concern": (TASK_TYPE, None),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_method_that_is_nearly_one_of_the_contract_is_remarked(slip: str, loose: Write) -> None:
    text, meant = SLIPS[slip]
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if "name =" in line)
    lines.insert(at, f"    def {slip}(self):\n        pass")
    info = info_of(load_plugins([loose(slipped="\n".join(lines))]), "slipped")
    assert info.status == "ok"
    if meant is None:
        assert info.remarks == []
    else:
        (remark,) = info.remarks
        assert f".{slip} is nothing that usmt asks for (did you mean '{meant}'?)" in remark
        assert f"slipped.py:{at + 1})" in remark


def test_no_remark_where_the_method_is_there_too(loose: Write) -> None:
    both = "    def decode_view(self): pass\n    def decode_views(self): pass\n    name ="
    plugins = load_plugins([loose(both=TASK_TYPE.replace("    name =", both))])
    assert info_of(plugins, "both").remarks == []


def test_the_plugins_that_come_with_usmt_have_no_remarks() -> None:
    assert [info.remarks for info in load_plugins().loaded if info.remarks] == []


def test_a_remark_is_listed(loose: Write, usmt: Usmt) -> None:
    text = DATASET.replace("    name =", "    def remark(self): pass\n    name =")
    folder = loose(slipping=text)
    answer = usmt("plugins", "list", "--plugins-dir", folder)
    assert answer.code == 0 and "(did you mean 'remarks'?)" in answer.out
    listed = usmt("plugins", "list", "--plugins-dir", folder, "--json").data
    (info,) = [info for info in listed if info["name"] == "slipping"]
    assert info["status"] == "ok" and len(info["remarks"]) == 1


def test_a_kind_of_plugin_that_is_misspelt(usmt: Usmt, tmp_path: Path) -> None:
    answer = usmt("plugins", "new", "tasktype", "mine", "--out", tmp_path / "mine")
    assert answer.code == 1 and "(did you mean 'task-type'?)" in answer.err
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("tasks", "show", "clinic_task"),
        ("groups", "show", "clinic_group"),
        ("tasks", "list", "--type", "volume"),
    ],
)
def test_what_is_missing_may_be_of_a_plugin_that_failed(
    command: tuple[str, ...], loose: Write, usmt: Usmt
) -> None:
    folder = loose(unlucky=f"{TASK_TYPE}\nraise RuntimeError('no licence')")
    answer = usmt(*command, "--plugins-dir", folder)
    assert answer.code == 1
    assert "plugin unlucky (" in answer.err and "RuntimeError: no licence" in answer.err


# -- two of a name, and none


def test_two_plugins_with_one_name_for_a_dataset(distribution: Write, loose: Write) -> None:
    distribution("clinic-tools", "1.2", "clinic = clinic_tools", clinic_tools=DATASET)
    plugins = load_plugins([loose(other=DATASET, third=TASK_TYPE)])
    assert "clinic" not in plugins.datasets
    for ask in (
        lambda: plugins.dataset("clinic"),
        lambda: plugins.datasets["clinic"],
        lambda: plugins.provider("dataset", "clinic"),
    ):
        with pytest.raises(PluginError) as caught:
            ask()
        text = str(caught.value)
        assert "clinic (clinic-tools 1.2)" in text and "other.py" in text
        assert "USMT_DISABLE_PLUGINS=other" in text
    assert "clinic-tools 1.2" in str(info_of(plugins, "other").error)
    assert "other" in str(info_of(plugins, "clinic").error)
    assert plugins.task_type("volume").name == "volume"


def test_two_plugins_with_one_name_for_an_executor(loose: Write) -> None:
    plugins = load_plugins([loose(own=EXECUTOR.replace('"queue"', '"local"'))])
    with pytest.raises(PluginError, match=r"executor 'local' is given by local .* and own"):
        plugins.executor("local")
    assert plugins.executor("ray").name == "ray"


def test_disabling_one_of_two_settles_it(loose: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = loose(one=DATASET, two=DATASET)
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", "two")
    plugins = load_plugins([folder])
    assert plugins.provider("dataset", "clinic").name == "one"
    assert info_of(plugins, "two").status == "disabled"


def test_two_plugins_of_one_name(loose: Write) -> None:
    plugins = load_plugins([loose("a", same=DATASET), loose("b", same=TASK_TYPE)])
    first, second = [info for info in plugins.loaded if info.name == "same"]
    assert first.status == "ok"
    assert str(Path("a", "same.py")) in str(second.error)


def test_near_names(loose: Write) -> None:
    plugins = load_plugins([loose(mine=TASK_TYPE + DATASET)])
    with pytest.raises(PluginError, match=r"task type 'volumes' \(did you mean 'volume'\?\)"):
        plugins.task_type("volumes")
    with pytest.raises(PluginError, match=r"dataset 'clinik' \(did you mean 'clinic'\?\)"):
        plugins.dataset("clinik")
    with pytest.raises(PluginError, match=r"executor 'locl' \(did you mean 'local'\?\)"):
        plugins.executor("locl")


def test_disabling(loose: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = loose(mine=DATASET, boom="raise RuntimeError")
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", " mine , boom, mien")
    plugins = load_plugins([folder])
    assert info_of(plugins, "boom").error is None  # it was not even imported
    assert plugins.warnings == [
        "USMT_DISABLE_PLUGINS: there is no plugin 'mien' (did you mean 'mine'?)"
    ]
    with pytest.raises(PluginError, match=r"mine .* is disabled by USMT_DISABLE_PLUGINS"):
        plugins.dataset("clinic")
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", "*")
    plugins = load_plugins([folder])
    assert {info.status for info in plugins.loaded} == {"disabled"}
    assert not plugins.task_types and not plugins.datasets and not plugins.warnings


# -- commands

COMMAND = """
import usmt
@usmt.hookimpl
def usmt_commands(app):
    @app.command("{name}")
    def extra() -> None:
        print("done")
"""


def test_commands_are_added_and_a_clash_is_contained(loose: Write) -> None:
    import typer
    from typer.main import get_group

    app = typer.Typer()
    app.command("train")(lambda: None)
    folder = loose(
        good=COMMAND.format(name="extra"),
        greedy=COMMAND.format(name="train"),
        late=COMMAND.format(name="extra"),
        raising=COMMAND.format(name="half") + "    raise OSError('no display')\n",
        odd=COMMAND.format(name="odd").replace("extra()", "extra(x: unknown)"),
    )
    plugins = load_plugins([folder])
    plugins.add_commands(app)
    commands = set(get_group(app).commands)
    assert {"train", "extra"} <= commands
    assert not {"half", "odd"} & commands
    assert info_of(plugins, "good").commands == ["extra"]
    assert "'train' is given by usmt too" in str(info_of(plugins, "greedy").error)
    assert "'extra' is given by good" in str(info_of(plugins, "late").error)
    assert "OSError: no display" in str(info_of(plugins, "raising").error)
    assert info_of(plugins, "odd").status == "failed"
