"""What is wrong with a plugin's class before anything of it is run."""

from __future__ import annotations

from usmt.plugin_checks import method_remarks
from usmt.testing.broken_rule import BrokenRuleError, described


def check_class(plugin_class: type, base: type) -> None:
    """A class that defines all that it must, with a name that users can write."""
    of, name = plugin_class.__name__, getattr(plugin_class, "name", None)
    if missing := sorted(getattr(plugin_class, "__abstractmethods__", ())):
        raise BrokenRuleError(
            f"{of} must define all of usmt.{base.__name__} that has no default",
            expected="a class with " + ", ".join(missing),
            found="a class without",
            do="define them; a name may be misspelt, or one level too far in",
        )
    if not isinstance(name, str) or not name.isidentifier():
        raise BrokenRuleError(
            f"{of}.name must be a word of letters, digits and _, by which users call it",
            found="nothing" if name is None else described(name),
            do=f"""set e.g. name = "{of.lower()}" in the class""",
        )
    if remarks := method_remarks(plugin_class, base):
        raise BrokenRuleError(
            f"{of} must not define what is nearly a name of usmt.{base.__name__}: it would never "
            "be called",
            found="; ".join(remarks),
            do="correct the name; what is meant as it is gets another name, or one with a _ first",
        )
