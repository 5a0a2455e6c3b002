"""What may not change between two halves of a session, and what did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from behavior.trial import Trial
from study.config import Study
from study.errors import StudyError
from study.fields.session import Session
from study.files import key_of

# Where things are shown and sent, not what a participant sees: another computer may differ.
MAY_CHANGE = ("session.display.screen", "session.assistant.", "session.texts", "session.trigger.")
# The list's own trials tell whether the plan is the same; other people's do not matter.
PLAN_ONLY = ("trials.n_participants", "trials.n_lists")
MAX_NAMED = 8

Frozen = dict[str, Any]


def frozen(
    study: Study,
    settings: Session,
    text_hashes: Mapping[str, str],
    trials: Sequence[Trial],
    stills: Sequence[tuple[str, str]],
    stimuli: pd.Series,
) -> Frozen:
    """Return everything that a session depends on, a value or a hash each.

    Parameters
    ----------
    study : Study
    settings : Session
    text_hashes : mapping of str to str
        By file name.
    trials : sequence of Trial
        The participant's list.
    stills : sequence of (action, stimulus_id)
        What familiarisation shows, in order.
    stimuli : Series of str
        SHA-256 by stimulus_id.
    """
    content: Frozen = {"study.seed": study.seed, "study.name": study.name}
    content |= _flat("trials", study.trials.model_dump(mode="json"))
    content |= _flat("session", settings.model_dump(mode="json"))
    content = {
        name: value
        for name, value in content.items()
        if not name.startswith(MAY_CHANGE) and name not in PLAN_ONLY
    }
    content |= {f"text {name}": value for name, value in text_hashes.items()}
    content |= frozen_trials(trials)
    content["familiarisation"] = key_of(list(stills))
    content |= {f"stimulus {name}": value for name, value in sorted(stimuli.items())}
    return content


def frozen_trials(trials: Sequence[Trial]) -> Frozen:
    """Return the part that tells which trials were shown: a hash each."""
    return {f"trial {t.session}.{t.trial} of the plan": _trial_key(t) for t in trials}


def check_unchanged(before: Frozen, now: Frozen) -> None:
    """Compare what a session began with and what it would go on with.

    Raises
    ------
    StudyError
        Names what changed, with the values before and now.
    """
    changes = []
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            changes.append(f"{name}: was {_said(before[name])}, is gone")
        elif name not in before:
            changes.append(f"{name}: was not there, is {_said(now[name])}")
        elif before[name] != now[name]:
            changes.append(f"{name}: was {_said(before[name])}, is {_said(now[name])}")
    if changes:
        more = len(changes) - MAX_NAMED
        raise StudyError(
            "this session was begun with other settings and cannot go on with these:\n  "
            + "\n  ".join(changes[:MAX_NAMED])
            + (f"\n  and {more} more" if more > 0 else "")
            + "\nPut them back as they were, or begin the list again with a replacement."
        )


def _trial_key(trial: Trial) -> str:
    # Who does the list is not part of the plan.
    return key_of({**asdict(trial), "participant": ""})


def _flat(prefix: str, content: Mapping[str, Any]) -> Frozen:
    flat: Frozen = {}
    for name, value in content.items():
        inner = f"{prefix}.{name}"
        flat |= _flat(inner, value) if isinstance(value, dict) else {inner: value}
    return flat


def _said(value: Any) -> str:
    """Return a value as a person reads it; of a hash the beginning is enough."""
    text = str(value)
    return text[:8] + "..." if _is_hash(text) else repr(value)


def _is_hash(text: str) -> bool:
    return len(text) in (16, 64) and set(text) <= set("0123456789abcdef")
