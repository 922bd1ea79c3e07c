"""The study that a command speaks of: new, or one that was begun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from usmt.cli.session import Session, open_run_session, open_session
from usmt.cli.train import parse_data
from usmt.specs import user_spec_dirs

if TYPE_CHECKING:
    from usmt.study.folder import StudyFolder
    from usmt.study.plan import Plan
    from usmt.study.spec import StudySpec


class OpenedStudy(NamedTuple):
    """A study, what it will do, and what its command works with."""

    folder: StudyFolder
    study: StudySpec
    plan: Plan
    session: Session


def open_study(
    path: Path | None,
    asked: dict[str, Any],
    data: list[str] | None,
    assignments: list[str] | None,
    out: Path | None,
    specs: list[Path] | None,
    plugins_dir: list[Path] | None,
    json: bool,
) -> OpenedStudy:
    """A study from its file, its folder or the options alone."""
    from usmt.study.begin import with_data
    from usmt.study.folder import StudyFolder
    from usmt.study.load_study import load_study
    from usmt.study.plan import make_plan

    if path is not None and path.is_dir() and out is None:
        out = path
    file = path / "study.yaml" if path is not None and path.is_dir() else path
    settings: dict[str, Any] = {
        "data": parse_data(data or []) or None,
        "specs": [str(each.resolve()) for each in specs or []] or None,
        "plugins_dirs": [str(each.resolve()) for each in plugins_dir or []] or None,
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    study = load_study(file, {**asked, "settings": settings}, assignments or [])
    session = open_session(study.settings.specs, study.settings.plugins_dirs, json)
    folders = user_spec_dirs(session.spec_dirs), session.plugins.dirs
    study = study.model_copy(update={"settings": study.settings.with_folders(*folders)})
    made = make_plan(study, session.catalogue)
    study = with_data(study, session.plugins)
    return OpenedStudy(StudyFolder(out or _default_folder(path, study)), study, made, session)


def reopen_study(path: Path, plugins_dir: list[Path] | None, json: bool) -> OpenedStudy:
    """A study that was begun, by its folder or the file that it came from."""
    from usmt.study.begin import check_unchanged
    from usmt.study.folder import StudyFolder
    from usmt.study.plan import make_plan

    folder = StudyFolder(path if path.is_dir() or not path.is_file() else _default_folder(path))
    study = folder.read_study()
    session = open_run_session(study.settings, None, plugins_dir, json)
    made = make_plan(study, session.catalogue)
    check_unchanged(folder, made, session.catalogue)
    return OpenedStudy(folder, study, made, session)


def _default_folder(path: Path | None, study: StudySpec | None = None) -> Path:
    """studies/NAME: of the file, else of what is compared."""
    if path is not None:
        return Path("studies") / path.stem
    assert study is not None
    return Path("studies") / "-".join([*study.groups, *study.tasks][:4])
