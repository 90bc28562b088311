"""Take the pictures of the README: a student's page and the class page, from made-up hand-ins.

    python -m tools.readme_images

writes ``student-page.png`` and ``class-page.png`` into ``docs/images``. Needs Chromium.
"""

import shutil
import tempfile
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from autograder.authoring.simulated_class import simulated_class
from autograder.course.lab import Lab
from autograder.feedback.pages import statistics_of, write_class_page
from tools.readme_sample import STUDENT, grade_sample

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
STAGES = ("1_kernels", "2_attention", "3_multihead")
STUDENTS = (
    "amara bruno chloe darius elif finn grace hiro ines jonas kira liam mina noor owen pia rafael sana tomas yara"
).split()
SEED = 7  # gives a class with a few students who need help
WIDTH, HEIGHT, SCALE = 1200, 960, 0.75  # the pages' wide layout, in a picture 900 pixels wide
COLOURS = 128
# Scroll the student's file to the first line that a failed check names.
SHOW_MARKED_LINE = """() => {
    const panel = document.querySelector(".source"), line = panel.querySelector(".hit");
    panel.scrollTop += line.getBoundingClientRect().top - panel.getBoundingClientRect().top - 160;
}"""


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write the pictures here.")
def main(out: Path | None) -> None:
    """Write the two pictures."""
    lab = Lab.find()
    browser_path = find_browser()
    if browser_path is None:
        raise click.ClickException(f"no Chromium: none of {', '.join(BROWSERS)} is on the path")
    out = out or lab.root / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        folder = Path(name)
        grade_sample(lab, folder)
        class_page = write_class_page(
            folder, statistics_of(lab, simulated_class([lab.stage(name) for name in STAGES], STUDENTS, SEED)), {}
        )
        browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        student_page = folder / "pages" / "students" / f"{STUDENT}.html"
        take_picture(browser, student_page, out / "student-page.png", SHOW_MARKED_LINE)
        take_picture(browser, class_page, out / "class-page.png")
        browser.close()


def find_browser() -> str | None:
    """Return the path of Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def take_picture(browser: Browser, page: Path, picture: Path, script: str = "") -> None:
    """Write the top of an HTML page as a PNG, after ``script`` has run in it."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE, color_scheme="light")
    tab.goto(page.as_uri())
    if script:
        tab.evaluate(script)
    tab.screenshot(path=picture)
    tab.close()
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLOURS).save(picture, optimize=True)  # a third of the size


if __name__ == "__main__":
    main()
