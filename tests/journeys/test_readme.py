"""What the README shows of the product: the sample report and the two pictures."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from autograder.course.lab import Lab
from tools.readme_images import HEIGHT, SCALE, WIDTH, find_browser
from tools.readme_sample import excerpt, grade_sample, shown_report

ROOT = Lab.find(Path(__file__).parent).root
PICTURES = ("class-page.png", "student-page.png")
MOST_BYTES = 150_000


def check_picture(path: Path) -> None:
    """A picture has the size of a page, is small enough for a README and is not blank."""
    assert path.stat().st_size <= MOST_BYTES
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (WIDTH * SCALE, HEIGHT * SCALE)
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 20


def test_the_sample_report_is_what_grade_prints(tmp_path):
    shown = shown_report((ROOT / "README.md").read_text(encoding="utf-8"))
    report = excerpt(grade_sample(Lab.find(ROOT), tmp_path))
    assert shown == report, "run `python -m tools.readme_sample`"


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_readme_fit_a_page(name):
    check_picture(ROOT / "docs" / "images" / name)


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine")
def test_the_pictures_can_be_taken_again(tmp_path):
    subprocess.run([sys.executable, "-m", "tools.readme_images", "--out", str(tmp_path)], cwd=ROOT, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(PICTURES)
    for name in PICTURES:
        check_picture(tmp_path / name)
