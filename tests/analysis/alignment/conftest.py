"""Answers of people and networks whose likeness is known, as a table of responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

CONDITIONS = ("body_background", "body_only", "background_only")


@dataclass(frozen=True)
class World:
    """How answers come about: eta = version + share of item's effect + own noise, then a coin.

    Attributes
    ----------
    n_people, n_items, n_actions : int
    latin : bool
        Whether every person sees an item in one version only.
    levels : mapping of str to sequence of float
        Per group: logit of being right in every version.
    share : mapping of str to float
        Per group: how much of its items' effects is people's (1: the same items are hard).
    seeds : mapping of str to int
        Networks and how many trainings they have.
    spread, seed_spread : float
        Standard deviation of items' effects and of observers' and trainings', logits.
    """

    n_people: int = 18
    n_items: int = 36
    n_actions: int = 12
    latin: bool = True
    levels: Mapping[str, Sequence[float]] | None = None
    share: Mapping[str, float] | None = None
    seeds: Mapping[str, int] | None = None
    spread: float = 1.0
    seed_spread: float = 0.3

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        """Draw items, observers and answers anew."""
        seeds = self.seeds or {"baseline": 3, "domainnet": 3}
        items = self.spread * rng.normal(size=(3, self.n_items))
        sides = {"human": self.n_people, **seeds}
        parts = []
        for group, n in sides.items():
            share = 1.0 if group == "human" else (self.share or {}).get(group, 0.5)
            own = self.spread * rng.normal(size=(3, self.n_items))
            effect = share * items + np.sqrt(1 - share**2) * own
            level = np.array((self.levels or {}).get(group, (1.5, 1.0, 0.5)))
            parts.append(self._rows(group, n, effect + level[:, None], rng))
        return pd.concat(parts, ignore_index=True)

    def _rows(self, group: str, n: int, eta: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
        c, o, i = np.indices((3, n, self.n_items)).reshape(3, -1)
        if group == "human" and self.latin:
            keep = (o + i) % 3 == c
            c, o, i = c[keep], o[keep], i[keep]
        own = self.seed_spread * rng.normal(size=n)
        right = rng.random(len(c)) < 1.0 / (1.0 + np.exp(-(eta[c, i] + own[o])))
        action = i % self.n_actions
        foil = rng.integers(1, 5, len(c))
        labels = [f"act{(a + k) % self.n_actions:02d}" for a, k in zip(action, foil, strict=True)]
        name = np.array([f"act{a:02d}" for a in action])
        clip = np.array([f"clip{k:03d}" for k in i])
        condition = np.array(CONDITIONS)[c]
        table = pd.DataFrame({"observer": [f"{group}-seed{k}" for k in o], "group": group})
        table["session"], table["trial"] = 1, np.arange(1, len(c) + 1)
        table["stimulus_id"] = [f"{x}-{y}" for x, y in zip(clip, condition, strict=True)]
        table["clip_id"], table["action"], table["condition"] = clip, name, condition
        offered = [[f"act{(a + k) % self.n_actions:02d}" for k in range(5)] for a in action]
        table["choices"] = ["|".join(row) for row in offered]
        table["response"] = np.where(right, name, labels)
        table["correct"] = right.astype(int)
        slow = 0.7 - 0.1 * eta[c, i] + rng.normal(0, 0.3, len(c))
        table["rt_s"] = np.exp(slow) if group == "human" else np.nan
        return table


@pytest.fixture(scope="session")
def world() -> type[World]:
    return World
