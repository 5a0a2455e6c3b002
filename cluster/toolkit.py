"""Which bodyscene the jobs run: that of this Python, or that of an Apptainer container."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.config import Study
from study.errors import StudyError
from study.own_code import working_directory


def toolkit(container: str, study: Study, study_file: Path, results: Path) -> str:
    """Return the command, for a shell, that runs bodyscene in a job.

    A container sees what Apptainer binds by itself (home, temporary folder), the results folder,
    and the folders of all files that the study names. GPUs are passed on where there are some.
    """
    if not container:
        # -P: results folders have folders named like our packages; Python must not look there.
        return f"{shlex.quote(sys.executable)} -P -m bodyscene"
    folders = sorted({str(folder) for folder in _folders(study, study_file, results)})
    return (
        f"apptainer exec --nv --bind {shlex.quote(','.join(folders))} {shlex.quote(container)} "
        "bodyscene"
    )


def check_toolkit(container: str, study: Study, study_file: Path, results: Path) -> None:
    """Let the toolkit of the jobs check the study and its networks, in a process of its own.

    So the coordinator, which stays for days, needs neither torch nor the memory that it takes.

    Raises
    ------
    StudyError
        When there is no Apptainer or no such image, and with what the check says.
    """
    if container and shutil.which("apptainer") is None:
        raise StudyError(
            f"config.container = {container!r}: there is no command 'apptainer' on this machine; "
            "load its module, or leave the field empty to run without a container"
        )
    if container and not Path(container).exists():
        raise StudyError(f"config.container = {container!r}: no such file")
    bodyscene = toolkit(container, study, study_file, results)
    command = shlex.split(f"{bodyscene} check {shlex.quote(str(study_file))} --networks")
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        where = f"in {container}: " if container else ""
        raise StudyError(where + answer.stderr.strip().removeprefix("error: "))


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
