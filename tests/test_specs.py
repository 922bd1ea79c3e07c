"""The catalogue: the specs that are shipped, a user's own, and every mistake with its place."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from usmt import Catalogue, Plugins, load_catalogue, load_plugins
from usmt.errors import SpecError
from usmt.specs import user_spec_dirs
from usmt.task_spec import GroupSpec, TaskSpec

TASK = """\
id: bladder
title: Bladder, outline
type: segmentation
organ: bladder
dataset: ward
flip: horizontal
classes: [background, bladder]
"""
GROUP = """\
id: ward
title: Everything of the ward
tasks: [bladder, lung]
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USMT_SPECS", "USMT_PLUGINS_DIR", "USMT_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def built_in() -> Plugins:
    """Without the public datasets, which bring tasks and groups of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USMT_DISABLE_PLUGINS", "public_data")
        return load_plugins()


@pytest.fixture(scope="module")
def catalogue(built_in: Plugins) -> Catalogue:
    return load_catalogue(built_in)


def specs(folder: Path, **files: str) -> Path:
    """A folder of specs: `tasks__bladder=TEXT` becomes tasks/bladder.yaml."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def told(plugins: Plugins, *folders: Path) -> str:
    """All that is said about the mistakes of a user's folders, their paths shortened."""
    with pytest.raises(SpecError) as caught:
        load_catalogue(plugins, folders)
    text = str(caught.value)
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    return text


def heads(text: str) -> list[str]:
    """The first line of each problem: neither lines of files nor the hint."""
    return [line for line in text.splitlines() if not line.startswith("  ")]


# -- the specs that are shipped

SEGMENTATION = {
    "breast_lesion": 2,
    "cardiac_multi": 4,
    "carotid_artery": 2,
    "cervix": 2,
    "cervix_multi": 3,
    "fetal_abdomen_multi": 5,
    "fetal_head": 2,
    "fetal_heart": 2,
    "head_symphysis_multi": 3,
    "lung": 2,
    "ovary_tumor": 2,
    "thyroid_nodule": 2,
}
CLASSIFICATION = {
    "breast_2cls": 2,
    "breast_3cls": 3,
    "fetal_head_pos_cls": 8,
    "fetal_plane_cls": 6,
    "fetal_sacral_pos_cls": 8,
    "liver_lesion_2cls": 2,
    "lung_2cls": 2,
    "lung_disease_3cls": 3,
    "organ_cls": 6,
}
REGRESSION = {"FUGC": 2, "IUGC": 3, "fetal_femur": 2}
DETECTION = ("spinal_cord_injury_loc", "thyroid_nodule_det", "uterine_fibroid_det")
OB = "FUGC IUGC fetal_femur fetal_abdomen_multi fetal_head fetal_plane_cls fetal_sacral_pos_cls"
GROUPS = {
    "ob": set(OB.split()),
    "breast": {"breast_lesion", "breast_2cls", "breast_3cls"},
    "lung": {"lung", "lung_2cls", "lung_disease_3cls"},
    "all": {*REGRESSION, *CLASSIFICATION, *DETECTION, *SEGMENTATION},
}


def test_the_27_tasks_are_as_published(catalogue: Catalogue):
    tasks = catalogue.tasks
    for kind, field, counts in [
        ("segmentation", "classes", SEGMENTATION),
        ("classification", "classes", CLASSIFICATION),
        ("regression", "points", REGRESSION),
    ]:
        found = {i: len(getattr(task, field)) for i, task in tasks.items() if task.type == kind}
        assert found == counts
    assert {i for i, task in tasks.items() if task.type == "detection"} == set(DETECTION)
    assert all(tasks[i].model_dump()["target"] for i in DETECTION)
    assert len(tasks) == 27 and not catalogue.unavailable
    assert tasks["lung"].images == 1482


