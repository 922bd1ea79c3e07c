"""The report as one page of HTML, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from usmt.study.findings import Findings
from usmt.study.report import wording
from usmt.study.report.drawing import Drawing, Picture, inline
from usmt.study.report.sections import Section, facts, question

_LOADER = PackageLoader("usmt.study.report")


def as_html(findings: Findings, sections: list[Section], pictures: Mapping[str, Picture]) -> str:
    """One page that needs no other file.

    Args:
        pictures: by the drawing's name.
    """
    pages = Environment(
        loader=_LOADER, autoescape=True, finalize=_printable, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip

    def svg(drawing: Drawing) -> Markup:
        return Markup(inline(pictures[drawing.name], drawing))  # its texts were escaped there

    style = Markup(_LOADER.get_source(pages, "style.css")[0])
    return pages.get_template("page.html").render(**_said(findings, sections), svg=svg, style=style)


def as_markdown(findings: Findings, sections: list[Section]) -> str:
    """The same with figures and tables by relative path."""
    pages = Environment(
        loader=_LOADER, autoescape=False, finalize=_escaped, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return pages.get_template("report.md").render(
        **_said(findings, sections), indented=_indented, path=_path, rule=_rule
    )


def _said(findings: Findings, sections: list[Section]) -> dict[str, Any]:
    results = findings.results
    return {
        "title": results.title,
        "question": question(results),
        "answer": findings.answer,
        "cautions": findings.cautions,
        "synthetic": results.synthetic,
        "facts": facts(results),
        "arms": [
            (results.label(arm.name), wording.arm_meaning(results, arm)) for arm in results.arms
        ],
        "margin": f"±{results.margin:.0%}",
        "reference": results.label(results.reference),
        "advice": wording.ADVICE,
        "marks": wording.MARKS,
        "sections": sections,
    }


def _printable(value: Any) -> Any:
    return wording.plain(value) if isinstance(value, str) and type(value) is str else value


class _Written(str):
    """Text that is Markdown already."""


def _escaped(value: Any) -> Any:
    """A value as Markdown that shows it as it is, on one line."""
    if isinstance(value, _Written) or not isinstance(value, str):
        return value
    text = " ".join(wording.plain(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~$])", r"\\\1", text)


def _path(folder: str, name: str, ending: str) -> _Written:
    return _Written(f"{folder}/{name}.{ending}")


def _rule(number: bool) -> _Written:
    """Below a column's title: where its cells are aligned."""
    return _Written("---:" if number else "---")


def _indented(listing: str) -> _Written:
    """A block of code, which nothing within can end."""
    return _Written("\n".join(f"    {line}" for line in listing.splitlines()))
