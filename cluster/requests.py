"""What each step will ask SLURM for, compared with what the cluster has before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cluster.profile import Profile
from cluster.sizes import JobSizes
from cluster.slurm import Device, Partition, devices
from study.errors import StudyError


def check_requests(
    profile: Profile,
    steps: Sequence[str],
    sizes: JobSizes,
    cluster: Mapping[str, Partition],
    with_memory: bool,
) -> None:
    """Raise for the first request that the cluster can never fulfil.

    Parameters
    ----------
    profile : Profile
    steps : sequence of str
        That the study will run.
    sizes : JobSizes
        Memory and time of steps for which the profile names none.
    cluster : mapping of str to Partition
        See `cluster.slurm.partitions`.
    with_memory : bool
        Whether memory is asked for at all (see `states_memory`).

    Raises
    ------
    StudyError
        Names the field of the profile, what it asks for, and what there is.
    """
    for step in steps:
        partition = _partition(profile, step, cluster)
        _check_time(profile, step, partition)
        _check_devices(profile, step, partition, cluster)
        _check_cpus(profile, step, partition)
        if with_memory:
            _check_memory(profile, step, sizes, partition)


def states_memory(profile: Profile, steps: Sequence[str], cluster: Mapping[str, Partition]) -> bool:
    """Tell whether the partitions that are used say how much memory their nodes have.

    Those that do not (RealMemory is not configured) refuse every job that asks for memory.
    """
    return all(_partition(profile, step, cluster).states_memory for step in steps)


def limits(
    profile: Profile, steps: Sequence[str], cluster: Mapping[str, Partition]
) -> dict[str, dict[str, int]]:
    """Return the most minutes and MB that a job of each step can be given."""
    found: dict[str, dict[str, int]] = {}
    for step in steps:
        partition = _partition(profile, step, cluster)
        found[step] = {"mem_mb": max(node.mem_mb for node in partition.nodes)}
        if math.isfinite(partition.max_minutes):
            found[step]["minutes"] = math.floor(partition.max_minutes)
    return found


def _partition(profile: Profile, step: str, cluster: Mapping[str, Partition]) -> Partition:
    asked = profile.asks(step, "slurm_partition")
    if asked is None:
        return next(iter(cluster.values()))
    # SLURM takes the first of several that is free; what all have in common is not looked at.
    names = str(asked).split(",")
    unknown = [name for name in names if name not in cluster]
    if unknown:
        raise StudyError(
            f"{profile.field(step, 'slurm_partition')}: no partition {unknown[0]!r} on this "
            f"cluster; it has {', '.join(cluster)}"
        )
    usable = [cluster[name] for name in names if cluster[name].is_up]
    if not usable:
        raise StudyError(
            f"{profile.field(step, 'slurm_partition')}: partition {asked!r} takes no jobs now "
            f"(it is not up); there are {_those_up(cluster)}"
        )
    return usable[0]


def _those_up(cluster: Mapping[str, Partition]) -> str:
    return ", ".join(name for name, each in cluster.items() if each.is_up) or "no others"


def _check_time(profile: Profile, step: str, partition: Partition) -> None:
    # Times that the profile does not say are cut to what there is.
    minutes = profile.minutes(step)
    if minutes is not None and minutes > partition.max_minutes:
        raise StudyError(
            f"{profile.field(step, 'runtime')}: {step} asks for {minutes:g} minutes, but partition "
            f"{partition.name!r} allows {partition.max_minutes:g}. Ask for less there (training "
            "goes on in a further job where it stopped), or name another partition in "
            f"{profile.field(step, 'slurm_partition')}"
        )


def _check_devices(
    profile: Profile, step: str, partition: Partition, cluster: Mapping[str, Partition]
) -> None:
    for resource, asked in _devices(profile, step):
        if not any(device.serves(asked) for device in _all_devices(partition)):
            elsewhere = {
                name: sorted({str(device) for device in _all_devices(other)})
                for name, other in cluster.items()
                if _all_devices(other)
            }
            found = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in elsewhere.items())
            raise StudyError(
                f"{profile.field(step, resource)}: no node of partition {partition.name!r} has "
                f"{asked}. This cluster has {found or 'no such devices at all'}. Change it, name "
                f"another partition in {profile.field(step, 'slurm_partition')}, or remove the "
                "field to run the step on CPUs"
            )


def _devices(profile: Profile, step: str) -> list[tuple[str, Device]]:
    """Return (field, devices on a node) that a step asks for."""
    asked = [("gres", device) for device in devices(str(profile.asks(step, "gres") or ""))]
    count, kind = profile.asks(step, "gpu"), profile.asks(step, "gpu_model")
    if count or kind:
        nodes = int(profile.asks(step, "nodes") or 1)
        on_a_node = -(-int(count or 1) // nodes)
        asked.append(("gpu_model" if kind else "gpu", Device("gpu", str(kind or ""), on_a_node)))
    return asked


def _all_devices(partition: Partition) -> list[Device]:
    return [device for node in partition.nodes for device in node.devices]


def _check_cpus(profile: Profile, step: str, partition: Partition) -> None:
    cpus = _cpus(profile, step)
    most = max(node.cpus for node in partition.nodes)
    if cpus > most:
        field = f"set-threads.{step}" if step in profile.threads else "config.cores_per_job"
        raise StudyError(
            f"{field} in {profile.file}: {step} asks for {cpus} CPU cores, but a node of "
            f"partition {partition.name!r} has at most {most}"
        )


def _check_memory(profile: Profile, step: str, sizes: JobSizes, partition: Partition) -> None:
    asked = profile.mem_mb(step)
    if asked is None and not sizes.is_measured(step):
        # A guess is cut to what there is.
        return
    mem_mb = sizes.mem_mb(step, cores=_cpus(profile, step)) if asked is None else asked
    most = max(node.mem_mb for node in partition.nodes)
    if mem_mb > most:
        raise StudyError(
            f"{profile.field(step, 'mem_mb')}: {step} asks for {mem_mb:g} MB"
            + ("" if asked is not None else " (as `bodyscene plan-resources` measured)")
            + f", but a node of partition {partition.name!r} has at most {most} MB"
        )


def _cpus(profile: Profile, step: str) -> int:
    return profile.threads.get(step, profile.own.cores_per_job)
