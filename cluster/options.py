"""What a user may say to `bodyscene plan-resources` about data and machines that are not here."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.gpus import GPUS
from study.errors import StudyError, check_one_of


@dataclass(frozen=True)
class PlanOptions:
    """What is asked for, and what replaces counts and measurements that cannot be made here.

    Attributes
    ----------
    minutes : float
        About how long the measurement may take.
    clips, frames_per_clip, actions : number, optional
        Of the whole data set; each replaces what is counted.
    clips_used : int, optional
        Clips that pass the selection and are made into versions; default as many as the study
        file lets pass if every clip is usable.
    gpu : str, optional
        A key of `cluster.gpus.GPUS`: plan segmentation and networks for it, from counted
        operations; default they are planned for what was measured on this machine.
    utilisation : float, optional
        Share of that GPU's peak that is reached; default as `cluster.gpus` assumes.
    segment_ms : float, optional
        Milliseconds per frame of the segmentation network, where you know them.
    clips_per_shard : int
        Clips of one job of `stimuli`; 0: all in one.
    cores_per_job : int
        Cores of a job of steps that work in several processes.
    measure_networks : bool
        Whether networks are run; without, only stimuli are measured.

    Raises
    ------
    StudyError
        For a number that is none, and an unknown GPU.
    """

    minutes: float = 2.0
    clips: int | None = None
    frames_per_clip: float | None = None
    actions: int | None = None
    clips_used: int | None = None
    gpu: str | None = None
    utilisation: float | None = None
    segment_ms: float | None = None
    clips_per_shard: int = 250
    cores_per_job: int = 4
    measure_networks: bool = True

    def __post_init__(self) -> None:
        for name in ("minutes", "clips", "frames_per_clip", "actions", "clips_used", "segment_ms"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise StudyError(f"--{name.replace('_', '-')} {value}: expected a number above 0")
        if self.cores_per_job < 1:
            raise StudyError(f"cores_per_job = {self.cores_per_job}: expected at least 1")
        if self.utilisation is not None and not 0 < self.utilisation <= 1:
            raise StudyError(f"--utilisation {self.utilisation}: expected above 0 and up to 1")
        if self.clips_per_shard < 0:
            raise StudyError(f"clips_per_shard = {self.clips_per_shard}: expected 0 or more")
        if self.gpu is not None:
            check_one_of("--gpu", self.gpu, GPUS)

    def share_of(self, gpu: str) -> float:
        """Return the share of a GPU's peak that is taken to be reached."""
        return GPUS[gpu].reached if self.utilisation is None else self.utilisation
