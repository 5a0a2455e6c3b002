"""The one kind of error that a user can mend: it says where, what was expected, what was found."""

from __future__ import annotations

# Packages that the base install lacks, and the extra that brings them.
EXTRA_OF = {
    "torch": "models",
    "torchvision": "models",
    "safetensors": "models",
    "transformers": "video",
    "ultralytics": "models",
    "psychopy": "lab",
    "arabic_reshaper": "lab",
    "bidi": "lab",
    "freetype": "lab",
}


class StudyError(Exception):
    """Something that the user can mend; the command line prints its text without a traceback."""


def check_one_of(name: str, value: object, options: object) -> None:
    """Raise a `StudyError` that lists the options unless `value` is one of them."""
    allowed = list(options)  # type: ignore[call-overload]
    if value not in allowed:
        listed = ", ".join(repr(option) for option in allowed)
        raise StudyError(f"{name} is {value!r}; expected one of {listed}")


def missing_package(name: str) -> StudyError:
    """Return the error for a package of `EXTRA_OF` that is not installed."""
    return StudyError(
        f"this needs {name}, which is not installed: "
        f'pip install -e ".[{EXTRA_OF[name]}]" -c constraints.txt'
    )
