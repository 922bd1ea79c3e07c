"""Numbers and names as a report says them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from usmt.study.findings import Advice, Interval, Verdict
from usmt.study.results import Arm, StudyResults

NOT_KNOWN = "–"
ADVICE: dict[Advice, str] = {
    "alone": "train alone",
    "group": "train with a group",
    "all": "train with all tasks",
    "either": "either: no difference that matters",
    "undecided": "not decided by this data",
}
MARKS: dict[Verdict, str] = {"gain": "▲", "harm": "▼", "neutral": "≈", "undecided": "?"}


def plain(value: object) -> str:
    """A value as text, without control characters; nothing as `NOT_KNOWN`."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return NOT_KNOWN
    return "".join(char if char.isprintable() or char == "\n" else " " for char in str(value))


def clipped(text: str, width: int) -> str:
    """A text of at most this many characters."""
    line = " ".join(plain(text).split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def joined(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


# -- numbers


def count(value: int | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,}"


def score(value: float | None) -> str:
    """Three digits that tell something: 0.713, 30.4, 1,240."""
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    size = abs(value)
    digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:,.{digits}f}".replace("-", "−")


def signed(value: float | None) -> str:
    """As `score`, with its sign."""
    text = score(value)
    return text if value is None or not value > 0 else f"+{text}"


def change(value: float | None) -> str:
    """A share as per cent with its sign: +12.3%."""
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    return f"{value:+,.{1 if abs(value) < 10 else 0}%}".replace("-", "−")


def factor(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"×{value:g}"


def percentage(value: float) -> str:
    return f"{100 * value:.4g}%"


def probability(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return NOT_KNOWN
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def interval(number: Callable[[float], str]) -> Callable[[Interval | None], str]:
    """How to say an estimate with its interval: `0.713 (0.690 to 0.735)`."""

    def say(value: Interval | None) -> str:
        if value is None or not math.isfinite(value.value):
            return NOT_KNOWN
        if not (math.isfinite(value.low) and math.isfinite(value.high)):
            return number(value.value)
        return f"{number(value.value)} ({number(value.low)} to {number(value.high)})"

    return say


# -- names


def arm_meaning(results: StudyResults, arm: Arm) -> str:
    """What an arm is, in words."""
    meanings = {
        "ts": "a network for each task",
        "cg": "a network for each clinical group",
        "au": "one network for all tasks",
    }
    title = results.groups.get(arm.paradigm, arm.paradigm)
    words = meanings.get(arm.paradigm, f"one network for the tasks of the group {title}")
    if arm.paradigm == "ts" and not arm.moe:
        return words
    return f"{words}, {'with' if arm.moe else 'without'} mixture of experts"


def published_arm(results: StudyResults, key: str) -> Arm | None:
    """The arm that stands for a published one, e.g. `cg`: the paper has a mixture of experts
    wherever tasks are trained together, and none elsewhere."""
    arms = [arm for arm in results.arms if arm.paradigm == key]
    return next((arm for arm in arms if arm.moe == (key != "ts")), arms[0] if arms else None)
