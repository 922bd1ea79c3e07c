"""Bad input of every kind gets a clear error of one screen, and spoils nothing."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import bad_answers
import bad_commands
import bad_images
import bad_runs
import bad_settings
import bad_specs
import bad_tables
import pytest
from case import EVALUATE, LIST, RESUME, TRAIN, Case, faults
from command_line import Usmt
from damage import TRAPPED, nothing, trap
from small_copy import contents

PAGES = (
    *(bad_images, bad_tables, bad_specs, bad_settings),
    *(bad_runs, bad_commands, bad_answers),
)
CASES: list[Case] = [case for page in PAGES for case in page.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(case: Case, place: Path, usmt: Usmt, recwarn: pytest.WarningsRecorder) -> None:
    case.damage(place)
    before = contents(place)
    answer = usmt(*case.command)
    assert not faults(case, answer, before, contents(place)), f"\n{answer.out}{answer.err}"
    assert not [str(each.message) for each in recwarn if issubclass(each.category, UserWarning)]


SOUND = {
    "train": (nothing, TRAIN),
    "evaluate": (nothing, EVALUATE),
    "resume": (nothing, RESUME),
    "list": (nothing, LIST),
    "predict": (nothing, bad_runs.PREDICT),
    "check": (nothing, bad_answers.CHECK),
    "submission": (bad_answers.listed(*bad_answers.ALL), bad_answers.SUBMISSION),
    "score": (bad_answers.listed(*bad_answers.ALL), bad_answers.SCORE),
}


@pytest.mark.parametrize("name", SOUND)
def test_the_same_commands_on_good_input(name: str, place: Path, usmt: Usmt) -> None:
    """Else the table would say nothing."""
    prepare, command = SOUND[name]
    prepare(place)
    before = contents(place)
    answer = usmt(*command)
    assert answer.code == 0, answer.err
    assert "Traceback" not in answer.err
    assert contents(place).keys() >= before.keys()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_image_that_may_not_be_read(place: Path, usmt: Usmt) -> None:
    before = contents(place)
    image = place / bad_images.IMAGE
    image.chmod(0)
    case = Case("no permission", nothing, TRAIN, bad_images.HERE, "Permission denied")
    answer = usmt(*TRAIN)
    image.chmod(0o644)
    assert not faults(case, answer, before, contents(place)), answer.err


def test_the_check_finds_what_it_is_to_find(place: Path, usmt: Usmt) -> None:
    before = contents(place)
    (place / "new").mkdir()
    (place / "config.yaml").unlink()
    (place / "specs/groups/ward.yaml").write_text("")
    answer = usmt("tasks", "list")._replace(err="x" * 400 + "\n" * 31)
    found = faults(Case("", nothing, (), "place", "way out"), answer, before, contents(place))
    for fault in ("exit code 0", "no line", "on stdout", "'place'", "'way out'", "31 lines"):
        assert any(fault in each for each in found), fault
    assert {"a line of 400 characters", "new was written", "config.yaml was lost"} <= set(found)
    assert "specs/groups/ward.yaml was changed" in found


def test_the_trap_works(tmp_path: Path) -> None:
    """Whoever unpickles it runs what it says."""
    trap("weights.pth")(tmp_path)
    pickle.loads((tmp_path / "weights.pth").read_bytes())
    assert (tmp_path / TRAPPED).is_dir()


def test_there_is_a_case_of_every_kind() -> None:
    assert len(CASES) >= 200
    assert all(len(page.CASES) >= 30 for page in PAGES)
    assert all(case.command and case.way_out for case in CASES)
