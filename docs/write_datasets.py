"""Writes docs/reference/datasets.md from the cards of the datasets; with --check, only compares.

python docs/write_datasets.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from written_page import REFERENCE, table, write

from usmt.cli.datasets import as_data
from usmt.cli.session import Session
from usmt.output import Output
from usmt.plugins import load_plugins

HEAD = """# Datasets

A dataset is read as it lies in a folder of yours: `--data NAME=ROOT`. The public ones are read as
they are downloaded, and bring their tasks ([public datasets](public_data.md)); those of `folder`
and `csv` are yours to write ([your own data](../how_to/own_data.md)).

```console
usmt datasets list
usmt datasets show csv
```

usmt downloads nothing. Licences are told as the authors state them; read theirs before you use the
images.
"""
TOLD = {
    "citation": "cite",
    "home": "home",
    "licence": "licence",
    "obtain": "how to get it",
    "sources": "patients",
    "splits": "official split",
    "groups": "groups",
    "tasks": "tasks",
}
"""What is told of a dataset in a row each, and under which name."""


def page() -> str:
    session = Session(load_plugins(), Output(), [])
    plugins = session.plugins
    names = [
        name
        for name in sorted(plugins.datasets)
        if plugins.provider("dataset", name).distribution == "usmt"
    ]
    datasets = [as_data(name, session) for name in names]
    rows = [
        (f"[`{d['name']}`](#{d['name']})", d["title"], d["organ"], _count(d["images"]))
        for d in datasets
    ]
    overview = table(("dataset", "", "organ", "images"), rows)
    return "\n".join([HEAD, overview, *(line for each in datasets for line in _section(each))])


def _section(dataset: Mapping[str, Any]) -> Iterator[str]:
    name = dataset["name"]
    listed = {key: ", ".join(f"`{each}`" for each in dataset[key]) for key in ("groups", "tasks")}
    told = {**dataset, **listed}
    yield f"## {name}\n\n{dataset['title']}.\n"
    yield table(("", ""), [(words, told[key]) for key, words in TOLD.items() if told[key]])
    if dataset["files"]:
        yield f"```text\n{dataset['files']}\n```\n"
    if dataset["layout"]:
        yield f"What a task may say under `layout`: [fields](fields.md#layout-for-{name}).\n"


def _count(images: int | None) -> str:
    return "" if images is None else f"{images:,}"


if __name__ == "__main__":
    write(REFERENCE / "datasets.md", page())
