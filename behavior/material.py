"""What a session is made of: list, texts, stimuli; all of it read before the session begins."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from behavior.flow import Step, session_steps
from behavior.frozen import Frozen, frozen
from behavior.pages import Texts, read_texts
from behavior.replacements import check_not_replaced, list_of
from behavior.stage import ClipToShow
from behavior.stimuli_shown import check_stimuli, clips_to_show, still_of
from behavior.trial import Trial, trials_of
from study.config import Study
from study.fields.session import Session
from study.results import Results
from study.tables import read_table


@dataclass(frozen=True)
class Material:
    """What a participant's session is made of.

    Attributes
    ----------
    results : Results
    participant, list_id : str
        Who does it, and whose list of the plan it is.
    settings : Session
    texts : Texts
    trials : list of Trial
        The whole list.
    stills : list of (action, stimulus_id)
        What familiarisation shows, in order.
    manifest : DataFrame
        Indexed by stimulus_id.
    frozen : dict
        What may not change until the session is done, see `behavior.frozen`.
    """

    results: Results
    participant: str
    list_id: str
    settings: Session
    texts: Texts
    trials: list[Trial]
    stills: list[tuple[str, str]]
    manifest: pd.DataFrame
    frozen: Frozen

    @property
    def _stimuli(self) -> list[str]:
        return [t.stimulus_id for t in self.trials] + [stimulus for _, stimulus in self.stills]

    def check_stimuli(self) -> None:
        """Refuse stimuli that are missing or altered, see `behavior.stimuli_shown`."""
        check_stimuli(self.results, self.manifest, self._stimuli)

    def steps(self) -> list[Step]:
        """Return the session's steps; makes the stills that are missing."""
        stills = [
            (action, still_of(self.results, self.manifest, stimulus))
            for action, stimulus in self.stills
        ]
        return session_steps(self.settings, self.texts, self.trials, stills)

    def clips(self) -> dict[str, ClipToShow]:
        """Return what a stage needs of each stimulus."""
        timing = self.settings.timing
        return clips_to_show(
            self.results, self.manifest, self._stimuli, timing.still_s, timing.most_s
        )


def gather(study: Study, results: Results, participant: str, settings: Session) -> Material:
    """Read plan, texts and manifest.

    Raises
    ------
    StudyError
        When one of them is missing or damaged, or the participant is not planned or replaced.
    """
    table = read_table("trials", results.trials)
    list_id = list_of(results, participant, sorted(set(table["participant"])))
    check_not_replaced(results, participant)
    trials = trials_of(table, participant, list_id)
    texts = read_texts(settings.texts)
    manifest = read_table("manifest", results.manifest).set_index("stimulus_id")
    is_shown = settings.flow.familiarisation and study.trials.familiarisation
    stills = _stills(results, list_id) if is_shown else []
    wanted = {t.stimulus_id for t in trials} | {stimulus for _, stimulus in stills}
    hashes = manifest["sha256"].reindex(sorted(wanted)).fillna("missing")
    fixed = frozen(study, settings, texts.hashes, trials, stills, hashes)
    return Material(results, participant, list_id, settings, texts, trials, stills, manifest, fixed)


def _stills(results: Results, list_id: str) -> list[tuple[str, str]]:
    """Return (action, stimulus_id) in the order in which the participant sees them."""
    table = read_table("familiarisation", results.familiarisation)
    own = table[table["participant"] == list_id].sort_values("place")
    return list(own[["action", "stimulus_id"]].itertuples(index=False, name=None))
