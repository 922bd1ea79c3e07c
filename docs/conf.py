"""How the pages in this folder become a site: `make docs`."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import Any

from pydantic import BaseModel

import usmt

project = "usmt"
author = "the usmt authors"
copyright = author
version = release = version_of("usmt")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings mark code by single backticks, as Markdown does

html_theme = "furo"
html_title = "usmt"
html_static_path = ["_static"]
html_css_files = ["reading.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False

myst_heading_anchors = 4  # as GitHub makes them: the same links work there

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has them

# What type hints name that has no page here: other libraries, and classes that are not public.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(abc|annotated_types|collections|numpy|pathlib|pydantic|torch|typer|typing)\..*"),
    ("py:.*", r"(NoneType|Tensor|nn\.Module|Metric)"),
    ("py:.*", r"usmt\.\w+\..*"),
    ("py:exc", r"(Checkpoint|Plugin|Spec|Training)Error"),
]


def setup(app: Any) -> None:
    app.connect("missing-reference", link_to_public_name)
    app.connect("autodoc-process-signature", leave_out_signature_of_model)
    app.connect("autodoc-skip-member", leave_out_fields_of_model)
    app.connect("autodoc-process-docstring", join_names, priority=900)  # after napoleon


def link_to_public_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Type hints name a class by the module that holds it; its page has it under `usmt`."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in usmt.__all__:
        return None
    python = env.get_domain("py")
    at = node["refdoc"]
    return python.resolve_xref(env, at, app.builder, "obj", f"usmt.{name}", node, content)


def leave_out_signature_of_model(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> tuple[str, None] | None:
    """The fields of a spec are made from YAML, and described on a page of their own."""
    return ("", None) if what == "class" and issubclass(obj, BaseModel) else None


def leave_out_fields_of_model(
    app: Any, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    return True if name == "model_config" else None


def join_names(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """`mean, std: of RGB values` is about two attributes; Sphinx would read a type and a name."""
    for at, line in enumerate(lines):
        if found := re.match(r":(ivar|param) (\w+(?:, \w+)+):", line):
            lines[at] = line.replace(found[2], found[2].replace(" ", ""), 1)
