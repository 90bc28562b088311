"""Checks of a source file: accepted text, refusals with their line, and notes."""

import codecs
import os

import pytest
from hand_ins import ATTENTION, lay_out, refusal, sources, taken
from hypothesis import given
from hypothesis import strategies as st

from autograder.intake.refusals import RefusedError
from autograder.intake.sources import LARGEST_FILE, LONGEST_LINE, check_source
from autograder.intake.tree import read_plain_file

FILE = "attention.py"


def refused(raw: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        check_source(raw, FILE)
    return caught.value.refusal.message


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"x = 1\n", "x = 1\n"),
        (b"x = 1\r\ny = 2\rz = 3", "x = 1\ny = 2\nz = 3"),
        (codecs.BOM_UTF8 + b"x = 1\n", "x = 1\n"),
        ("# Zürich, √d, 注意\n".encode(), "# Zürich, √d, 注意\n"),
        (b"def f(:\n", "def f(:\n"),
        (b"# -*- coding: utf-8 -*-\n", "# -*- coding: utf-8 -*-\n"),
        (
            b"#!/usr/bin/python\n# vim: set fileencoding=UTF_8 :\n",
            "#!/usr/bin/python\n# vim: set fileencoding=UTF_8 :\n",
        ),
        (b"x = 1\n# coding: latin-1\n", "x = 1\n# coding: latin-1\n"),  # not a declaration, because code precedes it
        (b"\n\n# coding: latin-1\n", "\n\n# coding: latin-1\n"),  # nor is a comment in line 3
    ],
)
def test_an_ordinary_source_is_accepted_without_a_note(raw, text):
    assert check_source(raw, FILE) == (text, ())


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("x = 1\n".encode("utf-16"), "is saved as UTF-16"),
        ("x = 1\n".encode("utf-16-be"), "is saved as UTF-16"),
        ("x = 1\n".encode("utf-32"), "is saved as UTF-32"),
        ("a = 1\nname = 'Zürich'\n".encode("latin-1"), "is not saved as UTF-8 (see line 2)"),
        (b"a = 1\r\nb = 2\rc = '\xff'\n", "is not saved as UTF-8 (see line 3)"),
        (b"x = '\xed\xa0\x80'\n", "is not saved as UTF-8 (see line 1)"),  # a lone surrogate
        (b"long enough a line\nx = '\0'\n", "contains a zero byte in line 2"),
    ],
)
def test_another_encoding_is_refused_with_the_fix(raw, problem):
    assert refused(raw) == f"attention.py {problem}; save it as UTF-8 in your editor and hand it in again"


@pytest.mark.parametrize("name", ["latin-1", "utf-7", "unicode_escape", "rot13", "no-such-codec"])
def test_a_declared_encoding_must_be_utf_8(name):
    for head in (f"# coding: {name}\n", f"#!/usr/bin/env python\n# -*- coding:{name} -*-\n", f"\f# coding={name}"):
        assert f"declares the encoding {name} in line" in refused(head.encode())


def test_size_is_limited_to_the_byte():
    line = b"#" * 1023 + b"\n"
    assert check_source(line * (LARGEST_FILE // 1024), FILE)[0]
    assert refused(line * (LARGEST_FILE // 1024) + b"#") == (
        "attention.py is larger than 256 KB, the size limit; remove data and output from it"
    )


def test_a_lines_length_is_limited_to_the_character():
    assert check_source(b"\n#" + "√".encode() * (LONGEST_LINE - 1), FILE)[0]
    message = refused(b"\n#" + "√".encode() * LONGEST_LINE)
    assert message == "attention.py has 5001 characters in line 2; split the line: the limit is 5000"


def test_a_line_of_ten_megabytes_is_refused_by_size(tmp_path):
    lay_out(tmp_path, {"ada/2_attention/attention.py": b"x = 1" + b"+1" * (5 * 1024**2)})
    assert refusal(taken(tmp_path)[("ada", ATTENTION.stage)])[0] == "TOO_LARGE"


def test_invisible_and_reordering_characters_are_noted_with_their_lines():
    text = "a = 1\nif user != 'admin\u202e':\n    pass  # \u200b\nb\u200b = 2\n\x1b[2J\n"
    assert check_source(text.encode(), FILE) == (
        text,
        (
            "attention.py contains U+001B control in line 5",
            "attention.py contains U+200B ZERO WIDTH SPACE in line 3, 4",
            "attention.py contains U+202E RIGHT-TO-LEFT OVERRIDE in line 2",
        ),
    )


def test_the_number_of_notes_is_limited():
    private = "".join(f"# {chr(0xE000 + number)}\n" for number in range(200)) + "\u200b\n" * 200
    _, notes = check_source(private.encode(), FILE)
    assert len(notes) == 11
    assert notes[-1] == "attention.py contains 191 more kinds of such characters"


@given(st.binary(max_size=300))
def test_any_bytes_give_a_text_or_a_refusal(raw):
    try:
        text, notes = check_source(raw, FILE)
    except RefusedError:
        return
    assert "\r" not in text
    assert "\0" not in text
    assert text.encode().decode() == text
    assert all(note.isprintable() for note in notes)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters='\0\r"\\'), max_size=200).filter(
        lambda text: "coding" not in text
    )
)
def test_every_utf_8_text_in_a_string_is_accepted_unchanged(text):
    source = f'"""{text}"""\n'
    assert check_source(source.encode(), FILE)[0] == source


