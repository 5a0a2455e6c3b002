# The whole study, from clips to report. `bodyscene run STUDY.toml` starts it in the results folder.
#
# steps/NAME.json       the settings that a step depends on; written anew only if they change
# steps/NAME.done.json  the hashes of the tables that a step made
#
# Steps follow each other by these small files alone. Snakemake removes the outputs of a step that
# it repeats or that fails; so it never touches stimuli, checkpoints or responses, which the
# commands keep up to date by themselves.

import shlex
from pathlib import Path

from cluster.sizes import JobSizes
from cluster.toolkit import toolkit
from study.config import load_study

STUDY = load_study(config["study"])
NETWORKS = [f"{model.name}-seed{seed}" for model in STUDY.models for seed in model.seeds]
BODYSCENE = toolkit(
    str(config.get("container") or ""), STUDY, Path(config["study"]), Path.cwd()
)
WHERE = f"{shlex.quote(config['study'])} --results ."
BY_MARGIN = STUDY.trials.actions == "margin"
# Of steps that use several; the same number wherever this file is read.
CORES = int(config["cores"])
OF_NETWORKS = min(STUDY.training.threads or CORES, CORES)
# On a cluster stimuli are made in so many jobs, each of which is repeated alone if it is lost.
SHARDS = int(config.get("shards", 1))
OF_SHARDS = f"of{SHARDS}"
SIZES = JobSizes.read(Path("."))
ASKS_FOR_MEMORY = config.get("memory", "asked") == "asked"
# Step -> the most minutes and MB that its partition gives: SLURM lets a job wait for ever that asks
# for more time. Snakemake passes what was given on its command line as words.
LIMITS = {
    step: {name: int(most) for name, most in of_step.items()}
    for step, of_step in (config.get("limits") or {}).items()
}


def asked_for(step, size, attempt, limit):
    """What a job asks for: more at every further attempt, up to what there is."""
    most = LIMITS.get(step, {}).get(limit)
    return attempt * size if most is None else min(attempt * size, most)


def memory(step):
    def mem_mb(wildcards, attempt, threads):
        if not ASKS_FOR_MEMORY:
            return 0
        size = SIZES.mem_mb(step, getattr(wildcards, "model", None), threads)
        return asked_for(step, size, attempt, "mem_mb")

    return mem_mb


def minutes(step):
    def runtime(wildcards, attempt, threads):
        model = getattr(wildcards, "model", None)
        size = SIZES.runtime_min(step, model, SHARDS, threads)
        return asked_for(step, size, attempt, "minutes")

    return runtime


def launcher(wildcards, resources, threads):
    """How one training is started on several GPUs or nodes, where a profile asks for it."""
    if not resources.get("mpi"):
        return ""
    nodes, per_node = resources.get("nodes", 1), resources.get("tasks_per_node")
    tasks = resources.get("tasks") or nodes * (per_node or 1)
    # srun takes none of these from the job by itself.
    shape = f"--nodes {nodes} --ntasks {tasks} --cpus-per-task {threads}"
    shape += f" --ntasks-per-node {per_node}" if per_node else ""
    return f"{resources.mpi} {shape} --kill-on-bad-exit=1 "


wildcard_constraints:
    model="[A-Za-z0-9_]+",
    seed="[0-9]+",
    shard="[0-9]+",


def seeds_of_margin_model(wildcards):
    model = STUDY.model(STUDY.trials.margin_model)
    return [f"steps/train-{model.name}-seed{seed}.done.json" for seed in model.seeds]


def stamps_of(step, section):
    """The stamps of a step that is done for some networks, where the study asks for it."""
    if not section.run:
        return []
    chosen = [m for m in STUDY.models if section.models is None or m.name in section.models]
    return [f"steps/{step}-{m.name}-seed{seed}.done.json" for m in chosen for seed in m.seeds]


rule all:
    input:
        "steps/report.done.json",
        "steps/review.done.json",


if SHARDS > 1:

    rule masks_shard:
        input:
            "steps/stimuli.json",
        output:
            f"steps/masks-{{shard}}{OF_SHARDS}.done.json",
        threads: CORES
        resources:
            mem_mb=memory("masks_shard"),
            runtime=minutes("masks_shard"),
        shell:
            "{BODYSCENE} stimuli {WHERE} --cores {threads}"
            " --stage masks --shard {wildcards.shard}/{SHARDS}"

    # The same, by a name of its own: it is what needs a GPU.
    if STUDY.masks.source == "yolo":

        ruleorder: segment_shard > masks_shard

        use rule masks_shard as segment_shard with:
            resources:
                mem_mb=memory("segment_shard"),
                runtime=minutes("segment_shard"),

    rule versions_shard:
        input:
            [f"steps/masks-{shard}{OF_SHARDS}.done.json" for shard in range(1, SHARDS + 1)],
            "steps/stimuli.json",
        output:
            f"steps/versions-{{shard}}{OF_SHARDS}.done.json",
        threads: CORES
        resources:
            mem_mb=memory("versions_shard"),
            runtime=minutes("versions_shard"),
        shell:
            "{BODYSCENE} stimuli {WHERE} --cores {threads}"
            " --stage versions --shard {wildcards.shard}/{SHARDS}"


