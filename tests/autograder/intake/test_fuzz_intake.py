"""Random changes of honest hand-ins: each is read or refused in words, and the class goes on.

A failure names its reader and seed; a line in ``fuzz_seeds.txt`` keeps it for every run.
"""

import contextlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dulwich import porcelain
from hand_ins import KERNELS, STAGES, lay_out, taken, tarred, zipped
from hostile import MODULE, mutated, random_archive, random_json
from processes import deadline

from autograder.intake import IntakeError, graft, read_answers, take_in
from autograder.intake.archives import EXPORT, HAND_IN, read_archive
from autograder.intake.git import commit_of, commit_time
from autograder.intake.refusals import RefusedError

SEEDS_OF_A_SHORT_RUN, SEEDS_OF_A_LONG_RUN = 15, 3000
RELEASED = json.dumps(
    {
        "cells": [
            {
                "cell_type": "markdown",
                "id": "why",
                "metadata": {"nbgrader": {"grade_id": "why", "solution": True}},
                "source": ["Why?"],
            }
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)


def fuzz_archive(rng: random.Random, folder: Path) -> None:
    name, raw = random_archive(rng)
    for limits in (HAND_IN, EXPORT):
        try:
            tree = read_archive(name, raw, limits)
        except RefusedError as error:
            assert_words(error)
            continue
        for path, entry in tree.items():
            assert not path.startswith("/")
            assert ".." not in path.split("/")
            try:
                assert len(entry.read(100)) <= 100
            except RefusedError as error:
                assert_words(error)


def fuzz_notebook(rng: random.Random, folder: Path) -> None:
    honest = json.dumps({**json.loads(RELEASED), "worksheets": []})
    raw = mutated(honest.encode(), rng) if rng.random() < 0.5 else random_json(rng).encode("utf-8", "replace")
    answers = read_answers(raw, "x.ipynb")
    assert answers.sheets or answers.unread
    assert len(json.loads(graft(RELEASED, raw).notebook)["cells"]) == 1


def fuzz_git(rng: random.Random, folder: Path) -> None:
    clone = shutil.copytree(_repository(folder.parent), folder / "ada")
    files = sorted(path for path in (clone / ".git").rglob("*") if path.is_file() and path.name != "config")
    for path in rng.sample(files, k=rng.randint(1, 4)):
        path.chmod(0o600)
        path.write_bytes(mutated(path.read_bytes(), rng))
    commit_of(clone)
    moment = commit_time(clone, "attention.py", b"a = 1\n")
    assert moment is None or moment.utcoffset() is not None


def _repository(folder: Path) -> Path:
    """A repository with loose and packed objects, made once."""
    root = folder / "repository"
    if not root.exists():
        repository = porcelain.init(root)
        for number in range(6):
            lay_out(root, {"attention.py": "a = 1\n", "notes.txt": f"{number}\n" * 400})
            porcelain.add(repository, [str(root / "attention.py"), str(root / "notes.txt")])
            porcelain.commit(repository, f"{number}".encode(), author=b"A <a@b>", committer=b"A <a@b>")
            if number == 3:
                porcelain.repack(repository)
        repository.close()
    return root


NAMES = (
    *("submitted", "2_attention", "1_kernels", "handin", "source", "__pycache__", "venv", "con", "x" * 200),
    *("ADA", "a da", "ada-main", "ada (1)", ".ada", "ada.", "-ada", "O\u0308", "\u00d6", "a\u202eb", "1_kernels-ada"),
    *("ada_1_2_kernels.py", "ada_1_assignsubmission_file_", "ada - kernels.py", "submission_1"),
    "ada_attempt_2026-01-01-00-00-00_x",
)
CLASS = {name: f"x = {name!r}\n" for name in ("ada", "bob", "cy")}


def fuzz_layout(rng: random.Random, folder: Path) -> None:
    files: dict[str, str | bytes] = {f"{name}/{KERNELS.file}": text for name, text in CLASS.items()}
    for _ in range(rng.randint(1, 4)):
        name = rng.choice(NAMES)
        inner = {rng.choice((KERNELS.file, MODULE, "kernels.py", f"v1/{MODULE}")): "x = 0\n", "a.txt": "x"}
        if rng.random() < 0.5:
            files |= {f"{name}/{path}": text for path, text in inner.items()}
        else:
            suffix, pack = rng.choice(((".zip", zipped), (".tar.gz", tarred)))
            files[f"{name}{suffix}"] = pack({f"{rng.choice(NAMES)}/{path}": text for path, text in inner.items()})
    with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
        lay_out(folder / "class", files)
    if not all((folder / "class" / name / KERNELS.file).exists() for name in CLASS):
        return
    try:
        found = taken(folder / "class")
    except IntakeError as error:  # an archive of something else: the instructor decides
        if "were not understood" not in str(error):
            raise
        return
    assert {name: found[name, KERNELS.stage].source for name in CLASS} == CLASS
    assert len(found) == len(take_in([folder / "class"], STAGES)), "no two students share an id"
    for submission in found.values():
        assert (submission.source is None) != (submission.refusal is None)


def assert_words(error: RefusedError) -> None:
    message = error.refusal.message
    assert len(message.splitlines()) == 1
    assert "takes more than" not in message
    assert "cannot be read (" not in message, "an error that the reader does not expect"


READERS: dict[str, Callable[[random.Random, Path], None]] = {
    "archive": fuzz_archive,
    "notebook": fuzz_notebook,
    "git": fuzz_git,
    "layout": fuzz_layout,
}


def kept() -> Iterator[tuple[str, int]]:
    for line in (Path(__file__).parent / "fuzz_seeds.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            reader, seed = line.split()
            yield reader, int(seed)


def fuzz(reader: str, seeds: Iterator[int], folder: Path) -> None:
    for seed in seeds:
        own = folder / str(seed)
        own.mkdir()
        try:
            with deadline(120):
                READERS[reader](random.Random(f"{reader} {seed}"), own)
        except BaseException as error:
            error.add_note(f"{reader} {seed}: add this line to fuzz_seeds.txt")
            raise
        shutil.rmtree(own)


@pytest.mark.parametrize("reader", READERS)
def test_kept_and_some_further_inputs(reader, tmp_path):
    seeds = [seed for name, seed in kept() if name == reader]
    fuzz(reader, iter(dict.fromkeys([*seeds, *range(10_000, 10_000 + SEEDS_OF_A_SHORT_RUN)])), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_many_inputs(reader, tmp_path):
    fuzz(reader, iter(range(100_000, 100_000 + SEEDS_OF_A_LONG_RUN)), tmp_path)
