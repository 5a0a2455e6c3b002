"""A study on a cluster: its steps as SLURM jobs, sent by Snakemake's own executor."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path

from cluster.failures import explain_failures
from cluster.profile import OwnFields, Profile, read_profile
from cluster.requests import check_requests, limits, states_memory
from cluster.sizes import JobSizes
from cluster.slurm import cancel, jobs_by_prefix, keeps_accounts, partitions, remembers_s
from cluster.toolkit import check_toolkit
from stimuli.shards import count_clips
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.workflow import Place, check_packages, run_workflow
from study.workflow_log import EVENTS

log = logging.getLogger("bodyscene")

# Names the folder, on the nodes, to which frames are copied (see `models.staging`).
SCRATCH = "BODYSCENE_SCRATCH"
PATIENCE_S, PAUSE_S = 300.0, 2.0
SLURM = "slurm"
# While the controller is away: a day, at five seconds each.
ASK_SO_OFTEN, ASK_PER_S = 17_280, 0.2
# In a path, a shell or SLURM would read them as something else.
SPECIAL = set('$`"\\%\n')
# The executor waits up to 180 s between two looks at its jobs.
REMEMBER_S = 200


def run_on_cluster(
    study: Study,
    study_file: Path,
    results: Results,
    profile_name: str,
    environment: Mapping[str, str],
    cores: int | None = None,
    dry_run: bool = False,
) -> None:
    """Send every step that is missing or changed to the cluster, and wait for all.

    The caller holds the results folder. Jobs that a run of this folder left behind when it was
    killed are cancelled first.

    Parameters
    ----------
    study : Study
    study_file : Path
    results : Results
    profile_name : str
        See `cluster.profile.read_profile`.
    environment : mapping of str to str
        That the steps see besides the caller's own.
    cores : int, optional
        What was asked for of this machine: refused, as the profile says it.
    dry_run : bool
        Only check everything, and say how many jobs there are.

    Raises
    ------
    StudyError
        Before anything is sent: when there is no SLURM, or it can never fulfil what the profile
        asks for. Afterwards: when steps failed; it says which, why, and which field to change.
    """
    profile = read_profile(profile_name)
    if cores is not None:
        raise StudyError(
            f"--cores {cores} is of a run on this machine; with --profile it is "
            f"config.cores_per_job, or set-threads of a step, in {profile.file}"
        )
    if not profile.own.container:
        check_packages(study)
    check_toolkit(profile.own.container, study, study_file, results.root)
    on_slurm = profile.executor == SLURM
    if on_slurm:
        _check_paths(study_file, results.root)
    place = (_place_on_slurm if on_slurm else _place_elsewhere)(study, results, profile)
    if dry_run:
        run_workflow(study_file, results, place, environment, dry_run)
        return
    if on_slurm:
        cancel_leftovers(prefix_of(results))
    events = results.workflow_events
    events.parent.mkdir(parents=True, exist_ok=True)
    events.unlink(missing_ok=True)
    seen = {EVENTS: str(events.resolve()), **environment}
    try:
        failed = run_workflow(study_file, results, place, seen)
    except KeyboardInterrupt:
        if on_slurm:
            _cancel_rest(prefix_of(results))
        raise
    if failed:
        raise StudyError(explain_failures(events, profile))


def _cancel_rest(prefix: str) -> None:
    """Cancel what Snakemake has not: its list of jobs is empty while it asks how they are."""
    try:
        cancel(list(jobs_by_prefix(prefix)))
    except StudyError as error:
        log.warning(
            "Jobs of this run may go on: %s. A next run of this folder cancels them.", error
        )


def _check_paths(*paths: Path) -> None:
    for path in paths:
        if special := sorted(SPECIAL & set(str(path.resolve()))):
            raise StudyError(
                f"{path.resolve()}: a path that SLURM jobs work with must be without "
                f"{' '.join(map(repr, special))}; rename the folder or file"
            )


def _place_on_slurm(study: Study, results: Results, profile: Profile) -> Place:
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        raise StudyError(
            "this needs snakemake-executor-plugin-slurm, which is not installed: "
            'pip install -e ".[cluster]" -c constraints.txt'
        )
    cluster, sizes = partitions(), JobSizes.read(results.root)
    place = _place_elsewhere(study, results, profile)
    steps = steps_of(study, int(place.config["shards"]))
    with_memory = states_memory(profile, steps, cluster)
    if not with_memory:
        log.info("The nodes of this cluster do not say how much memory they have; no job asks.")
    check_requests(profile, steps, sizes, cluster, with_memory)
    return Place(
        (
            *place.arguments,
            *("--slurm-jobname-prefix", prefix_of(results)),
            *_how_to_ask(profile),
            *_once(profile),
        ),
        {
            **place.config,
            "memory": "asked" if with_memory else "none",
            "limits": json.dumps(limits(profile, steps, cluster)),
        },
        place.environment,
    )


def _how_to_ask(profile: Profile) -> list[str]:
    """Return how the executor learns how its jobs are, unless the profile says it.

    It would use sacct wherever that command exists, also where nothing is recorded; and forget its
    jobs, and wait for ever, after a few questions that a controller being restarted leaves open.

    Raises
    ------
    StudyError
        When SLURM forgets jobs before anybody has asked how they ended.
    """
    command = "sacct" if keeps_accounts() else "squeue"
    if command == "squeue" and remembers_s() < REMEMBER_S:
        raise StudyError(
            f"this SLURM forgets jobs {remembers_s():g} s after their end (MinJobAge) and keeps no "
            f"accounts (sacct); how a job ended can only be learnt with MinJobAge >= {REMEMBER_S}. "
            "Ask the cluster's administrators"
        )
    chosen = {
        "slurm-status-command": command,
        "slurm-status-attempts": str(ASK_SO_OFTEN),
        "max-status-checks-per-second": str(ASK_PER_S),
    }
    missing = (pair for pair in chosen.items() if pair[0] not in profile.given)
    return [word for name, value in missing for word in (f"--{name}", value)]


def _once(profile: Profile) -> list[str]:
    """Return how a job that SLURM lost fails, and so is sent anew: queued again, it may be held."""
    chosen = {"slurm-requeue", "slurm-no-requeue"} & profile.given
    return [] if chosen else ["--slurm-no-requeue"]


def _place_elsewhere(study: Study, results: Results, profile: Profile) -> Place:
    """Return the place that any executor shares, for instance a profile of another scheduler."""
    own = profile.own
    return Place(
        ("--workflow-profile", str(profile.file.parent), "--logger", "bodyscene"),
        {
            "cores": str(own.cores_per_job),
            "shards": str(_n_shards(study, results, own)),
            "container": own.container,
        },
        # Jobs start Python in the results folder, which has folders named like our packages.
        {"PYTHONSAFEPATH": "1", **({SCRATCH: own.scratch} if own.scratch else {})},
    )


def _n_shards(study: Study, results: Results, own: OwnFields) -> int:
    if not own.clips_per_shard:
        return 1
    return max(1, math.ceil(count_clips(study, results) / own.clips_per_shard))


def steps_of(study: Study, n_shards: int) -> list[str]:
    """Return the steps that a study runs, by the names that a profile uses."""
    with_yolo = study.masks.source == "yolo"
    steps = ["segment_shard" if with_yolo else "masks_shard", "versions_shard"]
    steps = [*(steps if n_shards > 1 else []), "stimuli", "review"]
    steps += ["audit"] if study.audit.run else []
    if study.models:
        steps += ["frames", "train", "score"]
        steps += ["margins"] if study.trials.actions == "margin" else []
        steps += ["saliency"] if study.saliency.run else []
        steps += ["noise"] if study.noise.run else []
    steps += ["plan", *(["simulate"] if study.observers.simulate else [])]
    return [*steps, "fit", "figures", "report"]


def prefix_of(results: Results) -> str:
    """Return what the names of the jobs of a results folder begin with."""
    path = str(results.root.resolve()).encode()
    return f"bodyscene-{hashlib.sha256(path).hexdigest()[:10]}"


def cancel_leftovers(prefix: str) -> None:
    """End the jobs of a run that was killed: they would write beside those that are sent now.

    Raises
    ------
    StudyError
        When they do not end.
    """
    left = jobs_by_prefix(prefix)
    if left:
        log.info("%d jobs of an earlier run, which was killed, are cancelled: %s",
                 len(left), ", ".join(left))  # fmt: skip
        cancel(list(left))
    deadline = time.monotonic() + PATIENCE_S
    while left := jobs_by_prefix(prefix):
        if time.monotonic() > deadline:
            raise StudyError(
                f"jobs of an earlier run do not end: {', '.join(left)}; cancel them (scancel), or "
                "ask the cluster's administrators, and repeat the command"
            )
        time.sleep(PAUSE_S)
