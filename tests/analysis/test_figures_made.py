"""All figures of a study together: what is saved, how, and what is passed over."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.estimates import fit_study
from analysis.figures import FIGURES, make_figures
from analysis.figures.make import MAKERS
from analysis.figures.material import Material, gather
from analysis.figures.style import DOUBLE_MM, MM_PER_INCH, STYLE, save_figure
from analysis.groups import groups_of
from analysis.noise import noise_table
from analysis.reaction_times import reaction_time_tables
from analysis.responses import read_responses
from analysis.saliency import saliency_table
from study.config import Study
from study.files import write_text
from study.results import Results
from study.tables import read_table, write_table

Made = tuple[Study, Results]
KINDS = ("pdf", "svg", "png", "csv", "txt")
SMALLEST_POINTS, PAGE_MM = 6.0, 247.0
AUDIT = """\
family,condition,hole,inpainting,picture,probe,n_clips,n_actions,n_folds,accuracy,ci_low,ci_high,chance,chance_permuted,p
version,body_background,,,body_background,plain,40,5,5,0.7,0.6,0.8,0.2,0.2,0.005
"""
DIFFERENCES = """\
meaning,condition,picture,reference,probe,n_clips,accuracy,reference_accuracy,difference,ci_low,ci_high,p
"""
POWER = """\
target,label,n_participants,n_items,n_seeds,is_own,power,power_low,power_high,mean_width,n_simulations
a,body only - original,10,36,3,False,0.5,0.4,0.6,1.2,50
a,body only - original,20,36,3,True,0.9,0.8,0.95,0.8,50
"""
CALIBRATION = """\
target,label,method,n_participants,coverage,coverage_low,coverage_high,false_positive,false_positive_low,false_positive_high
a,body only - original,t,20,0.95,0.93,0.97,0.05,0.03,0.07
a,body only - original,z,20,0.93,0.91,0.95,0.07,0.05,0.09
"""


@pytest.fixture(scope="module")
def complete(study: Study, fitted: Results, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A copy of the results that has the material of every figure."""
    root = tmp_path_factory.mktemp("complete") / "results"
    shutil.copytree(fitted.root, root)
    results = Results(root)
    table = read_responses(study, results).table
    groups = groups_of(study, table["group"])
    tables = reaction_time_tables(table, groups, study.versions.conditions, 0.95)
    for name, content in tables.items():
        content.to_csv(results.analysis / f"{name}.csv", index=False)
    for folder, name, text in (
        ("audit", "accuracy.csv", AUDIT),
        ("audit", "differences.csv", DIFFERENCES),
        ("power", "power.csv", POWER),
        ("power", "power.txt", "Power is 90 %.\n"),
        ("power", "calibration.csv", CALIBRATION),
    ):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / name).write_text(text)
    for model in study.models:
        for seed in model.seeds:
            write_saliency(results, model.name, seed)
            write_noise(results, model.name, seed)
    for name, content in {
        "saliency": saliency_table(study, results),
        "noise": noise_table(study, results),
    }.items():
        content.to_csv(results.analysis / f"{name}.csv", index=False)
    return results


def write_saliency(results: Results, name: str, seed: int) -> None:
    """Where a fake network looks, as the measurement leaves it."""
    rng = np.random.default_rng([seed, 12])
    test = read_table("manifest", results.manifest).query("split == 'test'")
    rows = test[["condition", "clip_id", "action"]].assign(
        observer=f"{name}-seed{seed}", group=name, stream="whole", n_frames=4, body_share=0.1,
        share_in_body=rng.uniform(0.2, 0.6, len(test)), no_evidence=0.0,
    )  # fmt: skip
    results.saliency(name, seed).parent.mkdir(exist_ok=True)
    rows.to_csv(results.saliency(name, seed), index=False)
    shown = rows[rows["clip_id"].isin(rows["clip_id"].unique()[:2])]
    body = np.zeros((len(shown), 16, 16), bool)
    body[:, 6:12, 7:10] = True
    np.savez(
        results.saliency_pictures(name, seed),
        **{key: shown[key].to_numpy(str) for key in ("clip_id", "action", "condition", "stream")},
        frame=rng.integers(0, 255, (len(shown), 16, 16, 3), dtype=np.uint8),
        heat=rng.random((len(shown), 16, 16)).astype(np.float16),
        mask=body,
    )


def write_noise(results: Results, name: str, seed: int) -> None:
    """Answers to spoiled stimuli, of which those to the first version are wrong."""
    own = read_table("responses", results.model_responses(name, seed))
    wrong = own["condition"] == own["condition"].iloc[0]
    other = own["choices"].str.split("|").str[1]
    table = own.assign(response=own["action"].mask(wrong, other), correct=(~wrong).astype("int64"))
    folder = results.noise_level("flips", 0.1)
    write_table("responses", table, folder.model_responses(name, seed))
    write_text(results.noise_curve(name, seed), "")


@pytest.fixture(scope="module")
def material(study: Study, complete: Results) -> Material:
    return gather(study, complete)


@pytest.fixture(scope="module")
def drawn(material: Material) -> dict[str, tuple[Figure, str]]:
    with matplotlib.rc_context(STYLE):
        made = {name: make(material) for name, make in MAKERS.items()}
    return {name: (one.figure, one.legend) for name, one in made.items()}


