"""Functions and classes of the user's own, which a study file names as module:name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, TypeVar

from study.errors import StudyError
from study.files import sha256_of

Kind = TypeVar("Kind")

# Set by `bodyscene run`, whose steps work in the results folder: where it was called.
WORKING_DIRECTORY = "BODYSCENE_WORKING_DIRECTORY"


def working_directory() -> Path:
    """Return the folder in which the user called the toolkit."""
    return Path(os.environ.get(WORKING_DIRECTORY) or Path.cwd())


def code_file(field: str, name: str, expected: str = "module:Class") -> Path:
    """Find the file that holds a user's function or class, without running it.

    Parameters
    ----------
    field : str
        Of the study file, for the message.
    name : str
        ``module:name``; the module is sought among the installed packages, then in the working
        directory.
    expected : str
        What the field should hold, for the message.

    Raises
    ------
    StudyError
        When there is no such module, or it is no file.
    """
    module_name = name.partition(":")[0]
    folder = str(working_directory())
    if folder not in sys.path:
        # Not in front: a folder here must not stand in for a package that is installed.
        sys.path.append(folder)
    try:
        importlib.invalidate_caches()
        spec = _spec_of(module_name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise StudyError(
            f"{field} = {name!r}: no module {module_name!r} in {folder} or among the installed "
            f"packages; expected {expected}"
        )
    return Path(spec.origin)


def _spec_of(module_name: str) -> ModuleSpec | None:
    """Find a module without importing the packages that it lies in, as importlib alone would."""
    name, *inner = module_name.split(".")
    spec = importlib.util.find_spec(name)
    for part in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        # By its last name alone: folders without __init__.py would look for their parent, imported.
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec


def code_sha256(field: str, name: str, expected: str = "module:Class") -> str:
    """Return the SHA-256 of the file of `code_file`, so that a change of the code is noticed.

    Modules that this file imports are not looked at.
    """
    return sha256_of(code_file(field, name, expected))


def named_code(field: str, name: str, expected: str = "module:Class") -> Any:
    """Import what a study file names as module:name.

    Parameters
    ----------
    field, name, expected : str
        As in `code_file`.

    Raises
    ------
    StudyError
        When the module is missing, fails on import, or has nothing of that name.
    """
    file = code_file(field, name, expected)
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's code may raise anything
        raise StudyError(
            f"{field} = {name!r}: importing {file} failed: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, attribute):
        kind = expected.partition(":")[2].lower()
        raise StudyError(f"{field} = {name!r}: {file} has no {kind} {attribute!r}")
    return getattr(module, attribute)


def named_class(field: str, name: str, kind: type[Kind]) -> type[Kind]:
    """Import a class that must derive from `kind`.

    Raises
    ------
    StudyError
        As `named_code`, and for anything but a class derived from `kind`.
    """
    found = named_code(field, name)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise StudyError(
            f"{field} = {name!r}: expected a class derived from {kind.__name__}, found {found!r}"
        )
    return found