def test_published_scores_are_of_metrics_that_there_are(built_in: Plugins, catalogue: Catalogue):
    told = {name: task for name, task in catalogue.tasks.items() if task.published}
    assert set(told) == {"FUGC", "fetal_abdomen_multi", "breast_lesion", "lung"}
    for task in told.values():
        kind = built_in.task_type(task.type)
        known = kind(kind.Options()).metrics(task)
        assert set(task.published) <= {"ts", "cg", "au"} and "ts" in task.published
        assert all(set(scores) <= set(known) for scores in task.published.values())
    changes = {name: group.published for name, group in catalogue.groups.items()}
    assert changes["breast"] == {"cg": -0.29, "au": -0.02}
    assert changes["lung"] == {"cg": -0.07, "au": 0.07}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("published: {ts: {dsc: high}}", "published.ts.dsc: found 'high', expected a number"),
        ("published: {ts: {dsc: .nan}}", "published.ts.dsc: "),
        ("published: {ts: 0.5}", "published.ts: "),
        ("published: {my-arm: {dsc: 0.5}}", "published.my-arm"),
        ("published: {ts: {d-s-c: 0.5}}", "published.ts.d-s-c"),
    ],
)
def test_published_scores_that_are_none_are_refused(
    built_in: Plugins, tmp_path: Path, line: str, expected: str
):
    text = told(built_in, specs(tmp_path, tasks__bladder=f"{TASK.rstrip()}\n{line}\n"))
    assert expected in text and "tasks/bladder.yaml:" in text


def test_every_shipped_task_is_complete(catalogue: Catalogue):
    for name, task in catalogue.tasks.items():
        assert task.id == name == catalogue.files[name].stem
        assert task.dataset == "fmc_uia" and catalogue.givers[name] == "fmc_uia"
        assert task.organ.islower() and task.citation
        if task.type == "segmentation":
            assert task.model_dump()["classes"][0] == "background"
    titles = Counter(task.title for task in catalogue.tasks.values())
    assert max(titles.values()) == 1


def test_no_flip_where_sides_carry_the_label(catalogue: Catalogue):
    for name in ("fetal_head_pos_cls", "fetal_sacral_pos_cls", "IUGC", "head_symphysis_multi"):
        assert catalogue.tasks[name].flip == "none"
    assert {task.flip for task in catalogue.tasks.values()} == {"none", "horizontal"}


def test_the_groups_are_as_published(catalogue: Catalogue):
    assert {name: set(catalogue.task_ids(name)) for name in catalogue.groups} == GROUPS
    assert len(catalogue.task_ids("all")) == 27
    assert [task.id for task in catalogue.group_tasks("ob")] == catalogue.task_ids("ob")
    assert catalogue.groups_of("breast_2cls") == ["all", "breast"]
    assert catalogue.groups_of("fetal_heart") == ["all"]
    assert set(catalogue.group_givers.values()) == {"fmc_uia"}
    assert catalogue.group_files["ob"].name == "ob.yaml"


def test_the_catalogue_is_read_at_once_and_without_torch():
    code = (
        "import sys, time; from usmt import load_catalogue, load_plugins\n"
        "plugins = load_plugins()\n"
        "start = time.process_time(); load_catalogue(plugins); print(time.process_time() - start)\n"
        "assert 'torch' not in sys.modules"
    )
    times = []
    for _ in range(3):  # the best of three: the machine may be busy
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        times.append(float(done.stdout))
        if times[-1] < 0.3:
            break
        time.sleep(0.5)
    assert min(times) < 0.3


# -- a user's own


def test_adding_a_task_is_one_file_and_a_group_is_a_list(built_in: Plugins, tmp_path: Path):
    folder = specs(tmp_path, tasks__bladder=TASK, groups__ward=GROUP)
    found = load_catalogue(built_in, [folder])
    assert found.task("bladder").model_dump()["classes"] == ["background", "bladder"]
    assert type(found.task("bladder")) is built_in.task_types["segmentation"].Spec
    assert [task.id for task in found.group_tasks("ward")] == ["bladder", "lung"]
    assert found.groups_of("lung") == ["all", "lung", "ward"]
    assert found.givers["bladder"] == found.group_givers["ward"] == "user"
    assert found.files["bladder"] == folder / "tasks" / "bladder.yaml"
    assert len(found.tasks) == 28
    assert "bladder" not in found.task_ids("all"), "a user's task does not join a published group"


def test_a_group_alone_and_the_other_suffix(built_in: Plugins, tmp_path: Path):
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "two.yml").write_text("id: two\ntitle: Two\ntasks: [lung, lung_2cls]\n")
    (tmp_path / "groups" / ".#two.yaml").symlink_to("an-editor's-lock")
    (tmp_path / "groups" / "notes.txt").write_text("no spec")
    assert load_catalogue(built_in, [tmp_path]).task_ids("two") == ["lung", "lung_2cls"]


