"""Archives: nothing is extracted or trusted, and a hostile archive is a refusal for one student."""

import contextlib
import gzip
import io
import secrets
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pytest
from hand_ins import lay_out, refusal, taken, tarred, zipped, zipped_link
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.intake.archive_members import ArchiveLimits
from autograder.intake.archives import EXPORT, HAND_IN, archive_name, read_archive
from autograder.intake.refusals import RefusedError

MODULE = "2_attention/attention.py"


def encrypted() -> bytes:
    raw = bytearray(zipped({MODULE: "a = 2\n"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    return bytes(raw)


def lying_about_size() -> bytes:
    raw = bytearray(zipped({MODULE: "a = 2\n" * 1000}))
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 24, 6)
    return bytes(raw)


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(MODULE, "a = 2\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(MODULE, "a = 3\n")
    return buffer.getvalue()


def bomb() -> bytes:
    return zipped({MODULE: "a = 2\n", "data/zeros.bin": bytes(12 * 1024**2)})


def many_files() -> bytes:
    return zipped({f"{number}": "" for number in range(5001)}, compression=zipfile.ZIP_STORED)


OUT = "leads out of the archive; create it again"
DAMAGED = "is damaged or not a zip archive; create it again"
COMPRESSION = "uses an unsupported compression method; create the archive with your system's zip"


@pytest.mark.parametrize(
    ("name", "raw", "reason", "problem"),
    [
        ("ada.zip", zipped({"../../2_attention/attention.py": "x"}), "ARCHIVE", OUT),
        ("ada.zip", zipped({"a/../../attention.py": "x"}), "ARCHIVE", OUT),
        ("ada.zip", zipped({"/etc/attention.py": "x"}), "ARCHIVE", OUT),
        ("ada.zip", zipped({"..\\..\\attention.py": "x"}), "ARCHIVE", OUT),
        ("ada.zip", zipped({"C:\\attention.py": "x"}), "ARCHIVE", OUT),
        ("ada.zip", zipped_link(MODULE, "/srv/lab/solutions/2_attention/attention.py"), "LINK", "is a link"),
        ("ada.zip", encrypted(), "ARCHIVE", "is protected by a password"),
        ("ada.zip", lying_about_size(), "ARCHIVE", "is damaged in the archive"),
        ("ada.zip", twice(), "AMBIGUOUS", "is in the archive twice"),
        ("ada.zip", bomb(), "TOO_LARGE", "unpacks to more than 200 MB or looks like an archive bomb"),
        ("ada.zip", many_files(), "TOO_LARGE", "contains more than 5000 files"),
        ("ada.zip", zipped({MODULE: "x" * 300_000}), "TOO_LARGE", "is larger than 256 KB"),
        (
            "ada.zip",
            zipped({MODULE: "x"}, compression=zipfile.ZIP_LZMA),
            "ARCHIVE",
            "uses an unsupported compression method",
        ),
        (
            "ada.zip",
            zipped({MODULE: "x"}, compression=zipfile.ZIP_BZIP2),
            "ARCHIVE",
            "uses an unsupported compression method",
        ),
        ("ada.zip", zipped({f"{MODULE}/": ""}), "NOT_A_FILE", "is not a regular file"),
        ("ada.zip", zipped({MODULE: "a = 2\n"})[:-10], "ARCHIVE", DAMAGED),
        ("ada.zip", b"", "ARCHIVE", DAMAGED),
        ("ada.zip", b"Rar!\x1a\x07", "ARCHIVE", DAMAGED),
        ("ada.rar", b"Rar!\x1a\x07", "ARCHIVE", "is not a supported archive; hand in a .zip or .tar.gz"),
        ("ada.tar.gz", tarred({}, links={MODULE: "/etc/passwd"}), "LINK", "is a link"),
        ("ada.tar.gz", tarred({}, links={MODULE: "/etc/passwd"}, kind=tarfile.LNKTYPE), "LINK", "is a link"),
        ("ada.tar.gz", tarred({}, links={MODULE: ""}, kind=tarfile.FIFOTYPE), "NOT_A_FILE", "is not a regular file"),
        ("ada.tar.gz", tarred({}, links={MODULE: ""}, kind=tarfile.CHRTYPE), "NOT_A_FILE", "is not a regular file"),
        ("ada.tar.gz", tarred({"../attention.py": "x"}), "ARCHIVE", OUT),
        ("ada.tar.gz", tarred({MODULE: "x", "zeros": bytes(12 * 1024**2)}), "TOO_LARGE", "unpacks to more than"),
        ("ada.tar.gz", tarred({MODULE: "x"})[:40], "ARCHIVE", "is damaged or not an archive"),
        ("ada.tar.gz", zipped({MODULE: "x"}), "ARCHIVE", "is damaged or not an archive"),
    ],
)
def test_a_bad_archive_is_refused_with_its_problem_and_the_class_continues(tmp_path, name, raw, reason, problem):
    lay_out(tmp_path, {name: raw, f"bob/{MODULE}": "b = 2\n"})
    found = taken(tmp_path)
    assert refusal(found[("ada", "2_attention")])[0] == reason
    assert problem in refusal(found[("ada", "2_attention")])[1]
    assert found[("bob", "2_attention")].source == "b = 2\n"
    assert refusal(taken(tmp_path / name)[("ada", "2_attention")])[0] == reason, "the same for the archive alone"


def test_a_students_bomb_and_bad_path_in_an_export_do_not_affect_others(tmp_path):
    export = {
        f"ada/{MODULE}": "a = 2\n",
        "bob/2_attention/zeros.bin": bytes(12 * 1024**2),
        f"bob/../../{MODULE}": "x",
        "cy.zip": bomb(),
        "dan.zip": zipped({f"dan/{MODULE}": "d = 2\n"}),
    }
    lay_out(tmp_path, {"export.zip": zipped(export)})
    submissions = taken(tmp_path / "export.zip").items()
    found = {student: submission for (student, stage), submission in submissions if stage == "2_attention"}
    assert found["ada"].source == "a = 2\n"
    assert refusal(found["bob"])[0] == "MISSING"
    assert refusal(found["cy"])[0] == "TOO_LARGE"
    assert found["dan"].source == "d = 2\n"


def test_no_file_is_written(tmp_path):
    hostile = zipped({"../../evil.py": "x", "/tmp/evil.py": "x", MODULE: "a = 2\n"})
    lay_out(tmp_path / "class", {"ada.zip": hostile, "bob.tar.gz": tarred({"../evil.py": "x"}), f"cy/{MODULE}": ""})
    before = sorted(tmp_path.rglob("*"))
    taken(tmp_path / "class")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Returns the peak of Python's memory in bytes since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


BOMB = zipped({"a": bytes(50 * 1024**2)})
GZIP_BOMB = gzip.compress(bytes(50 * 1024**2))


def test_a_bomb_does_not_use_much_memory(peak):
    tree = read_archive("export.zip", BOMB, EXPORT)
    with pytest.raises(RefusedError, match="larger than 256 KB"):
        tree["a"].read(256 * 1024)
    assert peak() < 4 * 1024**2


@pytest.mark.parametrize(("name", "pack"), [("ada.zip", zipped), ("ada.tar.gz", tarred)])
def test_a_path_of_thousands_of_folders_does_not_use_much_memory(peak, name, pack):
    raw = pack({"a/" * 30_000 + "x": "", MODULE: "a = 2\n"})
    tree = read_archive(name, raw)
    assert peak() < 16 * 1024**2
    assert set(tree) == {"2_attention", MODULE}


SMALL = ArchiveLimits(packed=10_000, unpacked=20_000, entries=3, seconds=5, strict=True)


@pytest.mark.parametrize(("name", "pack"), [("ada.zip", zipped), ("ada.tar.gz", tarred)])
def test_limits_apply_to_every_kind_of_archive(name, pack):
    text = secrets.token_hex(300)  # compresses badly, so it is not a bomb
    tree = read_archive(name, pack({"a": text, "b": ""}), SMALL)
    assert tree["a"].read(600) == text.encode()
    with pytest.raises(RefusedError, match="a is larger than 0 KB"):
        tree["a"].read(599)
    with pytest.raises(RefusedError, match="contains more than 3 files"):
        read_archive(name, pack(dict.fromkeys("abcd", "")), SMALL)


def test_an_archive_beyond_the_limit_is_refused_before_it_is_unpacked(peak):
    with pytest.raises(RefusedError, match="unpacks to more than"):
        read_archive("ada.tar.gz", GZIP_BOMB, SMALL)
    assert peak() < 4 * 1024**2
    with pytest.raises(RefusedError, match="unpacks to more than"):
        read_archive("ada.zip", zipped({"a": secrets.token_hex(6000), "b": secrets.token_hex(6000)}), SMALL)


def test_archives_are_recognised_by_their_suffix():
    assert archive_name("ada.zip") == archive_name("ada.tar.gz") == archive_name("ada.TGZ") == "ada"
    assert archive_name("attention.py") is None
    assert archive_name(".zip") is None


NAMES = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
    st.lists(st.sampled_from(["..", ".", "", "a", "2_attention", "attention.py", "C:", "\\"]), min_size=1).map(
        "/".join
    ),
)


def pack(names: list[str], content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in dict.fromkeys(names):
            archive.writestr(zipfile.ZipInfo(name or "x"), content)
    return buffer.getvalue()


def problem_of(name: str, raw: bytes, limits: ArchiveLimits = HAND_IN) -> str:
    """The message of an archive's refusal, or an empty string if the archive gives a valid tree.

    A tree is valid if every path stays inside, its folders exist, and reading it respects the limit or is refused.
    """
    try:
        tree = read_archive(name, raw, limits)
    except RefusedError as error:
        return error.refusal.message
    for path, entry in tree.items():
        parts = PurePosixPath(path).parts
        assert parts
        assert ".." not in parts
        assert not PurePosixPath(path).is_absolute()
        assert all(parent.as_posix() in tree for parent in PurePosixPath(path).parents if parent.parts)
        with contextlib.suppress(RefusedError):
            assert len(entry.read(100)) <= 100
    return ""


@given(st.lists(NAMES, max_size=5), st.binary(max_size=200))
def test_no_member_name_gives_a_path_outside_the_tree(names, content):
    raw = pack(names, content)
    assert problem_of("ada.zip", raw, EXPORT) == ""
    problem = problem_of("ada.zip", raw)
    assert not problem or problem.endswith(OUT)


@settings(max_examples=300)
@given(
    st.sampled_from(["ada.zip", "ada.tar", "ada.tar.gz"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255))),
)
def test_damage_anywhere_gives_a_tree_or_a_refusal(name, changes):
    raw = bytearray(VALID[name])
    for position, value in changes:
        raw[position % len(raw)] = value
    problem = problem_of(name, bytes(raw))
    assert not problem or problem.startswith(name)


def plain_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(MODULE)
        member.size = 5
        archive.addfile(member, io.BytesIO(b"a = 2"))
    return buffer.getvalue()[:2000]


VALID = {
    "ada.zip": zipped({MODULE: "a = 2\n", "README.md": "# lab\n" * 20}),
    "ada.tar.gz": tarred({MODULE: "a = 2\n"}),
    "ada.tar": plain_tar(),
}


@given(st.binary(max_size=400), st.sampled_from(["ada.zip", "ada.tar", "ada.tar.gz"]))
def test_any_bytes_give_a_tree_or_a_refusal(raw, name):
    problem = problem_of(name, raw)
    assert not problem or problem.startswith(name)
