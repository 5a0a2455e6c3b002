"""The verbs of networks: what they see, training, scoring, and where they look.

They belong to the command line of `bodyscene.py` and, like it, import the room when a verb runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.command import (
    ALL_CORES,
    Cores,
    ResultsFolder,
    StudyFile,
    errors_in_words,
    say,
    stamp,
    step,
)

if TYPE_CHECKING:
    from study.config import Study

ModelName = Annotated[str | None, typer.Option("--model", help="only this model of the study")]
Seed = Annotated[int | None, typer.Option("--seed", help="only this seed of the model")]


def frames(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Cache what the networks see at their input size (`train` does it too where it is missing)."""
    with step("frames", study_file, results) as (study, folder):
        from models.network_frames import make_frames

        make_frames(study, folder)
        stamp(folder, "frames", folder.manifest)
        say(f"The networks' frames are in {folder.frames}")


def train(
    study_file: StudyFile,
    model: ModelName = None,
    seed: Seed = None,
    results: ResultsFolder = None,
) -> None:
    """Train the study's networks; a training that was stopped goes on where it stopped."""
    name = _named("train", model, seed)
    with step(name, study_file, results, by_several=True) as (study, folder):
        from models.train import train_model

        for name, number in _networks(study, model, seed):
            train_model(study, folder, name, number)
            stamp(folder, f"train-{name}-seed{number}", folder.checkpoint(name, number))
        say(f"The trained networks are in {folder.root / 'models'}")


def margins(study_file: StudyFile, results: ResultsFolder = None) -> None:
    """Measure how sure `trials.margin_model` is of every action, on the validation clips."""
    with step("margins", study_file, results) as (study, folder):
        import pandas as pd

        from models.score import score_margins
        from study.tables import write_table

        networks = _networks(study, study.trials.margin_model, None)
        found = [score_margins(study, folder, name, number) for name, number in networks]
        write_table("margins", pd.concat(found, ignore_index=True), folder.margins)
        stamp(folder, "margins", folder.margins)
        say(f"The margins are {folder.margins}")


def score(
    study_file: Annotated[
        Path | None, typer.Argument(metavar="[STUDY.toml]", help="the study file")
    ] = None,
    model: ModelName = None,
    seed: Seed = None,
    results: ResultsFolder = None,
    logits: Annotated[
        list[str] | None,
        typer.Option(help="an outside model's outputs, CONDITION=FILE (npz, csv, parquet); repeat"),
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(help="with --logits: CSV of category_index, action")
    ] = None,
    choices: Annotated[
        Path | None, typer.Option(help="with --logits: CSV of each action's choices")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="with --logits as tables: manifest.csv of their stimuli")
    ] = None,
    scale: Annotated[
        str, typer.Option(help="with --logits: probability, log or logit")
    ] = "probability",
    name: Annotated[str, typer.Option(help="with --logits: the model's name")] = "outside",
    out: Annotated[Path, typer.Option(help="with --logits: where to write the responses")] = Path(
        "outside"
    ),
) -> None:
    """Score the study's networks on all versions, or read out an outside model's --logits.

    With both a study and --logits, the outside model joins the study: its name must stand in
    scoring.outside, and its outputs be tables by stimulus_id.
    """
    if logits and study_file is None:
        with errors_in_words():
            _read_out_outside(logits, categories, choices, manifest, name, out, scale)
        return
    if study_file is None:
        raise typer.BadParameter("give a STUDY.toml, or --logits with --choices")
    if logits:
        with step(f"score {name}", study_file, results) as (study, folder):
            from models.external import bring_into_study

            path = bring_into_study(study, folder, name, _by_version(logits), scale, seed or 0)
            say(f"The responses are {path}; now run `bodyscene fit`")
        return
    with step(_named("score", model, seed), study_file, results) as (study, folder):
        from models.score import score_model

        for network, number in _networks(study, model, seed):
            score_model(study, folder, network, number)
            responses = folder.model_responses(network, number)
            stamp(folder, f"score-{network}-seed{number}", responses)
        say(f"The responses of the networks are in {folder.root / 'responses'}")