def test_the_word_all_is_every_task(built_in: Plugins, tmp_path: Path):
    mine = "id: mine\ntitle: Mine\ntasks: all\n"
    found = load_catalogue(built_in, [specs(tmp_path, tasks__bladder=TASK, groups__mine=mine)])
    assert set(found.task_ids("mine")) == set(found.tasks) and len(found.tasks) == 28
    assert found.groups_of("bladder") == ["mine"]


def test_folders_of_the_environment_and_of_the_command(
    built_in: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one = specs(tmp_path / "one", tasks__bladder=TASK)
    two = specs(tmp_path / "two", groups__ward=GROUP)
    monkeypatch.setenv("USMT_SPECS", f"{one}:{two}:")
    monkeypatch.chdir(tmp_path)
    assert user_spec_dirs() == [one, two]
    assert user_spec_dirs([Path("two"), Path("three")]) == [one, two, tmp_path / "three"]
    assert load_catalogue(built_in, [Path("two")]).task_ids("ward") == ["bladder", "lung"]


def test_a_folder_that_a_plugin_gives_too_is_read_once(built_in: Plugins):
    [(folder, _)] = built_in.spec_dirs
    assert len(load_catalogue(built_in, [folder]).tasks) == 27


# -- mistakes, each with its place


def swapped(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "segmentation",
            "segmentaton",
            "tasks/bladder.yaml:3:7: type: no plugin gives the task type 'segmentaton' "
            "(did you mean 'segmentation'?), allowed: classification, detection, regression, "
            "segmentation",
        ),
        (
            "horizontal",
            "horizontl",
            "tasks/bladder.yaml:6:7: flip: found 'horizontl', expected 'none', 'horizontal', "
            "'vertical' or 'both' (did you mean 'horizontal'?)",
        ),
        (
            "classes:",
            "clases:",
            "tasks/bladder.yaml:1:1: classes: missing, expected a list",
        ),
        (
            "[background, bladder]",
            "[bladder]",
            "tasks/bladder.yaml:7:10: classes: found a list of 1, expected at least 2 of them",
        ),
        (
            "[background, bladder]",
            "[background, 1]",
            "tasks/bladder.yaml:7:23: classes[1]: found 1, expected text (write it in quotes)",
        ),
        (
            "organ: bladder\n",
            "",
            "tasks/bladder.yaml:1:1: organ: missing, expected text",
        ),
        (
            "organ: bladder\n",
            "organ: bladder\nimages: 0\n",
            "tasks/bladder.yaml:5:9: images: found 0, expected at least 1",
        ),
        (
            "organ: bladder\n",
            "organ: bladder\norgan: lung\n",
            "tasks/bladder.yaml:5:1: organ: the key is there already, on line 4",
        ),
        (
            "id: bladder",
            "id: blader",
            "tasks/bladder.yaml:1:5: id: found 'blader', expected 'bladder' as the file is named",
        ),
        ("title: ", "title:\t", "tasks/bladder.yaml:2:7: a tab, expected spaces"),
    ],
)
def test_a_mistake_in_a_task(built_in: Plugins, tmp_path: Path, old: str, new: str, expected: str):
    text = told(built_in, specs(tmp_path, tasks__bladder=swapped(TASK, old, new)))
    assert expected in heads(text)


def test_the_line_is_shown(built_in: Plugins, tmp_path: Path):
    text = told(built_in, specs(tmp_path, tasks__bladder=swapped(TASK, "classes", "clases")))
    assert text == (
        "tasks/bladder.yaml:1:1: classes: missing, expected a list\n"
        "  1 | id: bladder\n"
        "    | ^\n"
        "tasks/bladder.yaml:7:1: clases: unknown key (did you mean 'classes'?), allowed: id, "
        "title, type, organ, dataset, images, flip, citation, layout, published, "
        "classes, measurements\n"
        "  7 | clases: [background, bladder]\n"
        "    | ^\n"
        "  2 mistakes in specs. How to write them: docs/reference/specs.md"
    )


