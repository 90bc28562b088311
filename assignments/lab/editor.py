"""The student's editor, opened at a line."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

# How editors take a line, by the name of their program.
_GOTO = {"code", "code-insiders", "codium", "cursor", "windsurf"}
_PLUS = {
    "vi",
    "vim",
    "nvim",
    "gvim",
    "nano",
    "pico",
    "emacs",
    "emacsclient",
    "micro",
    "kak",
    "joe",
    "ne",
    "gedit",
    "kate",
}
_COLON = {"subl", "sublime_text", "zed", "hx", "helix"}


def editor_command(file: Path, line: int, environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """Return the command that opens a file in the student's editor, at the line if the editor can do that.

    The editor is that of ``VISUAL`` or ``EDITOR``, or VS Code in its own terminal. None if there is no such program.
    """
    in_code = "code" if environment.get("TERM_PROGRAM") == "vscode" else ""
    for text in (environment.get("VISUAL"), environment.get("EDITOR"), in_code):
        command = shlex.split(text or "", posix=os.name != "nt")
        if command and shutil.which(command[0], path=environment.get("PATH")):
            return [*command, *_place(Path(command[0]).stem.lower(), file, line)]
    return None


def _place(program: str, file: Path, line: int) -> list[str]:
    if program in _GOTO:
        return ["--goto", f"{file}:{line}"]
    if program in _PLUS:
        return [f"+{line}", str(file)]
    return [f"{file}:{line}" if program in _COLON else str(file)]
