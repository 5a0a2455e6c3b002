"""What the assistant's commands do: find the study, seat a participant, measure the computer.

Several computers may share one results folder, so nothing here locks or sweeps it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from behavior.folders import check_id, journal_path, session_folder
from behavior.journal import read_journal
from behavior.pack import RESULTS, STUDY_FILE, SUMS, check_pack, open_pack, read_sums
from behavior.pages import read_texts
from behavior.replacements import list_of, replace_participant
from behavior.session import Outcome, hold_session
from study.config import Study, load_study
from study.errors import StudyError
from study.machine import machine_name
from study.results import Results
from study.tables import read_table

log = logging.getLogger("bodyscene")
PSYCHOPY_LOG, OWN_LOG, TIMING = "psychopy.log", "bodyscene.log", "timing"


class Ask(Protocol):
    """The participant dialog, see `behavior.window.ask_participant`."""

    def __call__(
        self, title: str, participant: str, known: Sequence[str], ask_for: Sequence[str]
    ) -> dict[str, str] | None: ...


def open_study(study_file: Path, folder: Path | None = None) -> tuple[Study, Results]:
    """Load a study file and say where its results are.

    Parameters
    ----------
    study_file : Path
    folder : Path, optional
        Default results/STUDY_NAME; of a pack for the lab computer, the results in it.

    Raises
    ------
    StudyError
        When the file is wrong, or there are no lists in the folder.
    """
    study = load_study(study_file)
    results = Results(folder or _usual_folder(study, study_file))
    if not results.trials.is_file():
        raise StudyError(
            f"{results.root}: no {results.trials.name}, the lists of the participants; expected "
            "the results folder (--results), or the study file of a pack that was unpacked"
        )
    return study, results


def _usual_folder(study: Study, study_file: Path) -> Path:
    beside = study_file.parent / RESULTS
    if (study_file.parent / SUMS).is_file():
        return beside
    return Path("results") / study.name


def seat_participant(
    study: Study,
    results: Results,
    participant: str | None = None,
    replaces: str | None = None,
    signs: Path | None = None,
) -> Outcome | None:
    """Hold a session in PsychoPy's window; None when the dialog was cancelled.

    Parameters
    ----------
    study : Study
    results : Results
    participant : str, optional
        Asked for in PsychoPy's dialog where it is not given.
    replaces : str, optional
        Whose list a new participant does.
    signs : Path, optional
        Tells a robot what is on the screen, see `behavior.window_signs`.

    Raises
    ------
    StudyError
        See `behavior.session.hold_session`; when PsychoPy is missing.
    """
    lists = sorted(set(read_table("trials", results.trials)["participant"]))
    if participant is not None:
        # Before PsychoPy is loaded, which takes some seconds.
        _check_known(results, participant, replaces, lists)
    from behavior.window import ask_participant, psychopy_stage

    told = _told(study, results, participant, lists, ask_participant)
    if told is None:
        return None
    participant = told.pop("participant")
    _check_known(results, participant, replaces, lists)
    if replaces is not None:
        replace_participant(results, participant, replaces, lists)
    folder = session_folder(results, participant)
    stage = psychopy_stage(
        study.session,
        read_texts(study.session.texts).words,
        _largest(results),
        log=folder / PSYCHOPY_LOG,
        signs=signs,
    )
    with _logged_to(folder / OWN_LOG):
        return hold_session(study, results, participant, stage, study.session, told=told)


def _check_known(
    results: Results, participant: str, replaces: str | None, lists: Sequence[str]
) -> None:
    if replaces is None:
        list_of(results, participant, lists)
    else:
        check_id(participant)
        list_of(results, replaces, lists)


def _told(
    study: Study, results: Results, participant: str | None, lists: Sequence[str], ask: Ask
) -> dict[str, str] | None:
    """Return the participant and what the study asks for; ask only what is not known yet."""
    asked_for = study.session.ask_for
    if participant is not None and (not asked_for or _has_begun(results, participant)):
        return {"participant": participant}
    answers = ask(study.title or study.name, participant or "", lists, asked_for)
    if answers is None:
        return None
    participant = answers["participant"]
    if check_id(participant) and _has_begun(results, participant):
        return {"participant": participant}
    return answers


def _has_begun(results: Results, participant: str) -> bool:
    return bool(read_journal(journal_path(results, participant)).events)


def _largest(results: Results) -> tuple[int, int]:
    """Return width and height of the stimuli, pixels: the largest of each."""
    manifest = read_table("manifest", results.manifest)
    return int(manifest["width"].max()), int(manifest["height"].max())


@contextlib.contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Write what is logged to a file, too, with the time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(file)
    try:
        yield
    except Exception:
        log.debug("the session ended with an error", exc_info=True)
        raise
    finally:
        log.removeHandler(file)
        file.close()


def measure_computer(
    study: Study, results: Results, folder: Path | None = None
) -> tuple[Path, str]:
    """Measure how well this computer keeps time; return the page and the verdict in words.

    Parameters
    ----------
    study : Study
    results : Results
    folder : Path, optional
        Where the page goes; default a folder of this computer in the results.
    """
    from behavior.timing_report import check_timing, timing_text
    from behavior.window import PsychoPyGlass

    where = folder or results.root / TIMING / machine_name()
    page, findings = check_timing(lambda: PsychoPyGlass(study.session), where, _largest(results))
    return page, timing_text(findings)


def receive_pack(source: Path, folder: Path | None) -> tuple[Path, int]:
    """Unpack a zip file into a new folder, or take a folder as it is; check every file.

    Returns
    -------
    Path
        The study file.
    int
        How many files there are.

    Raises
    ------
    StudyError
        When files are missing or altered, or it is no pack.
    """
    if source.is_dir():
        if folder is not None:
            raise StudyError(f"{source}: a folder is checked where it is; expected no second one")
        return source / STUDY_FILE, check_pack(source)
    if folder is None:
        raise StudyError(f"{source}: expected a new folder to unpack it into, found none")
    return open_pack(source, folder) / STUDY_FILE, len(read_sums(folder))