rule stimuli:
    input:
        [f"steps/versions-{shard}{OF_SHARDS}.done.json" for shard in range(1, SHARDS + 1)]
        if SHARDS > 1
        else [],
        "steps/stimuli.json",
    output:
        "steps/stimuli.done.json",
    threads: CORES
    resources:
        mem_mb=memory("stimuli"),
        runtime=minutes("stimuli"),
    shell:
        "{BODYSCENE} stimuli {WHERE} --cores {threads}"


rule review:
    input:
        "steps/stimuli.done.json",
        "steps/review.json",
    output:
        "steps/review.done.json",
    threads: CORES
    resources:
        mem_mb=memory("review"),
        runtime=minutes("review"),
    shell:
        "{BODYSCENE} review {WHERE} --cores {threads}"


rule audit:
    input:
        "steps/stimuli.done.json",
        "steps/audit.json",
    output:
        "steps/audit.done.json",
    threads: CORES
    resources:
        mem_mb=memory("audit"),
        runtime=minutes("audit"),
    shell:
        "{BODYSCENE} audit {WHERE} --cores {threads}"


rule frames:
    input:
        "steps/stimuli.done.json",
        "steps/frames.json",
    output:
        "steps/frames.done.json",
    threads: CORES
    resources:
        mem_mb=memory("frames"),
        runtime=minutes("frames"),
    shell:
        "{BODYSCENE} frames {WHERE}"


rule train:
    input:
        "steps/frames.done.json",
        "steps/train-{model}.json",
    output:
        "steps/train-{model}-seed{seed}.done.json",
    threads: OF_NETWORKS
    resources:
        mem_mb=memory("train"),
        runtime=minutes("train"),
    params:
        launcher=launcher,
    shell:
        "{params.launcher}{BODYSCENE} train {WHERE}"
        " --model {wildcards.model} --seed {wildcards.seed}"


rule margins:
    input:
        seeds_of_margin_model if BY_MARGIN else [],
        "steps/plan.json",
    output:
        "steps/margins.done.json",
    resources:
        mem_mb=memory("margins"),
        runtime=minutes("margins"),
    shell:
        "{BODYSCENE} margins {WHERE}"


rule plan:
    input:
        "steps/stimuli.done.json",
        "steps/plan.json",
        "steps/margins.done.json" if BY_MARGIN else [],
    output:
        "steps/choices.done.json",
        "steps/plan.done.json",
    resources:
        mem_mb=memory("plan"),
        runtime=minutes("plan"),
    shell:
        "{BODYSCENE} plan {WHERE}"


rule score:
    input:
        "steps/train-{model}-seed{seed}.done.json",
        "steps/stimuli.done.json",
        "steps/choices.done.json",
        "steps/score-{model}.json",
    output:
        "steps/score-{model}-seed{seed}.done.json",
    threads: OF_NETWORKS
    resources:
        mem_mb=memory("score"),
        runtime=minutes("score"),
    shell:
        "{BODYSCENE} score {WHERE} --model {wildcards.model} --seed {wildcards.seed}"


rule saliency:
    input:
        "steps/train-{model}-seed{seed}.done.json",
        "steps/stimuli.done.json",
        "steps/saliency.json",
    output:
        "steps/saliency-{model}-seed{seed}.done.json",
    threads: OF_NETWORKS
    resources:
        mem_mb=memory("saliency"),
        runtime=minutes("saliency"),
    shell:
        "{BODYSCENE} saliency {WHERE} --model {wildcards.model} --seed {wildcards.seed}"


# One job for all networks: they are scored on the same spoiled stimuli.
rule noise:
    input:
        stamps_of("train", STUDY.noise),
        stamps_of("score", STUDY.noise),
        "steps/stimuli.done.json",
        "steps/choices.done.json",
        "steps/noise.json",
    output:
        stamps_of("noise", STUDY.noise),
    threads: CORES
    resources:
        mem_mb=memory("noise"),
        runtime=minutes("noise"),
    shell:
        "{BODYSCENE} noise {WHERE} --cores {threads}"


rule simulate:
    input:
        "steps/plan.done.json",
        "steps/simulate.json",
    output:
        "steps/simulate.done.json",
    resources:
        mem_mb=memory("simulate"),
        runtime=minutes("simulate"),
    shell:
        "{BODYSCENE} simulate {WHERE}"


rule fit:
    input:
        expand("steps/score-{network}.done.json", network=NETWORKS),
        "steps/simulate.done.json" if STUDY.observers.simulate else [],
        stamps_of("saliency", STUDY.saliency),
        stamps_of("noise", STUDY.noise),
        "steps/plan.done.json",
        "steps/fit.json",
    output:
        "steps/fit.done.json",
    resources:
        mem_mb=memory("fit"),
        runtime=minutes("fit"),
    shell:
        "{BODYSCENE} fit {WHERE}"


rule figures:
    input:
        "steps/fit.done.json",
        "steps/stimuli.done.json",
        "steps/audit.done.json" if STUDY.audit.run else [],
    output:
        "steps/figures.done.json",
    resources:
        mem_mb=memory("figures"),
        runtime=minutes("figures"),
    shell:
        "{BODYSCENE} figures {WHERE}"


rule report:
    input:
        "steps/figures.done.json",
        "steps/fit.done.json",
        "steps/audit.done.json" if STUDY.audit.run else [],
        "steps/report.json",
    output:
        "steps/report.done.json",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    shell:
        "{BODYSCENE} report {WHERE}"