# ---- files on disk that are not regular files


def make_link(path, secret):
    path.symlink_to(secret)


def make_hard_link(path, secret):
    path.hardlink_to(secret)


def make_pipe(path, secret):
    os.mkfifo(path)


def make_folder(path, secret):
    path.mkdir()


def make_dangling_link(path, secret):
    path.symlink_to("nowhere")


def make_loop(path, secret):
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "reason", "problem"),
    [
        (make_link, "LINK", "is a link; hand in the file itself"),
        (make_dangling_link, "LINK", "is a link; hand in the file itself"),
        (make_loop, "LINK", "is a link; hand in the file itself"),
        (
            make_hard_link,
            "UNREADABLE",
            "is a hard link to a file outside of the class; hand in a copy",
        ),
        (make_pipe, "NOT_A_FILE", "is not a regular file; hand in a file with this name"),
        (make_folder, "NOT_A_FILE", "is not a regular file; hand in a file with this name"),
    ],
)
def test_only_regular_files_are_read_and_the_class_continues(tmp_path, make, reason, problem):
    secret = tmp_path / "reference.py"
    secret.write_text("answer = 42\n")
    lay_out(tmp_path / "class", {"ada/2_attention/": "", "bob/2_attention/attention.py": "b = 2\n"})
    make(tmp_path / "class" / "ada" / "2_attention" / "attention.py", secret)
    found = taken(tmp_path / "class")
    assert refusal(found[("ada", "2_attention")]) == (reason, f"2_attention/attention.py {problem}")
    assert found[("bob", "2_attention")].source == "b = 2\n"


def test_links_to_folders_are_refused_at_every_level(tmp_path):
    lay_out(tmp_path / "real", {"2_attention/attention.py": "stolen = 1\n"})
    lay_out(tmp_path / "class", {"ada/": "", "cy/2_attention/attention.py": "c = 2\n"})
    (tmp_path / "class" / "ada" / "2_attention").symlink_to(tmp_path / "real" / "2_attention")
    (tmp_path / "class" / "bob").symlink_to(tmp_path / "real")
    found = taken(tmp_path / "class")
    assert refusal(found[("ada", "2_attention")]) == ("LINK", "2_attention is a link; hand in the folder itself")
    assert refusal(found[("bob", "2_attention")]) == ("LINK", "bob is a link; hand in the file itself")
    assert found[("cy", "2_attention")].source == "c = 2\n"


def test_no_link_in_a_path_is_followed_when_a_file_is_read(tmp_path):
    """A folder that becomes a link after the listing is not followed either."""
    lay_out(tmp_path, {"real/attention.py": "stolen = 1\n", "ada/": ""})
    (tmp_path / "ada" / "2_attention").symlink_to(tmp_path / "real")
    with pytest.raises(RefusedError, match="cannot be read: Not a directory"):
        read_plain_file(tmp_path / "ada", "2_attention/attention.py", 100)


def test_a_read_is_limited_to_the_byte(tmp_path):
    lay_out(tmp_path, {"attention.py": "12345"})
    assert read_plain_file(tmp_path, "attention.py", 5) == b"12345"
    with pytest.raises(RefusedError, match="is larger than"):
        read_plain_file(tmp_path, "attention.py", 4)


def test_a_folder_with_too_many_files_is_a_refusal_for_one_student(tmp_path):
    lay_out(tmp_path, {f"ada/{number}.txt": "" for number in range(5001)})
    lay_out(tmp_path, {"bob/2_attention/attention.py": "b = 2\n"})
    found = taken(tmp_path)
    assert refusal(found[("ada", "2_attention")])[0] == "TOO_LARGE"
    assert found[("bob", "2_attention")].source == "b = 2\n"


def test_a_file_name_that_is_not_text_is_harmless(tmp_path):
    lay_out(tmp_path, {"ada/2_attention/attention.py": "a = 2\n"})
    (tmp_path / "ada" / os.fsdecode(b"\xff\x1b[2J.py")).write_text("")
    assert sources(tmp_path) == {("ada", "2_attention"): "a = 2\n"}


def test_messages_escape_terminal_codes_in_a_students_paths(tmp_path):
    lay_out(tmp_path, {"ada/\x1b[2J/attention.py": "x" * 6000})
    assert refusal(taken(tmp_path)[("ada", "2_attention")])[1].startswith(r"\x1b[2J/attention.py has 6000 characters")
