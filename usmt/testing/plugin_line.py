"""The file and line of a plugin at which a rule is broken."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from usmt.testing.broken_rule import BrokenRuleError


@contextmanager
def placed(plugin_class: type) -> Iterator[None]:
    """Adds to a broken rule where to look: the plugin's line that raised, else the method that the
    rule is about, else the class."""
    try:
        yield
    except BrokenRuleError as error:
        place = _raised_at(error, plugin_class) or _defined_at(plugin_class, error.rule)
        if place and place not in str(error):
            error.args = (f"{error}\n  {'where:':9} {place}",)
        raise


def _classes(plugin_class: type) -> list[type]:
    """The class and those that it inherits from, but for usmt's own and what those build on."""
    known = ("usmt", "abc", "builtins", "typing")
    return [each for each in plugin_class.__mro__ if each.__module__.partition(".")[0] not in known]


def _raised_at(error: BaseException, plugin_class: type) -> str:
    roots = {each.__module__.partition(".")[0] for each in _classes(plugin_class)}
    places = []
    cause = error.__cause__
    while cause is not None:
        places += [
            f"{frame.f_code.co_filename}:{line}"
            for frame, line in walk_tb(cause.__traceback__)
            if str(frame.f_globals.get("__name__")).partition(".")[0] in roots
        ]
        cause = cause.__cause__
    return places[-1] if places else ""


def _defined_at(plugin_class: type, rule: str) -> str:
    named = re.match(rf"{re.escape(plugin_class.__name__)}\.(\w+)", rule)
    name = named[1] if named else ""
    for each in _classes(plugin_class):
        member = vars(each).get(name)
        code = getattr(getattr(member, "__func__", member), "__code__", None)
        if code is not None:
            return f"{code.co_filename}:{code.co_firstlineno}"
    try:
        return f"{inspect.getsourcefile(plugin_class)}:{inspect.getsourcelines(plugin_class)[1]}"
    except (OSError, TypeError):
        return ""
