"""Bad task specs and groups."""

from __future__ import annotations

from case import LIST, TRAIN, Case
from damage import both, put, remove, replace
from small_copy import GROUP, TASK

SPEC = "specs/tasks/ward_lesion.yaml"
GROUPS = "specs/groups/ward.yaml"
POINTS = "specs/tasks/fetal_head_axes_reg.yaml"
BOX = "specs/tasks/breast_lesion_det.yaml"


def spec(name: str, text: str | bytes, place: str, way_out: str) -> Case:
    """The text of the task's file, and the line and column that are named."""
    return Case(f"spec: {name}", put(SPEC, text), LIST, f"{SPEC}:{place}: ", way_out)


def changed(name: str, old: str, new: str, place: str, way_out: str) -> Case:
    assert old in TASK
    return spec(name, TASK.replace(old, new), place, way_out)


def group(name: str, old: str, new: str, place: str, way_out: str) -> Case:
    assert old in GROUP
    damage = put(GROUPS, GROUP.replace(old, new))
    return Case(f"group: {name}", damage, LIST, f"{GROUPS}:{place}: ", way_out)


SYNTAX = [
    spec("empty", "", "1:1", "expected a mapping"),
    spec("a list", "- id: ward_lesion\n- title: x\n", "1:1", "expected a mapping"),
    spec("text", "a lesion of the breast", "1:1", "expected a mapping"),
    spec("no YAML", "id: [ward_lesion\ntitle: x\n", "2:6", "closing bracket is missing"),
    spec("a tab", TASK.replace("organ: ", "organ:\n\t- "), "5:1", "a tab, expected spaces"),
    spec("bytes of an image", b"\x89PNG\r\n\x1a\n" * 20, "1:1", "save the file as UTF-8"),
    spec("a second document", TASK + "---\n" + TASK, "8:1", "a second document"),
    spec("a quote not closed", TASK.replace("organ: breast", "organ: 'breast"), "4:8", "a quote"),
    spec("too large", "# " + "x" * 300_000, "1:1", "more than 262144 bytes"),
    spec("nested deeply", "id: " + "[" * 20_000, "1:1", "nested too deeply"),
    spec(
        "aliases that grow",
        "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(9)),
        "1:4",
        "write the value out",
    ),
    spec(
        "a tag of Python's",
        f"id: !!python/object/apply:os.system ['mkdir trapped']\n{TASK}",
        "1:5",
        "is not supported",
    ),
]

FIELDS = [
    spec("a key twice", TASK + "organ: lung\n", "8:1", "is there already, on line 4"),
    changed("unknown key", "organ:", "organs:", "4:1", "did you mean 'organ'?"),
    changed("missing key", "organ: breast\n", "", "1:1", "missing, expected text"),
    changed("a number for a text", "organ: breast", "organ: 7", "4:8", "write it in quotes"),
    changed("a text for a list", "[background, lesion]", "lesion", "7:10", "expected a list"),
    changed("unknown task type", "segmentation", "segmentaton", "3:7", "did you mean"),
    changed("unknown flip", "horizontal", "sideways", "6:7", "'none'"),
    changed("another id", "id: ward_lesion", "id: ward_tumour", "1:5", "as the file is named"),
    changed("an id that is no name", "id: ward_lesion", "id: 7 lesions", "1:5", "expected"),
    changed("a class twice", "[background, lesion]", "[lesion, lesion]", "7:10", "one name"),
    changed("one class", "[background, lesion]", "[background]", "7:10", "at least 2"),
    changed("no class", "[background, lesion]", "", "7:1", "expected a list"),
    changed("a number beyond all", "flip:", "images: 1e999\nflip:", "6:9", "expected"),
    changed("a number of many digits", "flip:", f"images: {'9' * 5000}\nflip:", "6:9", "as !!int"),
    changed("no image", "flip:", "images: 0\nflip:", "6:9", "expected at least 1"),
    Case(
        "spec: an unknown point is measured",
        replace(POINTS, "circumference, points: [left,", "circumference, points: [lefft,"),
        LIST,
        f"{POINTS}:10:",
        "did you mean 'left'?",
    ),
    Case(
        "spec: an unknown class is measured",
        put(SPEC, f"{TASK}measurements:\n  size: {{kind: area, class: leson}}\n"),
        LIST,
        f"{SPEC}:9:29: ",
        "did you mean 'lesion'?",
    ),
    Case(
        "spec: an unknown measure",
        replace(BOX, "kind: width", "kind: widht"),
        LIST,
        f"{BOX}:9:",
        "'width'",
    ),
    Case(
        "spec: an id that is taken",
        put("specs/tasks/breast_2cls.yaml", TASK.replace("ward_lesion", "breast_2cls")),
        LIST,
        "specs/tasks/breast_2cls.yaml:1:5: ",
        "is taken by",
    ),
    Case(
        "spec: every file wrong",
        both(*(put(f"specs/tasks/t{i}.yaml", "id: 1\n") for i in range(40))),
        LIST,
        "specs/tasks/t0.yaml:1:",
        "more",
    ),
]

GROUPS_OF_TASKS = [
    group("unknown task", "ward_lesion,", "ward_leson,", "3:9", "did you mean 'ward_lesion'?"),
    group("itself", "ward_lesion,", "ward,", "3:9", "there is no task 'ward'"),
    group("a task twice", "breast_lesion", "ward_lesion", "3:22", "listed already, on line 3"),
    group("no task", "[ward_lesion, breast_lesion]", "[]", "3:8", "expected at least 1"),
    group("unknown key", "tasks:", "members:", "3:1", "allowed: id, title"),
    Case(
        "group: trained, though a spec is wrong",
        put(SPEC, "id: ward_lesion\n"),
        (*TRAIN, "--group", "ward"),
        f"{SPEC}:1:1: ",
        "missing",
    ),
]

FOLDERS = [
    Case("specs: no such folder", remove("specs"), LIST, "specs", "there is no such folder"),
    Case(
        "specs: nothing in it",
        both(remove("specs"), put("specs/readme.txt", "")),
        LIST,
        "specs",
        "expected files tasks/ID.yaml",
    ),
]

CASES = [*SYNTAX, *FIELDS, *GROUPS_OF_TASKS, *FOLDERS]