def test_every_figure_is_saved_five_ways_and_the_same_twice(
    study: Study, complete: Results, tmp_path: Path
):
    own_size = matplotlib.rcParams["font.size"]
    paths = make_figures(study, complete)
    assert matplotlib.rcParams["font.size"] == own_size != STYLE["font.size"]
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in FIGURES for kind in KINDS}
    with matplotlib.rc_context(STYLE):
        for name in ("accuracy", "actions"):
            again = MAKERS[name](gather(study, complete))
            for path in save_figure(again.figure, again.data, tmp_path, name, again.legend):
                assert path.read_bytes() == (complete.figures / path.name).read_bytes(), path.name
    assert b"<image" in (complete.figures / "stimuli.svg").read_bytes()
    for name in FIGURES:
        pdf = (complete.figures / f"{name}.pdf").read_bytes()
        assert b"/FontFile2" in pdf, name  # TrueType, embedded
        assert b"/Type3" not in pdf, name


def test_no_letter_is_too_small_and_nothing_is_cut_off(drawn: dict[str, tuple[Figure, str]]):
    for name, (figure, _) in drawn.items():
        assert figure.get_figwidth() * MM_PER_INCH <= DOUBLE_MM + 0.1, name
        assert figure.get_figheight() * MM_PER_INCH <= PAGE_MM, name
        sizes = [text.get_fontsize() for text in figure.findobj(matplotlib.text.Text)]
        assert min(sizes) >= SMALLEST_POINTS, name
        if name not in ("stimuli", "saliency_maps"):
            # What is cut off leaves ink on the outermost pixels.
            assert edge_of(figure).min() == 255, name


def edge_of(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    sides = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.concatenate([side.ravel() for side in sides])


def test_legends_begin_with_a_title_and_say_who_answered(
    drawn: dict[str, tuple[Figure, str]], material: Material
):
    for name, (figure, legend) in drawn.items():
        title = legend.split(". ")[0]
        assert title[0].isupper(), name
        assert len(title) < 140, name
        assert legend.endswith("."), name
        shows = [group for group in material.groups if group.is_simulated]
        said = any("simulated: no person" in text.get_text() for text in figure.texts) or (
            figure._supxlabel is not None and "simulated" in figure._supxlabel.get_text()
        )
        assert said == ("no person took part" in legend), name
        without = {
            "stimuli",
            "learning_curves",
            "reliability",
            "saliency",
            "saliency_maps",
            "noise",
        }
        without |= {"audit", "power", "calibration"}
        assert said == (name not in without)
        assert shows


def test_what_is_missing_is_passed_over_and_old_figures_go(
    new_results: Callable[..., Made], caplog: pytest.LogCaptureFixture
):
    study, results = new_results(models=[])
    fit_study(study, results)
    save_figure(Figure(), pd.DataFrame(), results.figures, "pattern", "Old.")
    save_figure(Figure(), pd.DataFrame(), results.figures, "audit")
    with caplog.at_level("INFO", logger="bodyscene"):
        paths = make_figures(study, results)
    # Reaction times come where the fit writes them.
    found = {path.stem for path in paths} - {"reaction_times"}
    assert found == {"accuracy", "pattern_space", "actions", "confusions"}
    assert not list(results.figures.glob("pattern.*"))
    assert not list(results.figures.glob("audit.*"))
    assert "no figure stimuli: " in caplog.text
    assert "no figure ablation: an ablation needs two networks" in caplog.text


def test_one_network_with_one_seed_and_no_observers_has_figures(
    new_results: Callable[..., Made], tmp_path: Path
):
    network = {"name": "baseline", "architecture": "baseline", "seeds": [0]}
    study, results = new_results(models=[network], observers={"simulate": False})
    fit_study(study, results)
    names = {path.stem for path in make_figures(study, results)}
    expected = {"accuracy", "pattern_space", "actions", "confusions", "learning_curves"}
    expected |= {"reliability"}
    assert names == expected
    legend = (results.figures / "accuracy.txt").read_text(encoding="utf-8")
    assert "The baseline: original " in legend
    assert "simulated" not in legend


def test_a_network_from_elsewhere_is_drawn_beside_the_studys_own(
    study: Study, complete: Results, tmp_path: Path
):
    shutil.copytree(complete.root, tmp_path / "results")
    results = Results(tmp_path / "results")
    own = study.models[0]
    answers = read_table("responses", results.model_responses(own.name, own.seeds[0]))
    answers = answers.assign(group="elsewhere", observer="elsewhere-seed0")
    write_table("responses", answers, results.model_responses("elsewhere", 0))
    scoring = study.scoring.model_copy(update={"outside": ["elsewhere"]})
    study = study.model_copy(update={"scoring": scoring})
    fit_study(study, results)
    material = gather(study, results)
    assert "elsewhere" in [group.name for group in material.networks]
    with matplotlib.rc_context(STYLE):
        for make in MAKERS.values():
            make(material)


def test_saliency_says_what_the_maps_are_evidence_for(study: Study, complete: Results):
    saliency = study.saliency.model_copy(update={"target": "answer"})
    material = gather(study.model_copy(update={"saliency": saliency}), complete)
    with matplotlib.rc_context(STYLE):
        for name in ("saliency", "saliency_maps"):
            legend = MAKERS[name](material).legend
            assert "evidence for its own answer" in legend, name
            assert "right action" not in legend, name
