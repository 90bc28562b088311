"""The command line: arguments, printing and exit codes, and nothing else.

Exit codes: 0 for success; 1 for a failed check under ``--fail-on-failures``, or for a command that proves
something and found a problem; 2 for wrong use; 3 for a grader error.
"""

from autograder.cli.main import main

__all__ = ["main"]
