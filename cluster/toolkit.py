"""Steps in an Apptainer container, for clusters on which nothing else may be installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.config import Study
from study.errors import StudyError
from study.own_code import working_directory


def in_container(container: str, study: Study, study_file: Path, results: Path) -> str:
    """Return the command that runs bodyscene in a container.

    It sees what Apptainer binds by itself (home, temporary folder), the results folder, and the
    folders of all files that the study names. GPUs are passed on where there are some.
    """
    folders = sorted({str(folder) for folder in _folders(study, study_file, results)})
    binds = f"--bind {shlex.quote(','.join(folders))} " if folders else ""
    return f"apptainer exec --nv {binds}{shlex.quote(container)} bodyscene"


def check_in_container(container: str, study: Study, study_file: Path, results: Path) -> None:
    """Let the toolkit in the container check the study, as it is that one which will run it.

    Raises
    ------
    StudyError
        When there is no Apptainer or no such image, and with what the check in it says.
    """
    if shutil.which("apptainer") is None:
        raise StudyError(
            f"config.container = {container!r}: there is no command 'apptainer' on this machine; "
            "load its module, or leave the field empty to run without a container"
        )
    if not Path(container).exists():
        raise StudyError(f"config.container = {container!r}: no such file")
    bodyscene = in_container(container, study, study_file, results)
    command = shlex.split(f"{bodyscene} check {shlex.quote(str(study_file))} --networks")
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise StudyError(f"in {container}: {answer.stderr.strip()}")


def _folders(study: Study, study_file: Path, results: Path) -> Iterator[Path]:
    """Yield the folders by the names that the study uses, and by those that links lead to."""
    for path in (study_file, results, *_paths(study.model_dump())):
        named = (working_directory() / path.expanduser()).absolute()
        if named.exists():
            for found in (named, named.resolve()):
                yield found if found.is_dir() else found.parent
    yield working_directory().absolute()
    yield working_directory().resolve()


def _paths(content: Any) -> Iterator[Path]:
    if isinstance(content, Path):
        yield content
    elif isinstance(content, dict | list | tuple):
        for each in content.values() if isinstance(content, dict) else content:
            yield from _paths(each)
