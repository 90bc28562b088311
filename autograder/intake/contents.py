"""The files of one hand-in: those that lie in it, and those in the archives in it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from autograder.intake.archives import HAND_IN, archive_name, read_archive
from autograder.intake.limited import ExhaustedError
from autograder.intake.locate import locate
from autograder.intake.refusals import ABSENT, RefusalReason, RefusedError, shown, too_many_files
from autograder.intake.submission import StageFiles
from autograder.intake.tree import MOST_ENTRIES, Tree, TreeEntry

# How deep archives in a hand-in may lie in each other; deeper archives are refused by name.
_DEEPEST_ARCHIVE = 2
_MOST_ARCHIVES = 20
# The companion packs each hand-in into a folder of its own: handin/20260301-115803-2/ada.zip.
_PACKED = re.compile(r"(?:^|/)handin/(\d{8}-\d{6})(?:-(\d+))?/[^/]+$")


@dataclass(frozen=True)
class Part:
    """Files of a hand-in that lie together.

    Attributes:
        tree: The files.
        folder: The folder on disk that holds them; None for files in an archive.
        archive: The archive that holds them, for messages; empty for files that are in none.
        order: Parts with a smaller order are looked at first; among equals, files must not differ.
    """

    tree: Tree
    folder: Path | None
    archive: str = ""
    order: tuple[int, ...] = (0,)

    def shown(self, path: str) -> str:
        """The path of a file within the hand-in."""
        return shown(f"{self.archive}/{path}" if self.archive else path)


@dataclass(frozen=True)
class Contents:
    """The parts of a hand-in in the order in which they are looked at, and the archives that were not opened."""

    parts: tuple[Part, ...]
    unopened: tuple[RefusedError, ...] = ()

    def find(self, stage: StageFiles, suffix: str = ".py") -> tuple[Part, str]:
        """Find a stage's module or notebook.

        Raises:
            RefusedError: There is no such file, copies of it differ, or the archive that may hold it was not opened.
        """
        missing: RefusedError | None = None
        for _, parts in groupby(self.parts, lambda part: part.order):
            found = []
            for part in parts:
                try:
                    found.append((part, locate(part.tree, stage, suffix)))
                except RefusedError as error:
                    if not is_absent(error):
                        raise
                    missing = missing or error
            if found:
                _refuse_different(found, stage.module + suffix)
                return found[0]
        assert missing is not None
        raise self._unopened(stage) or missing

    def _unopened(self, stage: StageFiles) -> RefusedError | None:
        """The archive that was not opened and may hold the stage: any if nothing else was handed in."""
        own = [error for error in self.unopened if stage.module in error.refusal.file.rpartition("/")[2]]
        if own or any(path for part in self.parts for path, entry in part.tree.items() if _is_work(path, entry)):
            return own[0] if own else None
        return self.unopened[0] if self.unopened else None

    def begun(self, stages: Sequence[StageFiles]) -> frozenset[str]:
        """The stages of which at least one file or folder was handed in."""
        names = {path.rpartition("/")[2] for part in self.parts for path in part.tree}
        return frozenset(
            stage.stage
            for stage in stages
            if not names.isdisjoint(stage.own_names) or self._finds(stage, ".py") or self._finds(stage, ".ipynb")
        )

    def _finds(self, stage: StageFiles, suffix: str) -> bool:
        try:
            self.find(stage, suffix)
        except RefusedError as error:
            return not is_absent(error) and stage.module in error.refusal.file
        return True


def is_absent(error: RefusedError) -> bool:
    """Whether a file was not handed in, or under a name that only resembles its own."""
    return error.refusal.reason in ABSENT


def _is_work(path: str, entry: TreeEntry) -> bool:
    return not entry.is_folder and path.lower().endswith((".py", ".ipynb"))


def _refuse_different(found: Sequence[tuple[Part, str]], name: str) -> None:
    if len(found) == 1:
        return
    contents = {part.tree[path].read(HAND_IN.packed) for part, path in found}
    if len(contents) > 1:
        listed = " and ".join(part.shown(path) for part, path in found[:3])
        what = f"was handed in {len(found)} times, as {listed}; keep only the file to be graded"
        raise RefusedError(RefusalReason.AMBIGUOUS, name, what)


def contents_of(tree: Tree, folder: Path | None, stages: Sequence[StageFiles]) -> Contents:
    """The contents of a hand-in; archives in it are opened only if a stage's files lie in none of its folders."""
    own = Part(tree, folder)
    if all(f"{stage.stage}/{stage.module}{suffix}" in tree for stage in stages for suffix in (".py", ".ipynb")):
        return Contents((own,))
    opener = _Opener()
    opener.open_all(own, _DEEPEST_ARCHIVE)
    return Contents((own, *sorted(opener.parts, key=lambda part: part.order)), tuple(opener.unopened))


@dataclass
class _Opener:
    """Opens archives within limits for the whole hand-in."""

    parts: list[Part] = field(default_factory=list)
    unopened: list[RefusedError] = field(default_factory=list)
    bytes_left: int = HAND_IN.packed
    entries_left: int = MOST_ENTRIES
    exhausted: bool = False

    def open_all(self, part: Part, depth: int) -> None:
        """Add the archives in a part, and those in them."""
        for path, entry in part.tree.items():
            if entry.is_folder or archive_name(path.rpartition("/")[2]) is None:
                continue
            place = f"{part.archive}/{path}" if part.archive else path
            try:
                tree = self._opened(path, place, entry.read, depth)
            except RefusedError as error:
                self.unopened.append(_named(error, path, place))
                self.exhausted |= isinstance(error, ExhaustedError)
                continue
            inner = Part(tree, None, place, _order(path, part))
            self.parts.append(inner)
            self.open_all(inner, depth - 1)

    def _opened(self, path: str, place: str, read: Callable[[int], bytes], depth: int) -> Tree:
        if depth == 0:
            what = "is an archive inside an archive and was not opened; unpack the outer one"
            raise RefusedError(RefusalReason.UNREADABLE, place, what)
        if self.exhausted:
            what = "was not opened, because another archive of this hand-in takes too long to read"
            raise RefusedError(RefusalReason.UNREADABLE, place, what)
        if len(self.parts) >= _MOST_ARCHIVES:
            raise too_many_files(place, _MOST_ARCHIVES)
        raw = read(self.bytes_left)
        tree = read_archive(path, raw)
        self.bytes_left -= len(raw)
        self.entries_left -= len(tree)
        if self.entries_left < 0:
            raise too_many_files(place, MOST_ENTRIES)
        return tree


def _named(error: RefusedError, path: str, place: str) -> RefusedError:
    """The error with the path of the archive from the hand-in's root."""
    refusal = error.refusal
    if path == place or refusal.file != shown(path):
        return error
    return RefusedError(refusal.reason, place, refusal.message.removeprefix(f"{refusal.file} "))


def _order(path: str, outer: Part) -> tuple[int, ...]:
    """Ordinary archives come first, then the companion's hand-ins, the newest first."""
    packed = _PACKED.search(f"{outer.archive}/{path}")
    if packed is None:
        return outer.order if outer.archive else (1,)
    return (2, -int(packed[1].replace("-", "")), -int(packed[2] or 1))
