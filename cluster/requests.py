"""What each step will ask SLURM for, compared with what the cluster has before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from cluster.profile import Profile
from cluster.sizes import JobSizes
from cluster.slurm import Device, Nodes, Partition, devices
from study.errors import StudyError

# Steps that use one CPU core, whatever `cores_per_job` says.
OF_ONE_CORE = ("margins", "plan", "simulate", "fit", "figures", "report")


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

        def check(partition: Partition, step: str = step) -> None:
            _check_time(profile, step, partition)
            _check_devices(profile, step, partition, cluster)
            _check_cpus(profile, step, partition)
            _check_memory_counts(profile, step, partition)
            if with_memory:
                _check_memory(profile, step, sizes, partition)

        _check_any(_partitions(profile, step, cluster), check)


def _check_any(possible: Sequence[Partition], check: Callable[[Partition], None]) -> None:
    """Raise what the first of several partitions lacks, where no other can do it either."""
    first: StudyError | None = None
    for partition in possible:
        try:
            check(partition)
        except StudyError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first


def states_memory(profile: Profile, steps: Sequence[str], cluster: Mapping[str, Partition]) -> bool:
    """Tell whether the partitions that are used say how much memory their nodes have.

    Those that do not (RealMemory is not configured) refuse every job that asks for memory.
    """
    return all(
        partition.states_memory
        for step in steps
        for partition in _partitions(profile, step, cluster)
    )


def limits(
    profile: Profile, steps: Sequence[str], cluster: Mapping[str, Partition]
) -> dict[str, dict[str, int]]:
    """Return the most minutes and MB that a job of each step can be given."""
    found: dict[str, dict[str, int]] = {}
    for step in steps:
        possible = _partitions(profile, step, cluster)
        found[step] = {"mem_mb": max(_most_mb(profile, step, each) for each in possible)}
        minutes = max(partition.max_minutes for partition in possible)
        if math.isfinite(minutes):
            found[step]["minutes"] = max(1, math.floor(minutes))
    return found


def _partitions(profile: Profile, step: str, cluster: Mapping[str, Partition]) -> list[Partition]:
    """Return where a step may run: SLURM takes the first of several that is free."""
    asked = profile.asks(step, "slurm_partition") or next(iter(cluster))
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
    return usable


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
        if not any(nodes.have(asked) for nodes in partition.nodes):
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
    count, kind = _count(profile, step, "gpu"), profile.asks(step, "gpu_model")
    if count or kind:
        nodes = _count(profile, step, "nodes") or 1
        on_a_node = -(-(count or 1) // nodes)
        asked.append(("gpu_model" if kind else "gpu", Device("gpu", str(kind or ""), on_a_node)))
    return asked


def _count(profile: Profile, step: str, resource: str) -> int:
    value = profile.asks(step, resource)
    if value is None or (isinstance(value, int) and value >= 0):
        return value or 0
    raise StudyError(f"{profile.field(step, resource)}: expected a whole number, found {value!r}")


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


def _check_memory_counts(profile: Profile, step: str, partition: Partition) -> None:
    if profile.mem_mb(step) and not partition.states_memory:
        raise StudyError(
            f"{profile.field(step, 'mem_mb')}: the nodes of partition {partition.name!r} do not "
            "say how much memory they have, and SLURM refuses whatever asks for some; remove the "
            "field"
        )


def _check_memory(profile: Profile, step: str, sizes: JobSizes, partition: Partition) -> None:
    asked = profile.mem_mb(step)
    if asked is None and not sizes.is_measured(step):
        # A guess is cut to what there is.
        return
    mem_mb = sizes.mem_mb(step, cores=_cpus(profile, step)) if asked is None else asked
    most = _most_mb(profile, step, partition)
    if mem_mb > most:
        raise StudyError(
            f"{profile.field(step, 'mem_mb')}: {step} asks for {mem_mb:g} MB"
            + ("" if asked is not None else " (as `bodyscene plan-resources` measured)")
            + f", but a node of partition {partition.name!r} that has the rest of what it asks "
            f"for has at most {most} MB"
        )


def _most_mb(profile: Profile, step: str, partition: Partition) -> int:
    """Return the memory of the largest node that has the CPU cores and devices of a step."""
    able = [nodes for nodes in partition.nodes if _can_run(nodes, profile, step)]
    return max(nodes.mem_mb for nodes in able or partition.nodes)


def _can_run(nodes: Nodes, profile: Profile, step: str) -> bool:
    return nodes.cpus >= _cpus(profile, step) and all(
        nodes.have(asked) for _, asked in _devices(profile, step)
    )


def _cpus(profile: Profile, step: str) -> int:
    usual = 1 if step in OF_ONE_CORE else profile.own.cores_per_job
    return profile.threads.get(step, usual)