def saliency(
    study_file: StudyFile,
    model: ModelName = None,
    seed: Seed = None,
    results: ResultsFolder = None,
) -> None:
    """Measure where networks look: Grad-CAM, and its share inside the body, per version."""
    with step(_named("saliency", model, seed), study_file, results) as (study, folder):
        from models.saliency import write_saliency

        for network, number in _networks(study, model, seed, study.saliency.models):
            path = write_saliency(study, folder, network, number)
            stamp(folder, f"saliency-{network}-seed{number}", path)
        say(f"Where networks look is in {folder.root / 'saliency'}")


def noise(
    study_file: StudyFile,
    model: ModelName = None,
    seed: Seed = None,
    results: ResultsFolder = None,
    cores: Cores = ALL_CORES,
) -> None:
    """Spoil the masks of the test clips, make the versions anew, and score the networks on them."""
    with step(_named("noise", model, seed), study_file, results) as (study, folder):
        from models.noise import score_noise

        networks = _networks(study, model, seed, study.noise.models)
        curves = score_noise(study, folder, networks, cores)
        for (network, number), curve in zip(networks, curves, strict=True):
            stamp(folder, f"noise-{network}-seed{number}", curve)
        say(f"How networks do on spoiled masks is in {folder.noise}")


def features(
    study_file: StudyFile,
    model: ModelName = None,
    seed: Seed = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="STREAM.LAYER, * for anything; default the blocks of each backbone"),
    ] = None,
    results: ResultsFolder = None,
) -> None:
    """Write what the layers of networks put out for every test stimulus, as Parquet."""
    with step(_named("features", model, seed), study_file, results) as (study, folder):
        from models.features import write_features

        for network, number in _networks(study, model, seed):
            write_features(study, folder, network, number, layers or ())
        say(f"The features are in {folder.root / 'features'}")


def _named(step: str, model: str | None, seed: int | None) -> str:
    return " ".join([step, model or "", "" if seed is None else f"seed {seed}"]).strip()


def _networks(
    study: Study, model: str | None, seed: int | None, among: list[str] | None = None
) -> list[tuple[str, int]]:
    """Return the (model, seed) pairs that were asked for, by default those of all models."""
    from study.errors import StudyError

    default = [m for m in study.models if among is None or m.name in among]
    wanted = [study.model(model)] if model else default
    pairs = [(m.name, s) for m in wanted for s in m.seeds if seed is None or s == seed]
    if not pairs:
        seeds = {m.name: m.seeds for m in wanted}
        raise StudyError(f"no network with model = {model}, seed = {seed}; the study has {seeds}")
    return pairs


def _by_version(logits: list[str]) -> dict[str, Path]:
    """Return version -> file, of what was given as CONDITION=FILE."""
    from study.errors import StudyError

    files = dict(pair.split("=", 1) for pair in logits if "=" in pair)
    if len(files) < len(logits):
        raise StudyError(f"--logits expects CONDITION=FILE, once per condition, found {logits}")
    return {condition: Path(file) for condition, file in files.items()}


def _read_out_outside(
    logits: list[str],
    categories: Path | None,
    choices: Path | None,
    manifest: Path | None,
    name: str,
    out: Path,
    scale: str,
) -> None:
    import pandas as pd

    from models.external import import_outputs
    from study.errors import StudyError

    if choices is None:
        raise StudyError("--logits without a study expects --choices FILE")
    written = import_outputs(
        _by_version(logits),
        categories=categories,
        choices=choices,
        manifest=manifest,
        name=name,
        folder=out,
        scale=scale,
    )
    accuracy = pd.read_csv(written.accuracy)
    typer.echo(accuracy.to_string(index=False, float_format="{:.4f}".format))
    say(f"The responses are {written.responses}")


def add_model_commands(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (frames, train, margins, score, saliency, noise, features):
        app.command()(verb)
