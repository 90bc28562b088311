"""The command line: arguments, printing and exit codes, and nothing else.

``endings`` decides the exit codes; docs/exit-codes.md lists them.
"""

from autograder.cli.main import main

__all__ = ["main"]
