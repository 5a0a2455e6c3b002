"""The one kind of error that a user can mend: it says where, what was expected, what was found."""

from __future__ import annotations


class StudyError(Exception):
    """Something that the user can mend; the command line prints its text without a traceback."""


def check_one_of(name: str, value: object, options: object) -> None:
    """Raise a `StudyError` that lists the options unless `value` is one of them."""
    allowed = list(options)  # type: ignore[call-overload]
    if value not in allowed:
        listed = ", ".join(repr(option) for option in allowed)
        raise StudyError(f"{name} is {value!r}; expected one of {listed}")
