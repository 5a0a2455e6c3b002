# The whole study, from clips to report. `bodyscene run STUDY.toml` starts it in the results folder.
#
# steps/NAME.json       the settings that a step depends on; written anew only if they change
# steps/NAME.done.json  the hashes of the tables that a step made
#
# Steps follow each other by these small files alone. Snakemake removes the outputs of a step that
# it repeats or that fails; so it never touches stimuli, checkpoints or responses, which the
# commands keep up to date by themselves.

import sys

from study.config import load_study

STUDY = load_study(config["study"])
NETWORKS = [f"{model.name}-seed{seed}" for model in STUDY.models for seed in model.seeds]
# -P: the results folder has folders named like our packages; Python must not look there.
BODYSCENE = f"{sys.executable} -P -m bodyscene"
WHERE = f"'{config['study']}' --results ."
BY_MARGIN = STUDY.trials.actions == "margin"


wildcard_constraints:
    model="[A-Za-z0-9_]+",
    seed="[0-9]+",


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


rule stimuli:
    input:
        "steps/stimuli.json",
    output:
        "steps/stimuli.done.json",
    threads: workflow.cores
    shell:
        "{BODYSCENE} stimuli {WHERE} --cores {threads}"


rule review:
    input:
        "steps/stimuli.done.json",
        "steps/review.json",
    output:
        "steps/review.done.json",
    threads: workflow.cores
    shell:
        "{BODYSCENE} review {WHERE} --cores {threads}"


rule audit:
    input:
        "steps/stimuli.done.json",
        "steps/audit.json",
    output:
        "steps/audit.done.json",
    threads: workflow.cores
    shell:
        "{BODYSCENE} audit {WHERE} --cores {threads}"


rule frames:
    input:
        "steps/stimuli.done.json",
        "steps/frames.json",
    output:
        "steps/frames.done.json",
    threads: workflow.cores
    shell:
        "{BODYSCENE} frames {WHERE}"


rule train:
    input:
        "steps/frames.done.json",
        "steps/train-{model}.json",
    output:
        "steps/train-{model}-seed{seed}.done.json",
    threads: min(STUDY.training.threads or workflow.cores, workflow.cores)
    shell:
        "{BODYSCENE} train {WHERE} --model {wildcards.model} --seed {wildcards.seed}"


rule margins:
    input:
        seeds_of_margin_model if BY_MARGIN else [],
        "steps/plan.json",
    output:
        "steps/margins.done.json",
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
    threads: min(STUDY.training.threads or workflow.cores, workflow.cores)
    shell:
        "{BODYSCENE} score {WHERE} --model {wildcards.model} --seed {wildcards.seed}"


rule saliency:
    input:
        "steps/train-{model}-seed{seed}.done.json",
        "steps/stimuli.done.json",
        "steps/saliency.json",
    output:
        "steps/saliency-{model}-seed{seed}.done.json",
    threads: min(STUDY.training.threads or workflow.cores, workflow.cores)
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
    threads: workflow.cores
    shell:
        "{BODYSCENE} noise {WHERE} --cores {threads}"


rule simulate:
    input:
        "steps/plan.done.json",
        "steps/simulate.json",
    output:
        "steps/simulate.done.json",
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
    shell:
        "{BODYSCENE} fit {WHERE}"


rule figures:
    input:
        "steps/fit.done.json",
        "steps/stimuli.done.json",
        "steps/audit.done.json" if STUDY.audit.run else [],
    output:
        "steps/figures.done.json",
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
    shell:
        "{BODYSCENE} report {WHERE}"
