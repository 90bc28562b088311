"""Every text and background colour that the pages combine has enough contrast in both themes.

Source: WCAG 2.2, success criterion 1.4.3: 4.5 to 1.
"""

import re
from importlib.resources import files

import pytest

STYLE = (files("autograder.feedback") / "templates" / "style.css").read_text(encoding="utf-8")
# Print uses the light theme: the dark theme is for screens only.
THEMES = dict(zip(("light", "dark"), re.findall(r":root \{([^}]*--text:.*?)\}", STYLE, re.DOTALL), strict=True))

GROUNDS = {
    "text": ["page", "card", "bad-soft", "ours-soft", *(f"shade-{shade}" for shade in range(5))],
    "muted": ["page", "card", "bad-soft", "open-soft", "ours-soft", *(f"shade-{shade}" for shade in range(5))],
    "link": ["page", "card", "bad-soft", "ours-soft"],
    "good": ["card"],
    "bad": ["page", "card", "bad-soft"],
    "open": ["card", "open-soft"],
    "ours": ["page", "card", *(f"shade-{shade}" for shade in range(5))],
    **{token: ["card", "bad-soft", "open-soft"] for token in ("string", "keyword", "number", "comment", "name")},
}


def colours(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", THEMES[theme]))


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text: str, background: str) -> float:
    bright, dark = sorted((luminance(text), luminance(background)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_contrast_formula_gives_known_values():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("ink", "ground"), [(ink, ground) for ink, grounds in GROUNDS.items() for ground in grounds])
def test_text_has_enough_contrast(theme, ink, ground):
    palette = colours(theme)
    assert contrast(palette[ink], palette[ground]) >= 4.5


def test_every_theme_has_every_colour_and_every_colour_is_used():
    names = {theme: set(colours(theme)) for theme in THEMES}
    assert names["light"] == names["dark"]
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) == names["light"]