@pytest.mark.parametrize("text", ["tpye: segmentation", "type: [segmentation]"])
def test_a_task_without_a_type_is_checked_as_far_as_it_can_be(
    built_in: Plugins, tmp_path: Path, text: str
):
    broken = swapped(swapped(TASK, "type: segmentation", text), "flip: horizontal", "flip: up")
    found = heads(told(built_in, specs(tmp_path, tasks__bladder=broken)))
    assert any(": flip: found 'up'" in line for line in found)
    assert any(": type: " in line for line in found)
    assert any(": tpye: unknown key (did you mean 'type'?)" in line for line in found) == (
        "tpye" in text
    )
    assert not any(": classes: " in line for line in found), "they belong to the type"


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (
            "[lung, blader]",
            "groups/ward.yaml:3:15: tasks[1]: there is no task 'blader' (did you mean 'bladder'?)",
        ),
        (
            "\n  - bladder\n  - lung\n  - bladder",
            "groups/ward.yaml:6:5: tasks[2]: the task 'bladder' is listed already, on line 4",
        ),
        ("[]", "groups/ward.yaml:3:8: tasks: found an empty list, expected at least 1 of them"),
        (
            "everything",
            "groups/ward.yaml:3:8: tasks: found 'everything', expected a list or 'all'",
        ),
        (
            "[lung, 2]",
            "groups/ward.yaml:3:15: tasks[1]: found 2, expected text (write it in quotes)",
        ),
        (
            "[lung, a-b]",
            "groups/ward.yaml:3:15: tasks[1]: found 'a-b', expected letters, digits and _, "
            "a letter first",
        ),
    ],
)
def test_a_mistake_in_a_group(built_in: Plugins, tmp_path: Path, tasks: str, expected: str):
    group = swapped(GROUP, "[bladder, lung]", tasks)
    text = told(built_in, specs(tmp_path, tasks__bladder=TASK, groups__ward=group))
    assert heads(text) == [expected]


