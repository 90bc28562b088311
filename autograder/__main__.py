"""``python -m autograder``: the command line, for environments whose scripts are not on ``PATH``."""

from autograder.cli import main

main(prog_name="autograder")
