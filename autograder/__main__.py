"""``autograder`` and ``python -m autograder``: the command line."""

import sys


def run() -> None:
    """Run the command line. Ctrl-C ends it with a sentence even while its modules are being imported."""
    try:
        from autograder.cli import main
    except KeyboardInterrupt:
        print("autograder: stopped before anything was done", file=sys.stderr)
        sys.exit(130)
    main(prog_name="autograder")


if __name__ == "__main__":
    run()
