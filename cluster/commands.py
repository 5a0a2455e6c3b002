"""The verb of a cluster's own: what a study needs there.

It belongs to the command line of `bodyscene.py` and, like it, imports the room when it runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from study.command import ResultsFolder, StudyFile, say, step


def plan_resources(
    study_file: StudyFile,
    results: ResultsFolder = None,
    minutes: Annotated[float, typer.Option(help="about how long to measure")] = 2.0,
    clips: Annotated[
        int | None, typer.Option(help="of the data set, where it is not on this machine")
    ] = None,
    frames_per_clip: Annotated[float | None, typer.Option(help="likewise")] = None,
    actions: Annotated[int | None, typer.Option(help="likewise")] = None,
    clips_used: Annotated[
        int | None, typer.Option(help="clips that pass the selection; default all that may")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="plan for this GPU from its data sheet, for instance a100"),
    ] = None,
    utilisation: Annotated[
        float | None, typer.Option(help="with --gpu: the share of its peak that is reached")
    ] = None,
    segment_ms: Annotated[
        float | None, typer.Option(help="milliseconds per frame of finding people, if known")
    ] = None,
    profile: Annotated[
        str, typer.Option(help="the profile whose size of shards is planned for")
    ] = "slurm",
) -> None:
    """Measure a little of a study here, and say what all of it needs: hours, disk, files, jobs."""
    with step("plan-resources", study_file, results) as (study, folder):
        from cluster.costs import plan_resources as plan
        from cluster.options import PlanOptions
        from cluster.profile import read_profile

        own = read_profile(profile).own
        options = PlanOptions(
            minutes=minutes,
            clips=clips,
            frames_per_clip=frames_per_clip,
            actions=actions,
            clips_used=clips_used,
            gpu=gpu,
            utilisation=utilisation,
            segment_ms=segment_ms,
            clips_per_shard=own.clips_per_shard,
            cores_per_job=own.cores_per_job,
        )
        planned = plan(study, folder, options)
        typer.echo(planned.text())
        say(f"The sizes of jobs are in {planned.write(folder)}")


def add_cluster_commands(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(plan_resources)
