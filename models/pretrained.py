"""A public classifier as it is: nothing is trained, its own categories stand for the actions."""

from __future__ import annotations

import difflib
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd
import torch
from torch import Tensor, nn

from models.backbones import (
    Normalize,
    channel_statistics,
    check_reads,
    public_network,
    published,
    reads_clips,
)
from models.network import COMBINED, Network
from models.views import Reading
from models.weights import load_into, n_outputs, read_weights, without_prefixes
from study.errors import StudyError
from study.fields import Model
from study.model_files import HUGGING_FACE

COLUMNS = ["label", "action"]


class Pretrained(Network):
    """A classifier of torchvision, timm or Hugging Face with its published weights.

    It reads every version as it is, frames or clips of `frames_per_clip` frames. The score of an
    action is the logarithm of the summed probabilities of the categories that stand for it.

    Raises
    ------
    StudyError
        When weights or labels are missing or do not fit, see `action_of_label` and
        `positions_by_action`.
    """

    trained_on: ClassVar[tuple[Reading, ...]] = ({"whole": "body_background"},)

    def __init__(self, settings: Model, n_classes: int, image_size: int) -> None:
        super().__init__(settings, n_classes, image_size)
        name = settings.backbone
        parts = {
            "normalize": Normalize(*channel_statistics(name, settings.weights)),
            "backbone": _with_weights(settings, image_size, self.n_frames),
        }
        self.whole = nn.Sequential(OrderedDict(parts)).requires_grad_(False)
        n_categories = check_reads(self.whole, name, image_size, self.n_frames).shape[1]
        positions = positions_by_action(
            settings.labels, action_of_label(settings), categories_of(name, n_categories)
        )
        if len(positions) != n_classes:
            raise StudyError(
                f"{settings.labels}: labels of {len(positions)} actions, the study has {n_classes}"
            )
        index, absent = _as_table([positions[action] for action in sorted(positions)])
        self.register_buffer("positions", index, persistent=False)  # (n_classes, K)
        self.register_buffer("absent", absent, persistent=False)
        self.eval()

    @property
    def n_frames(self) -> int:
        """Frames that are read at once: one, or those of a network of clips."""
        return self.settings.frames_per_clip if reads_clips(self.settings.backbone) else 1

    @classmethod
    def check_classes(cls, settings: Model, classes: Sequence[str]) -> None:
        """Check that the labels stand for the actions of the study, all of them and no others."""
        named = set(action_of_label(settings).values())
        without = [action for action in classes if action not in named]
        if without:
            raise StudyError(
                f"{settings.labels}: no label stands for {_few(without)}; every action of the "
                "study needs one"
            )
        unknown = sorted(named - set(classes))
        if unknown:
            raise StudyError(
                f"{settings.labels}: {_few(unknown)} is no action of the study"
                f"{_close(unknown[0], classes)}"
            )

    def train(self, mode: bool = True) -> Pretrained:
        """Stay in evaluation mode: statistics of batches must not change."""
        return super().train(False)

    def readings(self, condition: str) -> dict[str, Reading]:
        """Say what the network sees on a version of a clip: that version."""
        return {"plain": {"whole": condition}}

    def forward(self, frames: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score frames: {"whole": (B, 3, S, S), or (B, T, 3, S, S)} to log-probabilities."""
        categories = self.whole(frames["whole"]).float().log_softmax(dim=1)  # (B, n_categories)
        by_action = categories[:, self.positions] + self.absent  # (B, n_classes, K)
        return {COMBINED: by_action.logsumexp(dim=2)}

    def pictures(self) -> dict[str, nn.Module]:
        return {"whole": self.whole} if self.n_frames == 1 else {}


def action_of_label(settings: Model) -> dict[str, str]:
    """Read `models.labels`: which of a network's categories stand for which action.

    Returns
    -------
    dict
        Label -> action.

    Raises
    ------
    StudyError
        When the file is missing, has other columns than label and action, an empty cell, or a label
        twice.
    """
    path = settings.labels
    if path is None or not path.is_file():
        raise StudyError(
            f"model {settings.name!r}: architecture = 'pretrained' needs labels, a CSV file of "
            f"label, action; found {'none' if path is None else f'no file {path}'}"
        )
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a CSV file: {error}") from error
    if list(table.columns) != COLUMNS:
        raise StudyError(f"{path}: expected the columns {COLUMNS}, found {list(table.columns)}")
    table = table.apply(lambda column: column.str.strip())
    empty = table.index[(table == "").any(axis=1)]
    if len(empty):
        raise StudyError(f"{path}, line {empty[0] + 2}: expected a label and an action")
    twice = table["label"][table["label"].duplicated()]
    if len(twice):
        raise StudyError(f"{path}: the label {twice.iloc[0]!r} is there twice")
    return dict(zip(table["label"], table["action"], strict=True))


def categories_of(name: str, n_categories: int) -> tuple[str, ...]:
    """Return the names of a network's categories; numbers from 0 where they are not known."""
    known = published(name).categories
    if len(known) == n_categories:
        return known
    return tuple(str(index) for index in range(n_categories))


def positions_by_action(
    path: Path | None, actions: dict[str, str], categories: Sequence[str]
) -> dict[str, list[int]]:
    """Place the labels among a network's categories.

    Parameters
    ----------
    path : Path
        Of the labels, for messages.
    actions : dict
        Label -> action; a label is a category's name, or its number from 0.
    categories : sequence of str

    Returns
    -------
    dict
        Action -> positions of its categories.

    Raises
    ------
    StudyError
        For a label that the network does not know (those that look alike are listed), that two
        categories have, or a category that is named twice.
    """
    n_named = Counter(categories)
    place = {category: index for index, category in enumerate(categories)}
    found: dict[str, list[int]] = {}
    for label, action in actions.items():
        if n_named[label] > 1:
            where = [index for index, category in enumerate(categories) if category == label]
            raise StudyError(f"{path}: {label!r} names the categories {where}; give their numbers")
        position = place.get(label)
        if position is None and label.isdecimal() and int(label) < len(categories):
            position = int(label)
        if position is None:
            raise StudyError(
                f"{path}: {label!r} is none of the network's {len(categories)} categories"
                f"{_close(label, categories)}"
            )
        if any(position in others for others in found.values()):
            raise StudyError(
                f"{path}: the category {categories[position]!r} ({position}) is there twice"
            )
        found.setdefault(action, []).append(position)
    return found


def _with_weights(settings: Model, image_size: int, n_frames: int) -> nn.Module:
    """Build the whole classifier and put its weights in."""
    name = settings.backbone
    if name.startswith(HUGGING_FACE):
        return public_network(name, image_size, n_frames, None, given=True).module
    built = public_network(name, image_size, n_frames, None, given=True)
    source = published(name).source
    if settings.weights is None:
        raise StudyError(
            f"model {settings.name!r}: architecture = 'pretrained' needs weights; the published "
            f"file of {name} is {source}"
        )
    found = without_prefixes(read_weights(settings.weights, source), built.module.state_dict())
    n_classes = n_outputs(found, built.heads[0]) if built.heads else None
    if n_classes is not None:
        # Weights of other categories than the published ones.
        built = public_network(name, image_size, n_frames, n_classes, given=True)
    load_into(built.module, settings.weights, built.heads[1:], source)
    return built.module


def _as_table(positions: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return positions as a table (n, K), and minus infinity where a row has fewer than K."""
    longest = max(len(row) for row in positions)
    index = torch.tensor([[*row, *[0] * (longest - len(row))] for row in positions])
    lengths = torch.tensor([len(row) for row in positions])
    absent = torch.arange(longest) >= lengths[:, None]
    return index, torch.zeros(index.shape).masked_fill(absent, -torch.inf)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(repr(name) for name in names[:3]) + more


def _close(name: str, options: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(options), n=3)
    return f"; did you mean {' or '.join(repr(each) for each in close)}?" if close else ""
