"""From a file's bytes to plain values with places, or to problems with places.

Files are read as data only: no tag makes an object, no alias is followed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError

from usmt.errors import UsmtError
from usmt.mistakes import KeyPath, dotted, shown

LARGEST = 2**18
"""Bytes; a larger file is no spec and no configuration."""

WIDEST = 120
"""Characters of a source line that are shown."""

Place = tuple[int, int]
"""(line, column), both from 1."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and its place; lines and columns count from 1."""

    file: Path
    line: int
    column: int
    key_path: str
    message: str
    source_line: str = ""

    def __str__(self) -> str:
        key = f"{_printable(self.key_path)}: " if self.key_path else ""
        text = f"{self.file}:{self.line}:{self.column}: {key}{self.message}"
        if not self.source_line.strip():
            return text
        source = _printable(self.source_line)
        start = max(0, self.column - WIDEST // 2) if len(source) > WIDEST else 0
        margin = " " * len(str(self.line))
        return (
            f"{text}\n  {self.line} | {source[start : start + WIDEST]}"
            f"\n  {margin} | {' ' * (self.column - 1 - start)}^"
        )


SCREEN = 22
"""Lines of one message."""


def told(problems: Sequence[Problem | str]) -> str:
    """All problems, on one screen: without the lines that they are on if there are many, and the
    first of them if there are more than that."""
    texts = [str(problem) for problem in problems]
    if len("\n".join(texts).splitlines()) <= SCREEN:
        return "\n".join(texts)
    heads = [text.splitlines()[0] for text in texts]
    if len(heads) > SCREEN:
        heads[SCREEN - 1 :] = [f"... and {len(heads) - SCREEN + 1} more"]
    return "\n".join(heads)


def _printable(text: str) -> str:
    """Without tabs, line ends and control characters: they would move caret and cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


class YamlError(UsmtError):
    """All that is wrong with a file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(told(problems))
        self.problems = tuple(problems)


def read_text(path: Path) -> str:
    """The text of a file, without a byte order mark. Raises YamlError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise YamlError([Problem(path, 1, 1, "", f"cannot be read: {reason}")]) from None
    if len(content) > LARGEST:
        message = f"more than {LARGEST} bytes, which is no spec and no configuration"
        raise YamlError([Problem(path, 1, 1, "", message)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A byte order mark is cut off before its codec counts.
        start = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        text = content.decode("utf-8-sig", errors="replace")
        place = _place_of(content[:start].decode("utf-8-sig"))
        message = f"the byte {content[start]:#04x} is not UTF-8; save the file as UTF-8"
        raise YamlError([problem_at(path, _lines(text), place, message)]) from None


def _lines(text: str) -> list[str]:
    """As YAML 1.2 counts them."""
    return re.split(r"\r\n|\n|\r", text)


def _place_of(before: str) -> Place:
    """The place that follows a text."""
    lines = _lines(before)
    return len(lines), len(lines[-1]) + 1


def problem_at(
    file: Path, lines: Sequence[str], place: Place, message: str, key_path: str = ""
) -> Problem:
    """A problem with the line that it is on."""
    line, column = place
    source = lines[line - 1] if line <= len(lines) else ""
    return Problem(file, line, column, key_path, message, source)


# -- from text to values

_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}
_AS_TEXT = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "timestamp", "value")}
_COLLECTIONS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq")}

_IN_WORDS = {
    "found character '\\t'": "a tab, expected spaces",
    "another document": "a second document, where one is expected",
    "mapping values are not allowed": "a colon that fits nowhere; check the indentation, "
    "and write text with a colon in quotes",
    "could not find expected ':'": "a line without a colon, expected `key: value`",
    "expected <block end>": "the indentation fits no line above",
    "expected ',' or": "a comma or a closing bracket is missing",
    "found unexpected end of stream": "a quote that is not closed",
    "found '<stream end>'": "the file ends where a value or a closing bracket is expected",
}
"""What ruamel says, and what it means."""


class _Tree(Composer):
    """Knows no aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if event.anchor is not None:
            message = "anchors and aliases (& and *) are not supported: write the value out"
            raise ComposerError(None, None, message, event.start_mark)
        return super().compose_node(parent, index)


class Document:
    """One YAML document as plain values, with the places of its keys and values.

    Raises YamlError: for the first mistake of syntax, or else for all keys and values that are
    no plain data.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = _lines(text)
        self.keys: dict[KeyPath, Place] = {}
        self.values: dict[KeyPath, Place] = {(): (1, 1)}
        self._problems: list[Problem] = []
        self._yaml = YAML(typ="safe", pure=True)
        self._yaml.Composer = _Tree
        try:
            node = self._compose(text)
            self.data = None if node is None else self._plain(node, ())
        except RecursionError:
            self._report((1, 1), "nested too deeply")
        if self._problems:
            raise YamlError(sorted(self._problems, key=lambda each: (each.line, each.column)))

    def _compose(self, text: str) -> Node | None:
        try:
            return self._yaml.compose(text)
        except ReaderError as error:
            place = _place_of(text[: error.position])
            self._report(place, f"the character U+{error.character:04X} is not allowed in YAML")
        except MarkedYAMLError as error:
            place, words = _in_words(error)
            self._report(self._last_before(place), words)
        except (YAMLError, ValueError, OverflowError) as error:
            self._report((1, 1), f"not readable as YAML: {error}")
        return None

    def _plain(self, node: Node, path: KeyPath) -> Any:
        self.values[path] = _place(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _COLLECTIONS:
            self._report(_place(node), f"the tag {_tag(node)} is not supported", path)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        return [self._plain(each, (*path, index)) for index, each in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        data = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in _AS_TEXT:
                found = shown(key.value) if isinstance(key, ScalarNode) else "a list or a mapping"
                message = f"found {found} for a key, expected text (write it in quotes)"
                self._report(_place(key), message, path)
                continue
            inner = (*path, key.value)
            if inner in self.keys:
                line = self.keys[inner][0]
                self._report(_place(key), f"the key is there already, on line {line}", inner)
                continue
            self.keys[inner] = _place(key)
            data[key.value] = self._plain(value, inner)
        return data

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        if node.value == "" and path in self.keys and not node.style:
            self.values[path] = self.keys[path]  # nothing is written there: point at the key
        if node.tag in _AS_TEXT:
            return node.value
        if node.tag not in _PLAIN:
            self._report(_place(node), f"the tag {_tag(node)} is not supported", path)
            return None
        try:
            return self._yaml.constructor.construct_object(node)
        except (ValueError, LookupError, YAMLError):
            message = f"{shown(node.value)} cannot be read as {_tag(node)}"
            self._report(_place(node), message, path)
            return None

    def _last_before(self, place: Place) -> Place:
        """The end of the last line with text, for a place beyond it."""
        line, column = min(place[0], len(self.lines)), place[1]
        while line > 1 and not self.lines[line - 1].strip():
            line, column = line - 1, len(self.lines[line - 2]) + 1
        return line, column

    def _report(self, place: Place, message: str, path: KeyPath = ()) -> None:
        self._problems.append(problem_at(self.path, self.lines, place, message, dotted(path)))


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _tag(node: Node) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")


def _in_words(error: MarkedYAMLError) -> tuple[Place, str]:
    raw = ": ".join(part for part in (error.context, error.problem) if part)
    words = next((words for said, words in _IN_WORDS.items() if said in raw), " ".join(raw.split()))
    open_quote = "end of stream" in raw
    mark = (open_quote and error.context_mark) or error.problem_mark or error.context_mark
    return ((mark.line + 1, mark.column + 1) if mark else (1, 1)), words
