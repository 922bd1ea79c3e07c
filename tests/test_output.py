"""What a reader of stdout and stderr gets: on a terminal, piped, and as JSON."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from usmt import progress as progress_module
from usmt.errors import UsmtError
from usmt.output import Output, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def streams() -> tuple[io.StringIO, io.StringIO]:
    return io.StringIO(), io.StringIO()


def say_everything(output: Output) -> None:
    output.table("Scores", ("task", "score"), [("lung", 0.5)], note="two tasks")
    output.text("a line")
    output.note("a note")
    output.warning("careful")
    output.error(UsmtError("wrong", hint="do this"))


def test_piped_table_is_plain_aligned_and_whole(streams) -> None:
    out, err = streams
    long = "x" * 500
    Output(stdout=out, stderr=err).table(
        "Scores",
        ("task", "score", "images", "groups"),
        [("lung[bold]", 0.712345, 12345, ["ob", "all"]), (long, None, 7, [])],
    )
    title, header, first, second = out.getvalue().splitlines()
    assert title == "Scores"
    assert first.split() == ["lung[bold]", "0.7123", "12345", "ob,", "all"]
    assert second.split() == [long, "-", "7", "-"]
    assert first.index("12345") + 5 == second.index(" 7") + 2 == header.index("images") + 6
    assert err.getvalue() == ""


def test_piped_output_has_no_ansi_and_no_boxes(streams) -> None:
    out, err = streams
    say_everything(Output(stdout=out, stderr=err))
    assert (out.getvalue() + err.getvalue()).isascii()
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_data_on_stdout_and_the_rest_on_stderr(streams) -> None:
    out, err = streams
    say_everything(Output(stdout=out, stderr=err))
    assert "lung" in out.getvalue() and "a line" in out.getvalue()
    assert err.getvalue().splitlines() == [
        "two tasks",
        "a note",
        "warning: careful",
        "error: wrong",
        "  do this",
    ]


def test_a_cell_of_two_lines_stays_in_its_row(streams) -> None:
    out, err = streams
    Output(stdout=out, stderr=err).table("", ("a", "b"), [("one\ntwo", 1)])
    assert out.getvalue().splitlines()[1:] == ["one; two  1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (0.1234567, "0.1235"),
        (14887.26, "14887.3"),
        (0.00002, "2e-05"),
        (float("nan"), "nan"),
        (3, "3"),
        ((1, "a"), "1, a"),
        ({"k": 0.5}, "k 0.5"),
        (Path("a/b"), "a/b"),
    ],
)
def test_values_as_people_read_them(value: object, text: str) -> None:
    assert shown(value) == text


def test_json_mode_writes_the_data_and_nothing_else_on_stdout(streams) -> None:
    out, err = streams
    output = Output(json=True, stdout=out, stderr=err)
    say_everything(output)
    with output.progress("scoring", 3) as bar:
        bar.advance()
    output.data(
        {
            "nan": float("nan"),
            "path": Path("a"),
            "numpy": np.float32(0.5),
            "many": (1, None),
            "name": "Küvette",
        }
    )
    assert json.loads(out.getvalue()) == {
        "nan": None,
        "path": "a",
        "numpy": 0.5,
        "many": [1, None],
        "name": "Küvette",
    }
    assert "scoring" not in err.getvalue()


def test_without_json_data_writes_nothing(streams) -> None:
    out, err = streams
    Output(stdout=out, stderr=err).data({"a": 1})
    assert out.getvalue() == ""


def test_terminal_table_has_colour_and_fits_its_width(monkeypatch, streams) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    Output(stdout=out, stderr=streams[1]).table("", ("id", "n"), [("y" * 100, 12345)])
    assert "\x1b[36m" in out.getvalue()
    assert "12345" in out.getvalue()
    assert sum(line.count("y") for line in out.getvalue().splitlines()) == 100  # folded, not cut


def test_no_color_on_a_terminal(monkeypatch, streams) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    out, err = Terminal(), Terminal()
    say_everything(Output(stdout=out, stderr=err))
    for code in ("\x1b[31", "\x1b[33", "\x1b[36"):
        assert code not in out.getvalue() + err.getvalue()


def test_progress_without_a_terminal_speaks_now_and_then(monkeypatch, streams) -> None:
    out, err = streams
    now = [0.0]
    monkeypatch.setattr(progress_module, "monotonic", lambda: now[0])
    with Output(stdout=out, stderr=err).progress("training", 100) as bar:
        for _ in range(50):
            now[0] += 0.5
            bar.advance()
        bar.update(description="last")
        bar.advance(50)
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "training: 0 of 100",
        "training: 20 of 100, 2.0/s, 40 s left",
        "training: 40 of 100, 2.0/s, 30 s left",
        "last: 100 of 100 in 25 s",
    ]


def test_an_inner_bar_without_a_terminal_speaks_only_while_it_is_slow(monkeypatch, streams) -> None:
    out, err = streams
    now = [0.0]
    monkeypatch.setattr(progress_module, "monotonic", lambda: now[0])
    output = Output(stdout=out, stderr=err)
    with output.progress("training", 2):
        for seconds in (1.0, 6.0):
            with output.progress("scoring", 4) as inner:
                for _ in range(4):
                    now[0] += seconds
                    inner.advance()
    assert err.getvalue().splitlines() == [
        "training: 0 of 2",
        "scoring: 2 of 4, 0.2/s, 12 s left",
        "scoring: 4 of 4, 0.2/s, 0 s left",
        "training: 0 of 2 in 28 s",
    ]


def test_progress_on_a_terminal_nests_and_lets_notes_through(monkeypatch, streams) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    out, err = streams[0], Terminal()
    output = Output(stdout=out, stderr=err)
    stdout = sys.stdout
    with output.progress("training", 2) as bar:
        assert sys.stdout is stdout  # a pipe is left alone, whoever writes to it
        bar.advance()
        output.note("between [bold]")
        output.text("data")
        with output.progress("scoring", 1) as inner:
            inner.advance()
        bar.advance()
    assert out.getvalue() == "data\n"
    for text in ("training", "between [bold]", "2/2"):
        assert text in err.getvalue()
    with output.progress("again", 1) as bar:  # the first display is closed
        bar.advance()
    assert "again" in err.getvalue()


def test_an_error_inside_progress_leaves_no_display_behind(streams) -> None:
    output = Output(stdout=streams[0], stderr=Terminal())
    with pytest.raises(ValueError, match="inside"), output.progress("training", 2):
        raise ValueError("inside")
    assert output._progress is None


def test_silent_output_says_nothing(capfd) -> None:
    output = Output.silent()
    say_everything(output)
    with output.progress("training", 1) as bar:
        bar.advance()
    assert capfd.readouterr() == ("", "")
