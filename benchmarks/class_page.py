"""Build the class page of a simulated class, and time it; open it in Chromium if there is one.

    python -m benchmarks.class_page --students 1000

The class is made up from the lock files of mistakes (``autograder.authoring.simulated_class``). The page is written to
``build/class_page/class.html``.
"""

import resource
import shutil
import time
from pathlib import Path

import click

from autograder.authoring.simulated_class import simulated_class
from autograder.course.lab import Lab
from autograder.feedback.pages import STUDENT_PAGES, statistics_of, write_class_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# From the start of the navigation to the first frame after the page has loaded, its script included.
LOADED = (
    """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"""
)


@click.command()
@click.option("--students", type=click.IntRange(1), default=1000, show_default=True, help="Number of students.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write the page to this folder.")
def main(students: int, out: Path | None) -> None:
    """Time the class page."""
    lab = Lab.find()
    out = out or lab.build / "class_page"
    reports = simulated_class(lab.stages(), [f"student{number:04}" for number in range(students)])
    began = time.process_time()
    statistics = statistics_of(lab, reports)
    computed = time.process_time()
    page = write_class_page(out, statistics, {name: f"{STUDENT_PAGES}/{name}.html" for name in statistics.students})
    ended = time.process_time()
    checks = sum(len(report.checks) for report in reports)
    click.echo(f"{students} students, {len(reports)} reports, {checks} checks")
    click.echo(f"statistics {computed - began:.1f} s, page {ended - computed:.1f} s of CPU time")
    click.echo(f"{page}: {page.stat().st_size / 1e6:.1f} MB")
    click.echo(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if browser := next(filter(None, map(shutil.which, BROWSERS)), None):
        click.echo(f"loads in Chromium in {load_seconds(page, browser):.2f} s")


def load_seconds(page: Path, browser: str) -> float:
    """The time that Chromium takes to load and show a page: the median of three."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        times = []
        for _ in range(3):
            tab = chromium.new_page()
            tab.goto(page.as_uri())
            times.append(tab.evaluate(LOADED) / 1000)
            tab.close()
        chromium.close()
    return float(sorted(times)[1])


if __name__ == "__main__":
    main()
