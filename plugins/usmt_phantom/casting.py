"""Which anatomy draws which task.

A task is served by its id, else by its organ and number of classes or points. The classes of a
classification may also be organs themselves. What is left is drawn as structures in plain tissue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from usmt import DataError, TaskSpec
from usmt_phantom.anatomy import generic
from usmt_phantom.anatomy.plan import Draw, Generator, Plan
from usmt_phantom.scene import Scene
from usmt_phantom.subjects import PANELS, SUBJECTS, Kind, Names, Subject

_SYNONYMS = {
    "cardiac": "heart",
    "foetal": "fetal",
    "fetus": "fetal",
    "uterine": "uterus",
    "ovarian": "ovary",
    "cervical": "cervix",
    "hepatic": "liver",
    "renal": "kidney",
    "pulmonary": "lung",
    "mammary": "breast",
    "thoracic": "thorax",
    "abdominal": "abdomen",
}
"""Other words for organs."""

PLANTED = "planted"
"""Organ of tasks that nothing but `data.phantom.planted` can draw, so that a misspelt id in it does
not pass unnoticed."""


@dataclass(frozen=True, slots=True)
class Casting:
    """How one task is drawn; picklable.

    Attributes:
        kind: type of the task.
        count: classes (background included) or points; 2 for a detection.
        draws: for each class of a classification, else once: an anatomy, and the variants of it
            that are drawn by lot.
        parts: the class that a mask has for each region of the anatomy.
    """

    kind: Kind
    count: int
    draws: tuple[tuple[Draw, Names], ...]
    parts: dict[str, int]

    def scene(self, index: int, height: float, rng: Generator) -> Scene:
        """The scene of one image; classes take turns with the index."""
        draw, variants = self.draws[index % len(self.draws)]
        variant = variants[int(rng.integers(len(variants)))] if variants else ""
        return draw(Plan(height, variant, self.count), rng)


def cast(task: TaskSpec) -> Casting:
    """The anatomy that serves a task. Raises `DataError` for a task that none can serve."""
    if task.organ == PLANTED:
        raise DataError(
            f"phantom cannot draw task '{task.id}': data.phantom.planted says nothing of it",
            hint="See 'Task families with known relations' in docs/explanation/phantom.md",
        )
    kind, names = _asked(task)
    count = 2 if kind == "detection" else len(names)
    subject = _subject(task, kind, count)
    match kind:
        case "classification":
            return Casting(kind, count, _draws(task.id, subject, names), {})
        case "regression":
            draw = subject.draw if subject else generic.landmarks
            return Casting(kind, count, ((draw, _looks(subject)),), {})
    if subject is None:
        parts = {f"part_{k}": k for k in range(1, count)}
        return Casting(kind, count, ((generic.regions, ()),), parts)
    order = _matched(names[1:], subject.regions)
    parts = {subject.regions[r][0]: k for k, r in enumerate(order, start=1)}
    return Casting(kind, count, ((subject.draw, _looks(subject)),), parts)


def can_draw(task: TaskSpec) -> bool:
    """Whether `cast` finds an anatomy for a task."""
    try:
        cast(task)
    except DataError:
        return False
    return True


def _asked(task: TaskSpec) -> tuple[Kind, Names]:
    """The type of a task and the names of its classes or points, checked."""
    if task.type == "detection":
        return "detection", ("background", "target")
    limits: dict[str, tuple[Kind, str, int, int]] = {
        "segmentation": ("segmentation", "classes", 2, 37),
        "classification": ("classification", "classes", 2, generic.MOST_CLASSES),
        "regression": ("regression", "points", 1, 64),
    }
    if task.type not in limits:
        raise DataError(
            f"phantom cannot draw task '{task.id}': its type is '{task.type}', and labels can be "
            f"drawn for detection, {', '.join(limits)}",
            hint="Give the task a dataset that holds its images: --data NAME=ROOT",
        )
    kind, field, least, most = limits[task.type]
    names = tuple(str(name) for name in getattr(task, field, ()))
    if not least <= len(names) <= most:
        raise DataError(
            f"phantom cannot draw task '{task.id}': it has {len(names)} {field}, and {least} to "
            f"{most} can be drawn for {kind}",
            hint="Give the task a dataset that holds its images: --data NAME=ROOT",
        )
    return kind, names


def _subject(task: TaskSpec, kind: Kind, count: int) -> Subject | None:
    able = [subject for subject in SUBJECTS if subject.serves(kind, count)]
    by_id = [subject for subject in able if task.id in subject.tasks]
    return by_id[0] if by_id else _by_organ(task.organ, able)


def _by_organ(name: str, subjects: Sequence[Subject]) -> Subject | None:
    """The subject that has the most words of the name; None if none has an organ in it."""
    words = _words(name)
    best: tuple[int, Subject | None] = (0, None)
    for subject in subjects:
        for organ in subject.organs:
            own = set(organ.split("_"))
            if own <= words and len(own) > best[0]:
                best = len(own), subject
    return best[1]


def _words(name: str) -> set[str]:
    """`Foetal-Heart (4CH)` -> {fetal, heart, 4ch}."""
    found = re.findall(r"[a-z0-9]+", name.lower())
    return {_SYNONYMS.get(word, word) for word in found}


def _draws(task_id: str, subject: Subject | None, names: Names) -> tuple[tuple[Draw, Names], ...]:
    """For each class the anatomy and variants that show it."""
    if subject is not None:
        order = _matched(names, subject.variants)
        return tuple((subject.draw, subject.variants[v][:1]) for v in order)
    for organs in (names, PANELS.get(task_id, ())):
        found = [_by_organ(organ, SUBJECTS) for organ in organs]
        # One class may be "other"; more would look alike.
        if len(found) == len(names) and len(set(map(id, found))) == len(names):
            return tuple((one.draw, _looks(one)) if one else (generic.tissue, ()) for one in found)
    return tuple((generic.classes, (str(k),)) for k in range(len(names)))


def _looks(subject: Subject | None) -> Names:
    return tuple(variant[0] for variant in subject.variants) if subject else ()


def _matched(names: Names, things: Sequence[Names]) -> tuple[int, ...]:
    """For each name the index of the thing that shares its longest word; in order as given where
    that is not one to one."""
    best = tuple(
        max(
            range(len(things)),
            key=lambda i: max((len(w) for w in things[i] if w in name), default=0),
        )
        for name in (name.lower().replace("-", "_").replace(" ", "_") for name in names)
    )
    return best if len(set(best)) == len(things) else tuple(range(len(things)))
