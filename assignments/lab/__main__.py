"""``python -m lab``: needs only Python itself, so that it can report missing packages."""

import sys

# `python -m` puts the current folder first, where a student's `random.py` would hide Python's: search it last.
if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    sys.path.append(sys.path.pop(0))

import importlib.util

NEEDED = ("click", "rich", "watchfiles", "psutil")


def main() -> int:
    """Run the companion, or say how to set it up."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reaches this line
        print(f"This lab needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")
        print("Install a newer version from https://www.python.org and create the environment again (see README.md).")
        return 2
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"The lab is not set up in this Python ({sys.executable}). Missing packages: {', '.join(missing)}.")
        print("Activate the lab's environment, or install the missing packages, with the CPU build of PyTorch:")
        print(f'    "{sys.executable}" -m pip install uv')
        print(f'    "{sys.executable}" -m uv pip install --torch-backend cpu -r requirements.txt')
        return 2
    from lab.cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
