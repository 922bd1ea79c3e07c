"""`check_spec_dir`: the task specs and groups of a folder, all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from usmt.errors import PluginError, SpecError
from usmt.plugins import load_plugins
from usmt.specs import load_catalogue
from usmt.testing.broken_rule import BrokenRuleError, described, told_alone

_SPECS = (".yaml", ".yml")


@told_alone
def check_spec_dir(folder: Path, *, plugins_dirs: Sequence[Path] = ()) -> None:
    """Checks that usmt reads every file of a folder of specs, and can use every task and group.

    Args:
        folder: with `tasks/ID.yaml` and `groups/ID.yaml`.
        plugins_dirs: folders of loose plugins that give task types and datasets, as
            `--plugins-dir` has them. Installed plugins are found by themselves.

    Raises:
        BrokenRuleError: with all mistakes of all files, each with its line and column.
    """
    if not isinstance(folder, str | Path) or isinstance(plugins_dirs, str | Path):
        raise BrokenRuleError(
            "check_spec_dir needs a folder of specs, and `plugins_dirs` as a list of folders",
            found=f"{described(folder)} and {described(plugins_dirs)}",
            do="check the call of check_spec_dir",
        )
    folder = Path(folder).resolve()
    try:
        plugins = load_plugins(plugins_dirs)
        catalogue = load_catalogue(plugins, [folder])
    except (SpecError, PluginError) as error:
        raise BrokenRuleError(
            f"{folder}: every spec must be one that usmt can use", found=f"\n{error.message}"
        ) from None
    read = {path.resolve() for path in (*catalogue.files.values(), *catalogue.group_files.values())}
    # Of a plugin's own specs, those whose task type is missing are no error of the catalogue's.
    mistakes = [
        f"{path}: {reason}"
        for task, reason in catalogue.unavailable.items()
        if (path := folder / "tasks" / f"{task}.yaml").is_file()
    ]
    for task, path in catalogue.files.items():
        dataset = catalogue.tasks[task].dataset
        if path.is_relative_to(folder) and dataset not in plugins.datasets:
            try:
                plugins.dataset(dataset)
            except PluginError as error:
                mistakes.append(f"{path}: {error}")
    told = {folder / "tasks" / f"{task}.yaml" for task in catalogue.unavailable}
    mistakes += [
        f"{path}: usmt does not read it; specs are tasks/ID.yaml and groups/ID.yaml"
        for path in sorted(folder.glob("*/**/*"))  # beside the two folders may be a study
        if path.suffix.lower() in _SPECS and path not in read | told and path.name[0] != "."
    ]
    if mistakes:
        raise BrokenRuleError(
            f"{folder}: every spec must be one that usmt can use", found="\n" + "\n".join(mistakes)
        )
