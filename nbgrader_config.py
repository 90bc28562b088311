"""nbgrader's configuration: `nbgrader …` and formgrader work from this folder.

Folders, gradebook, judge and late penalties are set by the lab; add settings of your own below.
"""

from pathlib import Path

from autograder.course.lab import Lab
from autograder.integrations.nbgrader import configure

c = get_config()  # noqa: F821  (nbgrader defines it)
configure(c, Lab(Path(__file__).parent.resolve()))
