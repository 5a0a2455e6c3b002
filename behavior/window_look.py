"""How screens look: colours with enough contrast, and sizes relative to the screen's height."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ImageColor

from behavior.window_text import Color
from study.errors import StudyError

# Least contrast of large text by the Web Content Accessibility Guidelines 2.1, level AA.
LEAST_CONTRAST = 3.0

# Right and wrong in colours that differ in brightness, too (Okabe & Ito's palette).
RIGHT, WRONG = (0, 158, 115), (213, 94, 0)


@dataclass(frozen=True)
class Look:
    """Colours and letters of all screens.

    Parameters
    ----------
    background, text : str
        Colours by name or as "#rrggbb".
    text_height : float
        Height of the letters as a share of the screen's height.

    Raises
    ------
    StudyError
        When a colour is not known, or text could not be read on that background.
    """

    background: str = "#808080"
    text: str = "black"
    text_height: float = 0.032

    def __post_init__(self) -> None:
        contrast = contrast_of(self.ground, self.ink)
        if contrast < LEAST_CONTRAST:
            raise StudyError(
                f"text in {self.text} on {self.background} is hard to read: expected a contrast "
                f"of at least {LEAST_CONTRAST:g}:1, found {contrast:.1f}:1"
            )

    @property
    def ground(self) -> Color:
        """The background colour."""
        return _rgb("background", self.background)

    @property
    def ink(self) -> Color:
        """The colour of text."""
        return _rgb("text colour", self.text)

    def mixed(self, share: float) -> Color:
        """Return the background with a share of the text's colour in it."""
        pairs = zip(self.ground, self.ink, strict=True)
        red, green, blue = (round(low + share * (high - low)) for low, high in pairs)
        return red, green, blue

    @property
    def button(self) -> Color:
        """The face of a button: towards the side of the background that text stands out from."""
        lighter = sum(self.ground) > sum(self.ink)
        target = 255 if lighter else 0
        red, green, blue = (round(part + 0.35 * (target - part)) for part in self.ground)
        return red, green, blue


def contrast_of(one: Color, other: Color) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    parts = [part / 255 for part in color]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(field: str, color: str) -> Color:
    try:
        red, green, blue = ImageColor.getrgb(color)[:3]
    except ValueError as error:
        raise StudyError(
            f"{field}: expected a colour by name or as '#rrggbb', found {color!r}"
        ) from error
    return red, green, blue
