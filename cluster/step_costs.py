"""What one step of a study costs, and how a whole study's time follows from its steps'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cluster.sizes import speed_of

Basis = Literal["measured", "assumed"]

# Steps that wait for those before them; what stands together may run together.
STAGES: tuple[tuple[str, ...], ...] = (
    ("masks_shard", "segment_shard"),
    ("versions_shard",),
    ("stimuli",),
    ("frames", "review", "audit"),
    ("train",),
    ("margins", "plan"),
    ("score", "saliency", "simulate"),
    ("noise",),
    ("fit",),
    ("figures",),
    ("report",),
)


@dataclass(frozen=True)
class StepCost:
    """What one step costs, all its jobs together; of train, score and saliency one model's.

    Attributes
    ----------
    step : str
        As in the Snakefile.
    jobs : int
    work_s : float
        Seconds of work, all jobs together: of one core where the step works in processes, else of
        a job's cores together (or of its GPU).
    start_s : float
        Seconds of a job before it works.
    memory_mb, process_mb : float
        Most memory of a job with one process, and of every further one (0: there is one).
    basis : str
        Whether the time was measured, or follows from assumptions that the plan states.
    model : str, optional
    on_gpu : bool
    cores : int
    kept_bytes, passing_bytes, files : float
        What is on the disk afterwards; what is there besides while all jobs run.
    gpu_mb : float
        Memory of the GPU.
    alone_s : float
        Of `stimuli`: seconds in addition where there are no shards.
    """

    step: str
    jobs: int
    work_s: float
    start_s: float
    memory_mb: float
    basis: Basis
    process_mb: float = 0.0
    model: str | None = None
    on_gpu: bool = False
    cores: int = 1
    kept_bytes: float = 0.0
    passing_bytes: float = 0.0
    files: float = 0.0
    gpu_mb: float = 0.0
    alone_s: float = 0.0

    @property
    def job_s(self) -> float:
        """Seconds of one job."""
        in_processes = self.process_mb > 0 and not self.on_gpu
        speed = speed_of(self.cores) if in_processes else 1.0
        return self.start_s + self.work_s / self.jobs / speed

    @property
    def job_mb(self) -> float:
        """Memory of one job, MB."""
        return self.memory_mb + (self.cores - 1) * self.process_mb

    @property
    def gpu_hours(self) -> float:
        """Of all jobs."""
        return self.jobs * self.job_s / 3600 if self.on_gpu else 0.0

    @property
    def core_hours(self) -> float:
        """Of all jobs."""
        return self.jobs * self.job_s * self.cores / 3600

    def as_json(self) -> dict[str, Any]:
        """Return plain data, times to the millisecond and memory to the MB."""
        content = asdict(self)
        for name, value in content.items():
            if isinstance(value, float):
                content[name] = round(value, 3 if name.endswith("_s") else 0)
        return content


def wall_hours(steps: Sequence[StepCost], slots: int) -> float:
    """Return how long a study takes at least if so many jobs run at once.

    Stage after stage; each takes as long as its longest job, or as all its jobs together shared
    out over the slots, whichever is longer (Graham, 1969, SIAM J. Appl. Math. 17:416: the best
    schedule is at most about twice as good as any that leaves no slot idle). Waiting in the queue
    is not in it.
    """
    total = 0.0
    for stage in STAGES:
        own = [each for each in steps if each.step in stage]
        if own:
            shared = sum(each.jobs * each.job_s for each in own) / slots
            total += max(shared, max(each.job_s for each in own))
    return total / 3600
