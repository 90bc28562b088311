"""Configuration of nbgrader: `nbgrader …` and formgrader work in this folder.

The lab sets folders, gradebook, judge and late penalties. Add your own settings at the end.
"""

from pathlib import Path

from autograder.course.lab import Lab
from autograder.integrations.nbgrader import configure

c = get_config()  # noqa: F821  (nbgrader defines it)
configure(c, Lab(Path(__file__).parent.resolve()))
