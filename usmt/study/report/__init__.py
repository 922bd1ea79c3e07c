"""The report of a study: a page, the same as Markdown, tables and figures."""

from usmt.study.report.folder import write_report

__all__ = ["write_report"]
