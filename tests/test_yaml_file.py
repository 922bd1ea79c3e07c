"""YAML files: whatever is wrong with one is told with its place, and nothing escapes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from usmt.errors import ConfigError
from usmt.yaml_file import (
    LARGEST,
    Problem,
    YamlError,
    YamlFile,
    check,
    explain,
    parse_value,
    read_yaml,
    validate,
)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "file.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(YamlError) as caught:
        read_yaml(path)
    return list(caught.value.problems)


# -- values and places


def test_values_are_plain_and_have_places(tmp_path: Path):
    file = read_yaml(
        write(
            tmp_path,
            "# comment\n"
            "name: lung\n"
            "many:\n"
            "  - 1\n"
            "  - {deep: 2.5}\n"
            "date: 2024-01-01\n"
            "yes: no\n"
            "empty:\n"
            "text: '3'\n"
            "on: true\n",
        )
    )
    assert file.data == {
        "name": "lung",
        "many": [1, {"deep": 2.5}],
        "date": "2024-01-01",
        "yes": "no",
        "empty": None,
        "text": "3",
        "on": True,
    }
    assert type(file.data) is dict and type(file.data["many"]) is list
    assert file.position(()) == (2, 1)
    assert file.position(("name",)) == (2, 7)
    assert file.position(("name",), at_key=True) == (2, 1)
    assert file.position(("many", 1, "deep")) == (5, 12)
    assert file.position(("many", 1, "deep"), at_key=True) == (5, 6)
    assert file.position(("many", 1, "missing")) == (5, 5)
    assert file.position(("many", 7)) == (3, 1)
    assert file.position(("empty",)) == (8, 1)
    assert file.position(("nowhere", "at", "all")) == (2, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"a: 1\r\nb: [2,\r\n  x]\r\n",
        b"a: 1\rb: [2,\r  x]\r",
        b"\xef\xbb\xbfa: 1\nb: [2,\n  x]\n",
        b"a: 1\nb: [2,\n  x]",
    ],
    ids=["crlf", "cr", "byte order mark", "no line at the end"],
)
def test_line_ends_and_byte_order_mark(tmp_path: Path, content: bytes):
    file = read_yaml(write(tmp_path, content))
    assert file.data == {"a": 1, "b": [2, "x"]}
    assert [file.position(path) for path in [("a",), ("b", 1)]] == [(1, 4), (3, 3)]
    assert str(file.problem(("b", 1), "wrong")).splitlines()[1:] == ["  3 |   x]", "    |   ^"]


# -- files that cannot be read as a mapping


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("", (1, 1), "found nothing, expected a mapping: lines of the form `key: value`"),
        ("# only a comment\n", (1, 1), "found nothing, expected a mapping"),
        ("# a list\n- a\n- b\n", (2, 1), "found a list of 2, expected a mapping"),
        ("just words\n", (1, 1), "found text, expected a mapping"),
        ("a: 1\n\tb: 2\n", (2, 1), "a tab, expected spaces"),
        ("a:\n  b: 1\n c: 2\n", (3, 2), "the indentation fits no line above"),
        ("a: b: c\n", (1, 5), "a colon that fits nowhere"),
        ("a: 1\nbroken\n", (2, 7), "a line without a colon, expected `key: value`"),
        ("a: 1\nb: 'x\n", (2, 4), "a quote that is not closed"),
        ("a: [1, 2\nb: 3\n", (2, 2), "a comma or a closing bracket is missing"),
        ("a: 1\nb: [1,\n\n", (2, 7), "the file ends where a value or a closing bracket"),
        ("a: @x\n", (1, 4), "found character '@'"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document, where one is expected"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "a: the key is there already, on line 1"),
        ("a: {b: 1, b: 2}\n", (1, 11), "a.b: the key is there already, on line 1"),
        ("a: &x 1\nb: 2\n", (1, 4), "anchors and aliases (& and *) are not supported"),
        ("a: 1\nb: *x\n", (2, 4), "anchors and aliases (& and *) are not supported"),
        ("a: !!python/object:os.system ls\n", (1, 4), "a: the tag !!python/object:os.system"),
        ("a: {b: !mine [1]}\n", (1, 8), "a.b: the tag !mine is not supported"),
        ("a: 1\n7: x\n", (2, 1), "found '7' for a key, expected text (write it in quotes)"),
        ("? [a]\n: 1\n", (1, 3), "found a list or a mapping for a key, expected text"),
        ("<<: {a: 1}\n", (1, 1), "found '<<' for a key"),
        ("a: !!int four\n", (1, 4), "a: 'four' cannot be read as !!int"),
        ("a: !!bool maybe\n", (1, 4), "a: 'maybe' cannot be read as !!bool"),
        ("a: " + 5000 * "9", (1, 4), "cannot be read as !!int"),
        ("a: x\x00y\n", (1, 5), "the character U+0000 is not allowed in YAML"),
        ("a: 1\nb: \x1b[31m\n", (2, 4), "the character U+001B is not allowed in YAML"),
        (b"a: 1\nbc: caf\xe9\n", (2, 8), "the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xe9\n", (1, 4), "the byte 0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), (1, 1), "the byte 0xff is not UTF-8"),
        ("[" * 5000, (1, 1), "nested too deeply"),
        ("%YAML 9.9\n---\na: 1\n", (1, 1), "incompatible YAML document"),
        ('a: "\\UFFFFFFFF"\n', (1, 1), "not readable as YAML"),
    ],
)
def test_what_is_no_yaml_mapping(
    tmp_path: Path, content: str | bytes, place: tuple[int, int], message: str
):
    path = write(tmp_path, content)
    [problem] = problems_of(path)
    assert str(problem).startswith(f"{path}:{place[0]}:{place[1]}: ")
    assert message in str(problem)
    assert all(char.isprintable() for line in str(problem).splitlines() for char in line)


def test_all_keys_and_values_that_are_no_data_are_told_at_once(tmp_path: Path):
    found = problems_of(write(tmp_path, "a: !x 1\n2: b\nc: {d: 1, d: 2}\n"))
    assert [(each.line, each.column) for each in found] == [(1, 4), (2, 1), (3, 11)]


def test_aliases_do_not_multiply(tmp_path: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    path = write(tmp_path, "\n".join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [problem] = problems_of(path)
    assert (problem.line, problem.column) == (1, 5)


def test_files_that_cannot_be_read(tmp_path: Path):
    [problem] = problems_of(tmp_path / "none.yaml")
    assert str(problem) == f"{tmp_path}/none.yaml:1:1: cannot be read: No such file or directory"
    [problem] = problems_of(tmp_path)
    assert "cannot be read: Is a directory" in str(problem)
    [problem] = problems_of(Path("a\0b"))
    assert "cannot be read" in str(problem)
    [problem] = problems_of(write(tmp_path, b"#" * (LARGEST + 1)))
    assert f"more than {LARGEST} bytes" in str(problem)
    assert problems_of(write(tmp_path, b"#" * LARGEST))[0].message.startswith("found nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path):
    path = write(tmp_path, "a: 1\n")
    path.chmod(0)
    assert "cannot be read: Permission denied" in str(problems_of(path)[0])


# -- how a problem looks


def test_a_problem_shows_its_line_and_column(tmp_path: Path):
    path = write(tmp_path, "id: x\nflip: 'side\tways'\n")
    problem = read_yaml(path).problem(("flip",), "found 'side', expected 'none'")
    assert str(problem).splitlines() == [
        f"{path}:2:7: flip: found 'side', expected 'none'",
        "  2 | flip: 'side ways'",
        "    |       ^",
    ]


def test_what_a_file_says_never_reaches_the_terminal_raw(tmp_path: Path):
    [problem] = problems_of(write(tmp_path, '"\\e[31m\\n": !x 1\n'))
    assert str(problem).splitlines()[0].endswith(":1:13:  [31m : the tag !x is not supported")


def test_a_long_line_is_cut_around_the_column(tmp_path: Path):
    path = write(tmp_path, f"a: [{'x, ' * 100}!bad y, {'z, ' * 100}]\n")
    head, source, caret = str(problems_of(path)[0]).splitlines()
    assert head.startswith(f"{path}:1:305: a[100]: ")
    assert len(source) < 130 and source[caret.index("^") :].startswith("!bad y, z, z,")


# -- pydantic's errors


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Rates(Strict):
    head: float = Field(gt=0)
    body: float | None = Field(None, ge=0, le=1)


class Table(Strict):
    name: str = Field(min_length=1)
    kind: Literal["none", "horizontal", "vertical"]
    count: int = Field(4, ge=2, multiple_of=2)
    on: bool = True
    where: Path = Path()
    rates: Rates = Rates(head=1)
    rows: list[Rates] = []
    weights: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], float] = {}
    tasks: list[str] | Literal["all"] = "all"
    size: Rates | int | None = None
    pair: Annotated[list[str], Field(min_length=2, max_length=3)] = ["a", "b"]

    @field_validator("pair")
    @classmethod
    def _different(cls, pair: list[str]) -> list[str]:
        if len(set(pair)) < len(pair):
            raise ValueError("two of a pair\nare the same")
        return pair


def told(path: Path) -> list[str]:
    """The first line of each problem, without the path of the file."""
    with pytest.raises(YamlError) as caught:
        validate(Table, read_yaml(path))
    return [str(problem).splitlines()[0].split(":", 1)[1] for problem in caught.value.problems]


GOOD = "name: x\nkind: none\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: none\n", "1:1: name: missing, expected text"),
        (
            "# first\nname: x\n",
            "2:1: kind: missing, expected 'none' or 'horizontal' or 'vertical'",
        ),
        (
            GOOD + "cuont: 4\n",
            "3:1: cuont: unknown key (did you mean 'count'?), allowed: name, kind, count, on, "
            "where, rates, rows, weights, tasks, size, pair",
        ),
        (
            GOOD + "zzz: 4\n",
            "3:1: zzz: unknown key, allowed: name, kind, count, on, where, rates, rows, weights, "
            "tasks, size, pair",
        ),
        (
            "name: x\nkind:   horizonal\n",
            "2:9: kind: found 'horizonal', expected 'none', 'horizontal' or 'vertical' "
            "(did you mean 'horizontal'?)",
        ),
        ("kind: none\nname: 3\n", "2:7: name: found 3, expected text (write it in quotes)"),
        ("kind: none\nname: true\n", "2:7: name: found true, expected text (write it in quotes)"),
        ("kind: none\nname:\n", "2:1: name: found nothing, expected text"),
        ("kind: none\nname: []\n", "2:7: name: found an empty list, expected text"),
        ("kind: none\nname: {a: 1}\n", "2:7: name: found a mapping, expected text"),
        (
            "kind: none\nname: ''\n",
            "2:7: name: found '', expected a text of at least 1 character(s)",
        ),
        (GOOD + "count: many\n", "3:8: count: found 'many', expected a whole number"),
        (GOOD + "count: 4.5\n", "3:8: count: found 4.5, expected a whole number"),
        (GOOD + "count: 0\n", "3:8: count: found 0, expected at least 2"),
        (GOOD + "count: 3\n", "3:8: count: found 3, expected a multiple of 2"),
        (GOOD + "on: maybe\n", "3:5: on: found 'maybe', expected true or false"),
        (GOOD + "where: 3\n", "3:8: where: found 3, expected a path"),
        (GOOD + "rates: 3\n", "3:8: rates: found 3, expected a mapping"),
        (GOOD + "rates:\n  body: 1\n", "3:1: rates.head: missing, expected a number"),
        (GOOD + "rates: {head: 0}\n", "3:15: rates.head: found 0, expected more than 0"),
        (GOOD + "rates: {head: 1, body: 2}\n", "3:24: rates.body: found 2, expected at most 1"),
        (
            GOOD + "rates:\n  head: 1\n  hed: 2\n",
            "5:3: rates.hed: unknown key (did you mean 'head'?), allowed: head, body",
        ),
        (GOOD + "rows: x\n", "3:7: rows: found 'x', expected a list"),
        (
            GOOD + "rows:\n  - head: 1\n  - body: 1\n",
            "5:5: rows[1].head: missing, expected a number",
        ),
        (GOOD + "weights: {a: x}\n", "3:14: weights.a: found 'x', expected a number"),
        (
            GOOD + "weights:\n  my-task: 1\n",
            "4:3: weights.my-task: found 'my-task', expected letters, digits and _, a letter first",
        ),
        (
            GOOD + "tasks: al\n",
            "3:8: tasks: found 'al', expected a list or 'all' (did you mean 'all'?)",
        ),
        (
            GOOD + "tasks: [a, 1]\n",
            "3:12: tasks[1]: found 1, expected text (write it in quotes)",
        ),
        (GOOD + "size: {body: 1}\n", "3:1: size.head: missing, expected a number"),
        (
            GOOD + "size: {head: 1, tail: 1}\n",
            "3:17: size.tail: unknown key, allowed: head, body",
        ),
        (GOOD + "size: big\n", "3:7: size: found 'big', expected a mapping or a whole number"),
        (GOOD + "pair: [a]\n", "3:7: pair: found a list of 1, expected at least 2 of them"),
        (GOOD + "pair: [a, b, c, d]\n", "3:7: pair: found a list of 4, expected at most 3 of them"),
        (GOOD + "pair: [a, a]\n", "3:7: pair: two of a pair are the same"),
        (
            f"kind: none\nname: [{'x, ' * 30}]\n",
            "2:7: name: found a list of 30, expected text",
        ),
        (
            f"name: x\nkind: {'k' * 90}\n",
            f"2:7: kind: found '{'k' * 57}...', expected 'none', 'horizontal' or 'vertical'",
        ),
    ],
)
def test_a_mistake_in_words(tmp_path: Path, text: str, expected: str):
    assert told(write(tmp_path, text)) == [expected]


def test_the_models_inside_mappings_and_lists_are_known(tmp_path: Path):
    class Shelf(Strict):
        named: dict[str, list[Rates]] | None

    file = read_yaml(write(tmp_path, "named: {a: [{head: 1, hed: 2}]}\n"))
    [problem] = check(Shelf, file)
    assert "1:23: named.a[0].hed: unknown key (did you mean 'head'?), allowed: head, body" in str(
        problem
    )


def test_all_mistakes_in_the_order_of_the_file(tmp_path: Path):
    text = "weights: {b: x}\ncount: 1\nrates: {head: -1}\nname: 3\n"
    assert [each.split(" ")[1] for each in told(write(tmp_path, text))] == [
        "kind:",
        "weights.b:",
        "count:",
        "rates.head:",
        "name:",
    ]


def test_a_sound_file_becomes_a_model(tmp_path: Path):
    table = validate(Table, read_yaml(write(tmp_path, GOOD + "rates: {head: 2}\n")))
    assert isinstance(table, Table) and table.rates.head == 2


def test_only_the_mistakes_of_the_file_are_told_when_it_is_laid_over_others(tmp_path: Path):
    file = read_yaml(write(tmp_path, "count: 3\nrates: {tail: 1}\n"))
    rest = {"name": 3, "kind": "none", "tial": 1}
    found = check(Table, file, {**rest, **file.data, "rates": {"tail": 1, "body": 7}})
    assert [(each.line, each.column, each.key_path) for each in found] == [
        (1, 8, "count"),
        (2, 1, "rates.head"),
        (2, 9, "rates.tail"),
    ]
    with pytest.raises(YamlError, match=r"file.yaml:1:8: count: found 3"):
        validate(Table, file, values={**rest, **file.data})
    fine = read_yaml(write(tmp_path, "count: 2\n"))
    assert validate(Table, fine, values={**rest, **fine.data}) is None
    whole = validate(Table, fine, values={"name": "x", "kind": "none", **fine.data})
    assert whole is not None and whole.count == 2


def test_values_that_are_in_no_file_are_explained():
    given_values: dict[str, Any] = {
        "nmae": "x",
        "kind": "none",
        "rates": {"hed": 1},
        "rows": [{"head": 1}, {"head": "x"}],
        "weights": {"1": 2},
        "tasks": ["a", 3],
        "size": {"head": 0},
    }
    with pytest.raises(ValidationError) as caught:
        Table.model_validate(given_values)
    assert dict(explain(caught.value, Table)) == {
        "name": "missing, expected text",
        "nmae": "unknown key (did you mean 'name'?), allowed: name, kind, count, on, where, rates, "
        "rows, weights, tasks, size, pair",
        "rates.head": "missing, expected a number",
        "rates.hed": "unknown key (did you mean 'head'?), allowed: head, body",
        "rows[1].head": "found 'x', expected a number",
        "weights.1": "found '1', expected letters, digits and _, a letter first",
        "tasks[1]": "found 3, expected text (write it in quotes)",
        "size.head": "found 0, expected more than 0",
    }


# -- values from a command line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("1e-4", 1e-4),
        ("on", "on"),
        ("null", None),
        ("", None),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 2}}", {"a": {"b": 2}}),
        ("~/weights.pth", "~/weights.pth"),
    ],
)
def test_a_value_of_a_command_line(text: str, value: object):
    assert parse_value(text, where="--set x") == value


@pytest.mark.parametrize(
    ("text", "said"),
    [("[1", "closing bracket"), ("*a", "aliases"), ("{a: 1, a: 2}", "already"), ("\0", r"U\+0000")],
)
def test_what_is_no_value_names_the_option(text: str, said: str):
    with pytest.raises(ConfigError, match=f"^--set x=: not a YAML value: .*{said}"):
        parse_value(text, where="--set x=")


# -- anything at all

PIECES = [
    *"abc:-?[]{}&*!|>'\"%@`#,. \n\t\r",
    *("\n  ", "\n- ", "a: ", ": ", "!!", "---\n", "...\n", "!!int ", "<<: ", "0x", "1e", "\\U"),
    *("é", "\u2028", "\x85", "\ufeff", "%YAML 1.1\n"),
]
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60) | YAMLISH.map(str.encode) | st.text(max_size=40).map(str.encode))
@example(b"a: !!int ''")
@example(b"a: !!float ''")
@example(b"a: !!bool ''")
@example(b"? a\n? b")
@example(b"%TAG ! !\n--- !x!y z")
@example(b"%YAML 1.1\n---\na: 1:60\nb: 0o8\nc: 08")
def test_any_bytes_are_data_or_problems_with_a_place(tmp_path_factory, content: bytes):
    path = write(tmp_path_factory.getbasetemp(), content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            file = read_yaml(path)
        except YamlError as error:
            count = len(content.decode(errors="replace").splitlines()) + 1
            assert error.problems
            for problem in error.problems:
                assert 1 <= problem.line <= count and problem.column >= 1
                assert problem.message and "\n" not in problem.message
                assert len(str(problem).splitlines()) in (1, 3)
            return
    assert isinstance(file, YamlFile) and all(isinstance(key, str) for key in file.data)
    for problem in check(Table, file):
        assert 1 <= problem.line <= len(file.lines)
        assert str(problem)
