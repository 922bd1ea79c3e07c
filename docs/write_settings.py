"""Writes docs/reference/settings.md from the settings themselves; with --check, only compares.

python docs/write_settings.py
"""

from __future__ import annotations

from typing import Any

from model_fields import fields, shown
from written_page import REFERENCE, table, write

from usmt.train.config import RunSettings
from usmt.train.load_settings import PRESETS, preset_values

HEAD = """# Settings

Every setting of a run. A preset comes first; `--config FILE` is laid over it, then the named
options of `usmt train`, then each `--set KEY=VALUE`, whose value is YAML:

```console
usmt train --task fetal_head --set epochs=2 --set 'augment={shadow: 0, speckle: 0}'
usmt train --config docs/reference/example_config.yaml --dry-run
```

An unknown key is an error that names the nearest one. `config.yaml` in a run's folder holds all
of them as they were used. The last two columns are what the presets set.
"""
FOOT = """
Options of a dataset stand in `data.NAME`, those of a task type in `task_types.NAME`; they are the
plugins' own: see [task types](task_types.md), [synthetic images](../explanation/phantom.md) and
[challenge data](fmc_uia.md).
"""


def page() -> str:
    presets = [preset_values(name) for name in PRESETS]
    rows = [
        [f"`{key}`", meaning, default, *(_at(values, key) for values in presets)]
        for key, meaning, default in fields(RunSettings)
    ]
    columns = ["setting", "value", "default", *PRESETS]
    return "\n".join([HEAD, table(columns, rows).rstrip(), FOOT])


def _at(values: dict[str, Any], key: str) -> str:
    for part in key.split("."):
        if part not in values:
            return ""
        values = values[part]
    return shown(values)


if __name__ == "__main__":
    write(REFERENCE / "settings.md", page())
