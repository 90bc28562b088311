"""Solutions reach students only when a stage is closed, and stay there."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from tiny_lab import STAGE, replace_in

from autograder.cli import main
from autograder.course.lab import Lab
from autograder.release import ReleaseError, differences, refuse_open_stages, release
from autograder.release.solutions import SOLUTIONS_FILE


def test_solutions_are_released_and_kept_until_their_file_is_removed(tiny_lab):
    release(tiny_lab)
    file = tiny_lab.root / "assignments" / SOLUTIONS_FILE
    assert not file.exists()
    assert release(tiny_lab, [STAGE]).written[0].startswith(".release.json")
    text = json.loads(file.read_text(encoding="utf-8"))[STAGE]
    assert "return 2 * x" in text
    assert "SOLUTION" not in text
    assert release(tiny_lab).written == ()
    replace_in(tiny_lab.stage(STAGE).reference, "return 2 * x", "return x * 2")
    release(tiny_lab)
    assert "return x * 2" in file.read_text(encoding="utf-8")
    assert differences(tiny_lab) == []
    file.unlink()
    release(tiny_lab)
    assert not file.exists()
    assert differences(tiny_lab) == []


@pytest.mark.parametrize(
    ("policy", "open_until"),
    [
        ("per_day: 0.1, max_days: 5", datetime(2026, 3, 9, 12, 10, tzinfo=UTC)),
        ("per_day: 0.1, max_days: 5, free_days: 2", datetime(2026, 3, 11, 12, 10, tzinfo=UTC)),
        ("per_day: 0, max_days: 5", datetime(2026, 3, 4, 12, 10, tzinfo=UTC)),
    ],
)
def test_a_stage_that_can_be_handed_in_keeps_its_solutions(tiny_lab, policy, open_until):
    late = "late: {per_day: 0.1, max_days: 5, grace_minutes: 10}"
    with_extension = f"late: {{{policy}, grace_minutes: 10}}\n  extensions: {{ada: {{1_tiny: 3}}}}"
    replace_in(tiny_lab.root / "grading.yml", late, with_extension)
    lab = Lab(tiny_lab.root)
    with pytest.raises(ReleaseError, match=f"1_tiny can be handed in until {open_until:%Y-%m-%d %H:%M}"):
        refuse_open_stages(lab, [STAGE], open_until)
    refuse_open_stages(lab, [STAGE], open_until.replace(minute=11))


def test_the_command_refuses_an_open_stage(tiny_lab):
    replace_in(tiny_lab.root / "grading.yml", "due: 2026-03-01T", "due: 2126-03-01T")
    done = CliRunner().invoke(main, ["--lab", str(tiny_lab.root), "release", "--with-solutions", STAGE])
    assert done.exit_code != 0
    assert "can be handed in until 2126-" in done.output + str(done.exception)
    assert not (tiny_lab.root / "assignments").exists()
