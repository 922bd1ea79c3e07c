"""One command line of usmt, run in this process, and what it answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from usmt.cli.main import main


class Answer(NamedTuple):
    """Exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Of a command that was given --json."""
        return json.loads(self.out)


Usmt = Callable[..., Answer]


def runner(capsys: pytest.CaptureFixture[str]) -> Usmt:
    """`usmt(*arguments)` -> answer."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return run