def test_an_id_that_is_taken_names_both_files(built_in: Plugins, tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    specs(one, tasks__bladder=TASK, groups__ward=GROUP)
    specs(two, tasks__bladder=f"# again\n{TASK}", groups__ward=GROUP)
    assert heads(told(built_in, one, two)) == [
        "tasks/bladder.yaml:2:5: id: the id 'bladder' is taken by tasks/bladder.yaml:1:5",
        "groups/ward.yaml:1:5: id: the id 'ward' is taken by groups/ward.yaml:1:5",
    ]
    with pytest.raises(SpecError) as caught:
        load_catalogue(built_in, [one, two])
    assert f"{two}/tasks/bladder.yaml:2:5: " in str(caught.value)
    assert f"taken by {one}/tasks/bladder.yaml:1:5" in str(caught.value)


def test_an_id_of_a_built_in_task_is_taken(built_in: Plugins, catalogue: Catalogue, tmp_path: Path):
    text = told(built_in, specs(tmp_path, tasks__lung=swapped(TASK, "id: bladder", "id: lung")))
    taken = f"tasks/lung.yaml:1:5: id: the id 'lung' is taken by {catalogue.files['lung']}:1:5"
    assert heads(text) == [taken]


def test_two_suffixes_of_one_name_are_one_id(built_in: Plugins, tmp_path: Path):
    specs(tmp_path, tasks__bladder=TASK)
    (tmp_path / "tasks" / "bladder.yml").write_text(TASK)
    [line] = heads(told(built_in, tmp_path))
    assert line.startswith("tasks/bladder.yml:1:5: id: the id 'bladder' is taken by ")


def test_all_mistakes_of_all_files_come_at_once(built_in: Plugins, tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    specs(
        one,
        tasks__a=swapped(swapped(TASK, "id: bladder", "id: b"), "flip: horizontal", "flip: up"),
        tasks__c="id: [",
        groups__ward="id: ward\ntasks: [a, c, zzz]\n",
    )
    (one / "tasks" / "d.yaml").symlink_to("nowhere")
    (two / "tasks").mkdir(parents=True)
    found = heads(told(built_in, one, two, tmp_path / "three"))
    assert [line.split(": ")[0] for line in found] == [
        "tasks/a.yaml:1:5",
        "tasks/a.yaml:6:7",
        "tasks/c.yaml:1:6",
        "tasks/d.yaml:1:1",
        "groups/ward.yaml:1:1",
        str(two),
        str(tmp_path / "three"),
        "groups/ward.yaml:2:15",
    ], "a group may name a task whose own file is faulty; that is told once"


def test_folders_that_hold_no_specs(built_in: Plugins, tmp_path: Path):
    assert f"{tmp_path}/none: there is no such folder of specs" in told(built_in, tmp_path / "none")
    (tmp_path / "bladder.yaml").write_text(TASK)
    expected = "no specs in it, expected files tasks/ID.yaml or groups/ID.yaml"
    assert told(built_in, tmp_path).startswith(f"{tmp_path}: {expected}")


def test_names_that_are_not_there(catalogue: Catalogue):
    with pytest.raises(SpecError, match=r"no task 'breast_lesoin' \(did you mean 'breast_lesion'"):
        catalogue.task("breast_lesoin")
    with pytest.raises(SpecError, match=r"no group 'brest' \(did you mean 'breast'"):
        catalogue.group_tasks("brest")
    with pytest.raises(SpecError, match="no group 'brest'"):
        catalogue.task_ids("brest")


# -- task types that cannot be used


def test_a_disabled_type_breaks_only_what_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", "detection,public_data")
    mine = specs(tmp_path, groups__mine="id: mine\ntitle: Mine\ntasks: all\n")
    found = load_catalogue(load_plugins(), [mine])
    assert set(found.unavailable) == set(DETECTION) and len(found.tasks) == 24
    assert len(found.group_tasks("ob")) == 7
    assert found.groups_of("thyroid_nodule_det") == ["all", "mine"]
    assert len(found.task_ids("mine")) == 27, "what is needed but missing is not left out"
    with pytest.raises(SpecError, match=r"'thyroid_nodule_det' cannot be used: .*'detection'"):
        found.task("thyroid_nodule_det")
    with pytest.raises(SpecError) as caught:
        found.group_tasks("all")
    for text in [*DETECTION, "group 'all' has tasks that cannot be used", "disabled by"]:
        assert text in str(caught.value)


def test_a_users_task_of_a_type_that_failed_says_why(tmp_path: Path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "volumes_of_a_ward.py").write_text("import no_such_library\n")
    plugins = load_plugins([tmp_path / "plugins"])
    task = swapped(TASK, "type: segmentation", "type: volume")
    text = told(plugins, specs(tmp_path / "mine", tasks__bladder=task))
    assert "tasks/bladder.yaml:3:7: type: no plugin gives the task type 'volume', allowed: " in text
    assert "No module named 'no_such_library'" in text


def test_a_plugins_task_of_a_type_that_is_not_there_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", "public_data")
    plugins = load_plugins()
    ward = specs(
        tmp_path / "ward",
        tasks__bladder=swapped(TASK, "type: segmentation", "type: volume"),
        groups__ward=GROUP,
    )
    plugins.spec_dirs.append((ward, "ward"))
    found = load_catalogue(plugins)
    assert list(found.unavailable) == ["bladder"] and len(found.tasks) == 27
    assert found.group_givers["ward"] == "ward" and found.task_ids("ward") == ["bladder", "lung"]
    with pytest.raises(SpecError, match="'ward' has tasks that cannot be used"):
        found.group_tasks("ward")
    text = told(plugins, specs(tmp_path / "mine", tasks__bladder=TASK))
    assert f"the id 'bladder' is taken by {ward}/tasks/bladder.yaml:1:5" in text


def test_a_plugins_own_mistakes_are_mistakes(tmp_path: Path):
    plugins = load_plugins()
    plugins.spec_dirs.append(
        (specs(tmp_path, tasks__bladder=swapped(TASK, "id: bladder\n", "")), "ward")
    )
    with pytest.raises(SpecError, match=r"tasks/bladder.yaml:1:1: id: missing"):
        load_catalogue(plugins)


# -- the page about specs

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "specs.md"


def test_the_page_shows_specs_that_load_and_tells_every_field(built_in: Plugins, tmp_path: Path):
    text = PAGE.read_text()
    shown = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    assert len(shown) >= 2
    for block in shown:
        name = block.split("id: ")[1].split()[0]
        kind = "groups" if "\ntasks:" in block else "tasks"
        specs(tmp_path, **{f"{kind}__{name}": block})
    load_catalogue(built_in, [tmp_path])
    models = [TaskSpec, GroupSpec, *(each.Spec for each in built_in.task_types.values())]
    for field in {name for model in models for name in model.model_fields}:
        assert f"| `{field}` |" in text
