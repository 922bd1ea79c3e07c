"""Checks for a plugin's own tests: what usmt relies on, asked of the plugin, one rule at a time.

The built-in plugins are tested with the same checks. A check returns nothing, and raises
`BrokenRuleError`, an `AssertionError` that says which rule is broken, what was given, what was
expected and what to do. They work in a pytest test, and without pytest.
"""

from usmt.testing.backbone import check_backbone
from usmt.testing.broken_rule import BrokenRuleError
from usmt.testing.dataset import check_dataset
from usmt.testing.spec_dir import check_spec_dir
from usmt.testing.task_type import check_task_type

__all__ = [
    "BrokenRuleError",
    "check_backbone",
    "check_dataset",
    "check_spec_dir",
    "check_task_type",
]
