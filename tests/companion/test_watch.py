"""The watcher notices every save after its start, even a save during a check."""

import queue

import pytest
from rich.console import Console
from tiny_lab import MODULE, STAGE

from lab import watch
from lab.watch import Watcher

MOST_WAITS = 40  # a save is noticed after one or two


@pytest.fixture
def watcher(course, monkeypatch):
    """A watcher during whose first check the student saves; the second check ends it."""

    class Saving(Watcher):
        checks = waits = 0

        def check(self):
            self.checks += 1
            if self.checks > 1:
                self.quit()
                return
            file = course.root / STAGE / f"{MODULE}.py"
            file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")

        def _press(self, keys):
            self.waits += 1
            if self.waits > MOST_WAITS:
                self.quit()

    monkeypatch.setattr(watch, "_keys", queue.SimpleQueue)
    return Saving(Console(quiet=True), course, course.exercises[0], limit=10.0)


def test_a_save_during_the_first_check_is_noticed(watcher):
    watcher.run()
    assert watcher.checks == 2
