"""``autograder`` and ``python -m autograder``: the command line."""

import contextlib
import os
import sys


def run() -> None:
    """Run the command line. Ctrl-C ends it with a sentence even while its modules are being imported."""
    try:
        from autograder.cli import main
    except KeyboardInterrupt:
        print("autograder: stopped before anything was done", file=sys.stderr)
        sys.exit(130)
    try:
        main(prog_name="autograder")
    except SystemExit as end:
        if end.code == 130:
            # CPython kills itself with SIGINT if an interrupt passed through `exec`, although it was handled here.
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            os._exit(130)
        raise


if __name__ == "__main__":
    run()
