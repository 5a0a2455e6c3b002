"""Where things lie in a results folder: the one place that knows the names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Of people: several computers may write there, each into folders of its own.
SESSIONS = "sessions"


@dataclass(frozen=True)
class Results:
    """The paths of one study's results.

    Attributes
    ----------
    root : Path
        The results folder, by default ``results/STUDY_NAME``.
    """

    root: Path

    @property
    def study(self) -> Path:
        """The resolved study file: every field with the value that was used."""
        return self.root / "study.toml"

    @property
    def provenance(self) -> Path:
        """Seed, package versions, git commit and machine."""
        return self.root / "provenance.json"

    @property
    def log(self) -> Path:
        """What every command said, with times; the steps of a run say it in `step_log`."""
        return self.root / "bodyscene.log"

    def step_log(self, name: str) -> Path:
        """What one step of a run said: a file has one writer, on whichever machine it works."""
        return self.root / "logs" / f"{re.sub('[^A-Za-z0-9_]+', '-', name).strip('-')}.log"

    @property
    def workflow_events(self) -> Path:
        """What became of every job of the last run on a cluster."""
        return self.root / "logs" / "jobs.jsonl"

    def step(self, name: str) -> Path:
        """The settings that one step depends on; its time changes only when they do."""
        return self.root / "steps" / f"{name}.json"

    def stamp(self, name: str) -> Path:
        """Written when a step is done: the hashes of the tables that it made."""
        return self.root / "steps" / f"{name}.done.json"

    @property
    def sources(self) -> Path:
        """Rendered source clips of the synthetic world, with masks and clean backgrounds."""
        return self.root / "sources"

    @property
    def masks(self) -> Path:
        """A bit-packed person mask per clip, with its provenance."""
        return self.root / "masks"

    @property
    def clips(self) -> Path:
        """Every clip found, its split, and why it was left out."""
        return self.root / "clips.csv"

    @property
    def stimuli(self) -> Path:
        """The versions of the clips: ``stimuli/CONDITION/ACTION/CLIP.mp4``, and a sidecar each."""
        return self.root / "stimuli"

    @property
    def manifest(self) -> Path:
        """A row per version of a clip."""
        return self.root / "manifest.csv"

    @property
    def contact_sheets(self) -> Path:
        """One picture per action."""
        return self.root / "contact_sheets"

    @property
    def review(self) -> Path:
        """The page on which people look at every clip."""
        return self.root / "review"

    @property
    def audit(self) -> Path:
        """What simple probes can tell from each version."""
        return self.root / "audit"

    @property
    def choices(self) -> Path:
        """The fixed set of labels of every action."""
        return self.root / "choices.csv"

    @property
    def trials(self) -> Path:
        """The participants' lists."""
        return self.root / "trials.csv"

    @property
    def familiarisation(self) -> Path:
        """The stills that every participant sees first."""
        return self.root / "familiarisation.csv"

    @property
    def balance(self) -> Path:
        """How balanced the lists are, in words."""
        return self.root / "balance.txt"

    @property
    def frames(self) -> Path:
        """Frames of the stimuli at network size, memory-mapped."""
        return self.root / "frames"

    def model(self, name: str, seed: int) -> Path:
        """Checkpoints and learning curve of one trained network."""
        return self.root / "models" / name / f"seed-{seed}"

    def checkpoint(self, name: str, seed: int) -> Path:
        """The finished weights of one network."""
        return self.model(name, seed) / "final.safetensors"

    def learning_curve(self, name: str, seed: int) -> Path:
        """A row per epoch."""
        return self.model(name, seed) / "log.csv"

    def logits(self, name: str, seed: int) -> Path:
        """Clip-level class scores of one network, a row per stimulus and way of reading it."""
        return self.root / "logits" / f"{name}-seed{seed}.parquet"

    def scores(self, name: str, seed: int) -> Path:
        """How well one network does, by version: accuracies, calibration and so on."""
        return self.root / "scores" / f"{name}-seed{seed}.csv"

    def score_confusions(self, name: str, seed: int) -> Path:
        """What one network takes every action for, by version."""
        return self.root / "scores" / "confusions" / f"{name}-seed{seed}.csv"

    def reliability(self, name: str, seed: int) -> Path:
        """How often one network is right by how sure it is, by version."""
        return self.root / "scores" / "reliability" / f"{name}-seed{seed}.csv"

    def score_parts(self, name: str, seed: int) -> Path:
        """Scores of single versions, while a network is being scored."""
        return self.root / "logits" / f"{name}-seed{seed}.parts"

    def frame_logits(self, name: str, seed: int) -> Path:
        """Class scores of one network frame by frame, where the study file asks for them."""
        return self.root / "logits" / "frames" / f"{name}-seed{seed}.parquet"

    def frame_logit_parts(self, name: str, seed: int) -> Path:
        """Frame scores of single versions, while a network is being scored."""
        return self.root / "logits" / "frames" / f"{name}-seed{seed}.parts"

    def features(self, name: str, seed: int) -> Path:
        """What the layers of one network put out, a Parquet file per layer."""
        return self.root / "features" / f"{name}-seed{seed}"

    def saliency(self, name: str, seed: int) -> Path:
        """Where one network looks, by test clip and version."""
        return self.root / "saliency" / f"{name}-seed{seed}.csv"

    def saliency_pictures(self, name: str, seed: int) -> Path:
        """The frames and maps of the figure of where one network looks."""
        return self.root / "saliency" / f"{name}-seed{seed}.npz"

    @property
    def noise(self) -> Path:
        """Versions made of spoiled masks, and how networks do on them."""
        return self.root / "noise"

    def noise_level(self, kind: str, level: float) -> Results:
        """Return the results folder of one kind and level of noise: test clips, scored."""
        return Results(self.noise / f"{kind}-{level:g}")

    def noise_curve(self, name: str, seed: int) -> Path:
        """How well one network does at every kind and level of noise."""
        return self.noise / f"{name}-seed{seed}.csv"

    @property
    def margins(self) -> Path:
        """Margin of the right answer on the validation clips, per action and network."""
        return self.root / "margins.csv"

    def model_responses(self, name: str, seed: int) -> Path:
        """Response rows of one network."""
        return self.root / "responses" / f"{name}-seed{seed}.csv"

    @property
    def simulated_responses(self) -> Path:
        """Response rows of the simulated observers."""
        return self.root / "responses" / "simulated.csv"

    @property
    def analysis(self) -> Path:
        """Tables of estimates."""
        return self.root / "analysis"

    @property
    def power(self) -> Path:
        """Simulated studies: power by size, and whether the model keeps its promises."""
        return self.root / "power"

    @property
    def figures(self) -> Path:
        """Figures as PDF, SVG and PNG, each with its data."""
        return self.root / "figures"

    @property
    def report(self) -> Path:
        """The report: one HTML file that needs no other."""
        return self.root / "report.html"
