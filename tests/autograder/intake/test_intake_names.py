"""Student ids, time stamps and commits, read from text that a student may have written."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hand_ins import lay_out
from hypothesis import given
from hypothesis import strategies as st

from autograder.intake.git import commit_of
from autograder.intake.students import student_id
from autograder.intake.timestamps import parse_stamp

COMMIT = "0123456789abcdef" * 2 + "01234567"
OTHER = "f" * 40


@pytest.mark.parametrize(
    "name",
    ["ada", "ada.lovelace@example.org", "s1+resit", "Ada", "Ann_Lee", "Ödön", "李小龙", "हिन्दी", "submitted"],
)
def test_a_safe_name_is_the_id(name):
    assert student_id(name) == name


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("Ann Lee", "Ann_Lee"),
        ("Ödön von Horváth", "Ödön_von_Horváth"),
        ("O\u0308do\u0308n", "Ödön"),
        ("Ada (final)", "Ada_final"),
        ("ada/../../root", "ada_.._.._root"),
        ("..", "student"),
        ("", "student"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("=cmd|'/c calc'!A1", "cmd_c_calc_A1"),
        ("con", "student"),
        ("LPT1.txt", "student"),
        ("a\x1b[2J\u202eb", "a_2J_b"),
        ("x" * 300, "x" * 107),
        ("𝔸" * 64, "𝔸" * 26),
        ("ada-0123456789ab", "ada-0123456789ab"),
    ],
)
def test_another_name_becomes_a_readable_id_with_a_digest(name, start):
    assert re.fullmatch(re.escape(start) + "-[0-9a-f]{12}", student_id(name))


@given(st.text(st.characters(codec=None)))
def test_an_id_is_one_plain_path_component(name):
    result = student_id(name)
    assert Path(result).name == result
    assert 0 < len(result.encode()) <= 120
    assert result[0] not in ".-+@="
    assert result == result.strip(" .")
    result.encode()


@given(st.sets(st.text(st.sampled_from("aA b/ä\u0308._-0"), max_size=5)))
def test_different_names_have_different_ids(names):
    ids = {student_id(name) for name in names}
    assert len(ids) == len(names)
    assert ids.isdisjoint({student_id(result) for result in ids - names})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01 11:58:03.120000 UTC\n", datetime(2026, 3, 1, 11, 58, 3, 120000, UTC)),
        ("2026-03-01 11:58:03", datetime(2026, 3, 1, 11, 58, 3, tzinfo=UTC)),
        ("2026-03-01T11:58:03Z", datetime(2026, 3, 1, 11, 58, 3, tzinfo=UTC)),
        ("2026-03-01 11:58:03 +0100", datetime(2026, 3, 1, 11, 58, 3, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-03-01 11:58:03+01:00", datetime(2026, 3, 1, 11, 58, 3, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-07-01 11:58:03 Europe/Zurich", datetime(2026, 7, 1, 11, 58, 3, tzinfo=ZoneInfo("Europe/Zurich"))),
        ("2026-03-01 11:58:03 ../../etc/passwd", None),
        ("2026-03-01 11:58:03 Nowhere/Land", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_stamp_is_parsed_in_nbgraders_format(text, moment):
    assert parse_stamp(text) == moment


@given(st.text(max_size=60))
def test_any_stamp_gives_a_time_with_a_zone_or_none(text):
    moment = parse_stamp(text)
    assert moment is None or moment.utcoffset() is not None


@pytest.mark.parametrize(
    ("files", "commit"),
    [
        ({}, None),
        ({"HEAD": COMMIT}, COMMIT),
        ({"HEAD": "ref: refs/heads/main\n", "refs/heads/main": COMMIT + "\n"}, COMMIT),
        (
            {
                "HEAD": "ref: refs/heads/a/b\n",
                "packed-refs": f"# pack-refs\n{OTHER} refs/heads/a\n{COMMIT} refs/heads/a/b\n",
            },
            COMMIT,
        ),
        (
            {"HEAD": "ref: refs/heads/main\n", "refs/heads/main": COMMIT, "packed-refs": f"{OTHER} refs/heads/main\n"},
            COMMIT,
        ),
        ({"HEAD": "ref: refs/heads/new\n"}, None),
        ({"HEAD": "ref: refs/heads/../../../secret\n", "refs/heads/main": COMMIT}, None),
        ({"HEAD": "\x1b[2J"}, None),
        ({"HEAD": "ref: refs/heads/main", "refs/heads/main": "no commit"}, None),
        ({"HEAD": b"\xff"}, None),
    ],
)
def test_a_commit_is_read_from_the_files(tmp_path, files, commit):
    lay_out(tmp_path, {f".git/{name}": content for name, content in files.items()})
    (tmp_path / "secret").write_text(OTHER)
    assert commit_of(tmp_path) == commit


def test_a_git_file_and_a_link_are_not_followed(tmp_path):
    lay_out(tmp_path / "real", {".git/HEAD": COMMIT})
    lay_out(tmp_path / "worktree", {".git": f"gitdir: {tmp_path / 'real' / '.git'}\n"})
    lay_out(tmp_path / "linked", {})
    (tmp_path / "linked" / ".git").symlink_to(tmp_path / "real" / ".git")
    assert commit_of(tmp_path / "worktree") is None
    assert commit_of(tmp_path / "linked") is None
