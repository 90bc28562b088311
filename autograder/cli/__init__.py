"""The command line: arguments, printing and exit codes, and nothing else.

Exit codes: 0 done, 1 graded with failures where that was asked for, or a proof that does not hold,
2 wrong use, 3 a grader error.
"""

from autograder.cli.main import main

__all__ = ["main"]
