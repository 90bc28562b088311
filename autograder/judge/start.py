"""Starts a judge: ``python -m autograder.judge.start FD LAB [--no-isolation]``; run by ``autograder.judge.pool``.

The judge and its template each import torch, which takes seconds: the template's program is started first, so that
they do it at the same time.
"""

import contextlib
import sys

from autograder.isolation.launch import Program


def main(descriptor: int, root: str, isolated: bool) -> None:
    """Start the template's program, then serve jobs until the other side closes."""
    program = None
    with contextlib.suppress(Exception):  # the judge starts it again, and reports the error
        program = Program.first(isolated=isolated)
    from autograder.judge.server import serve

    serve(descriptor, root, isolated, program)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], "--no-isolation" not in sys.argv[3:])
