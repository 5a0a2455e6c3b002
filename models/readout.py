"""From class scores to answers: what a network chooses among the labels that people choose from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from study.errors import StudyError
from study.tables import choice_columns, responses_schema


def read_out(scores: np.ndarray, classes: list[str], choices: np.ndarray) -> np.ndarray:
    """Choose the label with the largest score in every row.

    Of labels with equal scores the one that comes first in the alphabet is chosen: the order of
    the choices would not do, since the right label stands first there.

    Parameters
    ----------
    scores : ndarray
        (N, C), larger is likelier.
    classes : list of str
        The C classes in the order of the columns.
    choices : ndarray of str
        (N, k) labels to choose from.

    Returns
    -------
    ndarray of str
        (N,) labels.

    Raises
    ------
    StudyError
        When a choice is not a class.
    """
    unknown = sorted(set(np.unique(choices)) - set(classes))
    if unknown:
        raise StudyError(
            f"choices: {str(unknown[0])!r} is not a class of the network; expected one of {classes}"
        )
    labels = np.sort(np.asarray(choices, dtype=object), axis=1)  # (N, k)
    column = {name: index for index, name in enumerate(classes)}
    columns = np.vectorize(column.__getitem__, otypes=[int])(labels)
    best = np.take_along_axis(scores, columns, axis=1).argmax(axis=1)  # (N,)
    return np.take_along_axis(labels, best[:, None], axis=1)[:, 0]


def response_rows(
    stimuli: pd.DataFrame,
    scores: np.ndarray,
    classes: list[str],
    choices: pd.DataFrame,
    observer: str,
    group: str,
) -> pd.DataFrame:
    """Write a network's answers as people's are written.

    Parameters
    ----------
    stimuli : DataFrame
        stimulus_id, clip_id, action, condition: a row per row of `scores`. Rows whose action is
        not in `choices` are left out.
    scores : ndarray
        (N, C).
    classes : list of str
        The C classes.
    choices : DataFrame
        See `study.tables.choices_schema`.
    observer, group : str
        Who answers, and the name in figures.

    Returns
    -------
    DataFrame
        See `study.tables.responses_schema`; trials are counted from 1 in the order of `stimuli`.
    """
    asked = stimuli["action"].isin(choices["action"]).to_numpy()
    shown = stimuli.loc[asked, ["stimulus_id", "clip_id", "action", "condition"]]
    labels = choices.set_index("action")[choice_columns(choices)]
    labels = labels.loc[shown["action"]].to_numpy(dtype=object)  # (N, k)
    response = read_out(scores[asked], classes, labels)
    rows = shown.reset_index(drop=True).assign(
        observer=observer,
        group=group,
        session=1,
        trial=np.arange(1, len(shown) + 1),
        choices=["|".join(row) for row in labels],
        response=response.astype(str) if len(shown) else [],
        rt_s=np.nan,
        time_utc="",
    )
    rows["correct"] = (rows["response"] == rows["action"]).astype("int64")
    return rows[list(responses_schema().columns)]
