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

from cluster.container import check_in_container
from cluster.failures import explain_failures
from cluster.profile import OwnFields, Profile, read_profile
from cluster.requests import check_requests, limits, states_memory
from cluster.sizes import JobSizes
from cluster.slurm import cancel, jobs_by_prefix, keeps_accounts, partitions
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
ASK_SO_OFTEN = 1000


def run_on_cluster(
    study: Study,
    study_file: Path,
    results: Results,
    profile_name: str,
    environment: Mapping[str, str],
) -> None:
    """Send every step that is missing or changed to the cluster, and wait for all.

    The caller holds the results folder. Jobs that a run of this folder left behind when it was
    killed are cancelled first.

    Raises
    ------
    StudyError
        Before anything is sent: when there is no SLURM, or it can never fulfil what the profile
        asks for. Afterwards: when steps failed; it says which, why, and which field to change.
    """
    profile = read_profile(profile_name)
    if profile.own.container:
        check_in_container(profile.own.container, study, study_file, results.root)
    else:
        check_packages(study)
        _check_networks(study)
    on_slurm = profile.executor == SLURM
    place = (_place_on_slurm if on_slurm else _place_elsewhere)(study, results, profile)
    events = results.workflow_events
    events.parent.mkdir(parents=True, exist_ok=True)
    events.unlink(missing_ok=True)
    if run_workflow(study_file, results, place, {EVENTS: str(events.resolve()), **environment}):
        raise StudyError(explain_failures(events, profile))


def _check_networks(study: Study) -> None:
    if study.models:
        from models.architectures import check_networks

        check_networks(study)


def _place_on_slurm(study: Study, results: Results, profile: Profile) -> Place:
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        raise StudyError(
            "this needs snakemake-executor-plugin-slurm, which is not installed: "
            'pip install -e ".[cluster]" -c constraints.txt'
        )
    cluster, sizes = partitions(), JobSizes.read(results.root)
    steps = steps_of(study, _n_shards(study, results, profile.own))
    with_memory = states_memory(profile, steps, cluster)
    if not with_memory:
        log.info("The nodes of this cluster do not say how much memory they have; no job asks.")
    check_requests(profile, steps, sizes, cluster, with_memory)
    name = prefix_of(results)
    cancel_leftovers(name)
    place = _place_elsewhere(study, results, profile)
    return Place(
        (*place.arguments, "--slurm-jobname-prefix", name, *_how_to_ask(profile)),
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
    """
    chosen = {
        "slurm-status-command": "sacct" if keeps_accounts() else "squeue",
        "slurm-status-attempts": str(ASK_SO_OFTEN),
    }
    missing = (pair for pair in chosen.items() if pair[0] not in profile.given)
    return [word for name, value in missing for word in (f"--{name}", value)]


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
