"""A new plugin: a small distribution that installs, passes its own test and trains as it stands."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from usmt.errors import ConfigError
from usmt.plugins import Plugins, words
from usmt.whole_file import check_folder

PluginKind = Literal["task-type", "dataset", "backbone"]
TEMPLATES = Path(__file__).parent / "templates"
EVERY_KIND = "every-kind"
PLACEHOLDER = "PACKAGE"
"""Stands for the package's name in the templates' paths."""

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Naming:
    """What templates can ask for; the field `class_name` is theirs as `class`.

    Attributes:
        distribution: as pip knows it.
        package: the module, and the name of the plugin and of what it gives.
        class_name: of what it gives.
        description: one line.
    """

    distribution: str
    package: str
    class_name: str
    description: str

    @classmethod
    def of(cls, kind: PluginKind, name: str) -> Naming:
        """Raises ConfigError for a name that cannot be a package's."""
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' is no name for a plugin",
                hint="Letters, digits, - and _, a letter first and no - or _ last: my-lab",
            )
        package = name.replace("-", "_").lower()
        if keyword.iskeyword(package) or package in sys.stdlib_module_names:
            raise ConfigError(
                f"'{name}' is a word or a module of Python's own", hint="Choose another name."
            )
        class_name = "".join(part[:1].upper() + part[1:] for part in package.split("_"))
        described = f"A {kind.replace('-', ' ')} for usmt: {package}."
        return cls(name, package, class_name, described)


def write_plugin(kind: PluginKind, name: str, out: Path, plugins: Plugins) -> list[Path]:
    """Writes the distribution, all of it or nothing.

    Args:
        name: of the distribution, and, in small letters and with _ for -, of all that it holds.
        out: its folder, which does not exist or is empty.
        plugins: those that are installed.

    Returns:
        The files, in order.

    Raises:
        ConfigError: the name or the folder is taken, or cannot be used.
    """
    naming = Naming.of(kind, name)
    _check_free(naming, plugins)
    empty_folder = out.is_dir() and not out.is_symlink() and not any(out.iterdir())
    if not empty_folder and (out.exists() or out.is_symlink()):
        raise ConfigError(f"{out} is there already", hint="Choose another name, or another --out.")
    check_folder(out)
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        files = []
        for path, text in _rendered(kind, naming):
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            (fresh / path).write_text(text, encoding="utf-8")
            files.append(out / path)
        fresh.chmod(0o755)  # a temporary folder is its owner's alone
        fresh.replace(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return sorted(files)


def _check_free(naming: Naming, plugins: Plugins) -> None:
    package = naming.package
    for info in plugins.loaded:
        if package == info.name:
            raise _taken(f"there is a plugin '{package}': {info}")
        for kind, names in info.given.items():
            if package in names:
                raise _taken(f"the {words(kind)} '{package}' is given by {info}")
    found = find_spec(package)
    if found is not None and found.origin is not None:  # None: only a folder of that name
        raise _taken(f"there is a Python module '{package}': {found.origin}")


def _taken(text: str) -> ConfigError:
    return ConfigError(text, hint="Choose another name.")


def _rendered(kind: PluginKind, naming: Naming) -> Iterator[tuple[str, str]]:
    """Path and text of each file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # slow, and only needed here

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    fields = asdict(naming)
    fields["class"] = fields.pop("class_name")
    for folder in (EVERY_KIND, kind):
        for path in sorted((TEMPLATES / folder).rglob("*.jinja")):
            inside = path.relative_to(TEMPLATES / folder).as_posix()
            template = environment.get_template(f"{folder}/{inside}")
            written = inside.removesuffix(".jinja").replace(PLACEHOLDER, naming.package)
            yield written, template.render(fields)
