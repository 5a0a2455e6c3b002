"""Who answered: observers and networks, how they are called and drawn, and what part they play."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from study.config import Study

OBSERVERS = {"human": "people", "simulated": "simulated observers"}
# The other way of reading a stream whose part the stimulus lacks, as the scorer names its rows.
READINGS = {"drop": "absent stream not read", "blank": "absent stream sees the blank"}
# Parts of names that are not written as they are.
WRITTEN = {"domainnet": "DomainNet"}
OBSERVER_COLOR = "#333333"
# Colour-blind safe (Okabe & Ito) and none of the colours of the versions.
MODEL_COLORS = ("#E69F00", "#CC79A7", "#56B4E9", "#A08000", "#8064A2", "#7F7F7F")
MODEL_MARKERS = ("s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Group:
    """One group of observers or the trainings of one network.

    Attributes
    ----------
    name : str
        As in the tables.
    label : str
        What a reader sees.
    role : {"observers", "model", "supplement"}
        Supplements appear in a table of their own: a network read in its other way, and simulated
        observers beside people.
    color, marker : str
        In every figure.
    """

    name: str
    label: str
    role: Literal["observers", "model", "supplement"]
    color: str
    marker: str

    @property
    def is_simulated(self) -> bool:
        """Whether no person and no network answered."""
        return self.name == "simulated"

    @property
    def unit(self) -> str:
        """What one "observer" of the group is."""
        return "observer" if self.name in OBSERVERS else "seed"


def groups_of(study: Study, present: Iterable[str]) -> list[Group]:
    """Return the groups that answered: observers first, then networks, then supplements.

    Parameters
    ----------
    study : Study
    present : iterable of str
        Names of groups in the responses; names unknown to the study are passed over.
    """
    names = set(present)
    observers = [name for name in OBSERVERS if name in names]
    found = [
        Group(name, OBSERVERS[name], "supplement" if place else "observers", OBSERVER_COLOR, "o")
        for place, name in enumerate(observers)
    ]
    networks = network_names(study)
    for place, network in enumerate(networks):
        color = MODEL_COLORS[place % len(MODEL_COLORS)]
        # The next round of colours has other marks: 36 networks look different.
        turn = place + place // len(MODEL_COLORS)
        marker = MODEL_MARKERS[turn % len(MODEL_MARKERS)]
        label = " ".join(WRITTEN.get(part, part) for part in network.split("_"))
        if network in names:
            found.append(Group(network, label, "model", color, marker))
        for reading, meaning in READINGS.items():
            name = f"{network}_{reading}"
            if name in names and name not in networks:
                found.append(Group(name, f"{label}, {meaning}", "supplement", color, marker))
    return sorted(found, key=lambda group: group.role == "supplement")


def label_of(name: str) -> str:
    """Return how a network is called in sentences and figures."""
    return " ".join(WRITTEN.get(part, part) for part in name.split("_"))


def known_groups(study: Study) -> list[str]:
    """Return every name of a group that this study may have."""
    observers = [name for name in OBSERVERS if name != "simulated" or study.observers.simulate]
    networks = network_names(study)
    readings = [f"{name}_{reading}" for name in networks for reading in READINGS]
    return [*observers, *networks, *readings]


def network_names(study: Study) -> list[str]:
    """Return the study's own networks, then those whose outputs were brought in."""
    return [*[model.name for model in study.models], *study.scoring.outside]
