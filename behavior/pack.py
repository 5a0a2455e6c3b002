"""One folder, or one zip file, for a lab computer: study file, plan, texts, stimuli, hashes.

    PACK/README.txt, SHA256SUMS.txt, study.toml, texts/, results/ (plan, manifest, stimuli)

The lab computer works in that folder; `behavior.pack_return` brings its sessions back.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from behavior.pack_names import name_problem, portable_paths
from behavior.pages import BUILT_IN, read_texts
from study.config import Study, dump_study
from study.errors import StudyError
from study.files import PARTIAL_MARK, sha256_of, whole_file, write_text
from study.plan import check_plan
from study.progress import progress
from study.results import Results
from study.tables import read_table, write_table

log = logging.getLogger("bodyscene")
README, SUMS, STUDY_FILE = "README.txt", "SHA256SUMS.txt", "study.toml"
TEXTS, RESULTS = "texts", "results"
MAX_NAMED = 20
# Zip files begin to count in 1980; a fixed date keeps equal packs equal.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def pack(study: Study, results: Results, target: Path) -> Path:
    """Put what a lab computer needs into one folder, or into one file if `target` ends in .zip.

    Of the stimuli only those that somebody sees, as they are in the manifest. Paths that Windows
    or macOS refuse are renamed, in the manifest of the pack, too.

    Parameters
    ----------
    study : Study
    results : Results
        With plan, manifest and stimuli.
    target : Path
        Must not exist yet.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    StudyError
        When the plan is not balanced, stimuli are missing or altered (all are named), a still's
        name is refused by Windows, or `target` exists.
    """
    if target.exists():
        raise StudyError(f"{target}: exists already; remove it or give another name")
    check_plan(study, results)
    shown = _shown(results)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PARTIAL_MARK, dir=target.parent) as partial:
        folder = Path(partial) / "pack"
        _fill(study, results, shown, folder)
        if target.suffix.casefold() == ".zip":
            _zip(folder, target)
        else:
            folder.rename(target)
    return target


def open_pack(source: Path, folder: Path) -> Path:
    """Unpack a zip file into a new folder and check it; return the folder.

    Raises
    ------
    StudyError
        When it is no zip file of a pack, or files are missing or altered, see `check_pack`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StudyError(f"{folder}: not empty; give a new folder")
    try:
        with zipfile.ZipFile(source) as archive:
            wrong = [name for name in archive.namelist() if not _stays_inside(name)]
            if wrong:
                raise StudyError(f"{source}: refused, {wrong[0]!r} would leave the folder")
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise StudyError(f"{source}: cannot be unpacked: {error}") from error
    check_pack(folder)
    return folder


def check_pack(folder: Path) -> int:
    """Compare every file of a pack with its hash; return how many there are.

    Raises
    ------
    StudyError
        Names all files that are missing or altered.
    """
    sums = read_sums(folder)
    problems = []
    with progress("Checking the pack", len(sums), "files") as advance:
        for path, sha256 in sums.items():
            advance()
            if not (folder / path).is_file():
                problems.append(f"{path} (missing)")
            elif sha256_of(folder / path) != sha256:
                problems.append(f"{path} (altered)")
    if problems:
        raise StudyError(
            f"{folder}: {len(problems)} of {len(sums)} files are not as they were packed; copy the "
            f"pack again:\n  {_listed(problems)}"
        )
    return len(sums)


def read_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a pack by its path.

    Raises
    ------
    StudyError
        When the folder is no pack, or its list is damaged.
    """
    path = folder / SUMS
    if not path.is_file():
        raise StudyError(f"{folder}: no {SUMS}; expected a folder that `bodyscene pack` made")
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        sha256, mark, name = line.partition(" *")
        if not mark or len(sha256) != 64 or not _stays_inside(name):
            raise StudyError(f"{path}: line {number} is damaged; copy the pack again")
        sums[name] = sha256
    return sums


def _shown(results: Results) -> pd.DataFrame:
    """Return the manifest's rows of what somebody sees."""
    trials = read_table("trials", results.trials)
    stills = read_table("familiarisation", results.familiarisation)
    refused = [
        f"{n} ({why})" for n in sorted(set(stills["stimulus_id"])) if (why := name_problem(n))
    ]
    if refused:
        raise StudyError(
            "the stills of these stimuli could not be saved on Windows; rename their clips:\n  "
            + _listed(refused)
        )
    manifest = read_table("manifest", results.manifest)
    return manifest[manifest["stimulus_id"].isin({*trials["stimulus_id"], *stills["stimulus_id"]})]


def _fill(study: Study, results: Results, shown: pd.DataFrame, folder: Path) -> None:
    """Write everything into a new folder, the list of hashes last."""
    own = Results(folder / RESULTS)
    _copy_stimuli(results, shown, own)
    for path in (results.trials, results.choices, results.balance, results.familiarisation):
        _copy(path, own.root / path.name)
    texts = read_texts(study.session.texts)
    for name in texts.hashes:
        _copy((study.session.texts or BUILT_IN) / name, folder / TEXTS / name)
    session = study.session.model_copy(update={"texts": Path(TEXTS)})
    write_text(folder / STUDY_FILE, dump_study(study.model_copy(update={"session": session})))
    write_text(folder / README, _readme(study))
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    lines = [f"{sha256_of(folder / path)} *{path}\n" for path in files]
    write_text(folder / SUMS, "".join(lines))


def _copy_stimuli(results: Results, shown: pd.DataFrame, own: Results) -> None:
    """Copy the stimuli, under names that every computer takes, and write their manifest."""
    places, renamed = portable_paths(dict(zip(shown["path"], shown["sha256"], strict=True)))
    for line in renamed:
        log.warning("%s", line)
    problems = []
    with progress("Packing the stimuli", len(shown), "files") as advance:
        for row in shown.itertuples():
            advance()
            source, target = results.root / row.path, own.root / places[row.path]
            if not source.is_file():
                problems.append(f"{row.path} (missing)")
                continue
            _copy(source, target)
            # Of the copy: it is the one that people will see.
            if sha256_of(target) != row.sha256:
                problems.append(f"{row.path} (altered)")
    if problems:
        raise StudyError(
            f"{len(problems)} of {len(shown)} stimuli are not as they were made; make them again "
            f"with `bodyscene stimuli`:\n  {_listed(problems)}"
        )
    manifest = shown.assign(path=shown["path"].map(places)).reset_index(drop=True)
    write_table("manifest", manifest, own.manifest)


def _readme(study: Study) -> str:
    return (
        f"What the computer in the lab needs for the study {study.name!r}, and nothing else.\n"
        f"In this folder: bodyscene session {STUDY_FILE} --participant 01\n"
        f"When all is done, bring the whole folder back; {SUMS} tells whether a file was altered.\n"
    )


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as partial:
        shutil.copyfile(source, partial)


def _zip(folder: Path, target: Path) -> None:
    """Write a folder into a zip file; videos are compressed already, so they are only stored."""
    with whole_file(target) as partial, zipfile.ZipFile(partial, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_DATE)
                entry.external_attr = 0o644 << 16
                with path.open("rb") as content, archive.open(entry, "w") as stored:
                    shutil.copyfileobj(content, stored)


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name) and (
        os.fspath(path) != "."
    )


def _listed(lines: Sequence[str]) -> str:
    more = len(lines) - MAX_NAMED
    return "\n  ".join(lines[:MAX_NAMED]) + (f"\n  and {more} more" if more > 0 else "")
