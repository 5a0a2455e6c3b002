"""Figures: what is drawn is the data, what is said in them is true."""

from __future__ import annotations

import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis.estimates import read_estimates
from analysis.figures.accuracy import accuracy_figure
from analysis.figures.frames import read_frame
from analysis.figures.learning import learning_figure, read_learning_curves
from analysis.figures.pattern import pattern_figure
from analysis.figures.stimuli import example_stimuli, stimuli_figure
from analysis.groups import Group, groups_of
from study.conditions import CONDITIONS, MAIN_CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.results import Results
from study.tables import read_table


@pytest.fixture(scope="module")
def main(study: Study, fitted: Results) -> list[Group]:
    groups = groups_of(study, read_estimates(fitted, "accuracy")["group"])
    return [group for group in groups if group.role != "supplement"]


def artist(figure: Figure, gid: str):
    """The one artist of that name, in any panel."""
    found = figure.findobj(lambda drawn: drawn.get_gid() == gid)
    assert len(found) == 1, gid
    return found[0]


def texts(figure: Figure) -> str:
    found = figure.findobj(matplotlib.text.Text)
    return "\n".join(text.get_text() for text in found if text.get_visible())


def test_accuracy_draws_every_mean_interval_and_observer(fitted: Results, main: list[Group]):
    accuracy = read_estimates(fitted, "accuracy")
    by_observer = read_estimates(fitted, "accuracy_by_observer")
    figure, data = accuracy_figure(accuracy, by_observer, main, MAIN_CONDITIONS, 0.2)
    for row in accuracy[accuracy["group"] != "domainnet_drop"].itertuples():
        name = f"{row.group} {row.condition}"
        mean = artist(figure, f"mean {name}")
        assert mean.get_ydata() == pytest.approx([row.accuracy])
        assert to_hex(mean.get_markerfacecolor()) == CONDITIONS[row.condition].color.lower()
        bar = artist(figure, f"interval {name}").get_segments()[0]
        assert bar[:, 1] == pytest.approx([row.ci_low, row.ci_high])
        points = artist(figure, f"observers {name}").get_offsets()
        own = by_observer[
            (by_observer["group"] == row.group) & (by_observer["condition"] == row.condition)
        ]
        assert sorted(points[:, 1]) == pytest.approx(sorted(own["accuracy"]))
    assert set(data["kind"]) == {"mean", "observer"}
    assert (data["kind"] == "observer").sum() == (12 + 3 + 3) * 3
    assert "domainnet_drop" not in set(data["group"])


def test_groups_do_not_overlap(fitted: Results, main: list[Group]):
    tables = [read_estimates(fitted, name) for name in ("accuracy", "accuracy_by_observer")]
    figure, _ = accuracy_figure(*tables, main, MAIN_CONDITIONS, 0.2)
    ends = []
    for group in main:
        x = np.concatenate(
            [artist(figure, f"observers {group.name} {c}").get_offsets()[:, 0]
             for c in MAIN_CONDITIONS]
        )  # fmt: skip
        ends.append((x.min(), x.max()))
    assert all(left[1] < right[0] - 0.1 for left, right in itertools.pairwise(ends))


def test_chance_is_drawn_and_named_and_simulation_is_said(fitted: Results, main: list[Group]):
    tables = [read_estimates(fitted, name) for name in ("accuracy", "accuracy_by_observer")]
    figure, _ = accuracy_figure(*tables, main, MAIN_CONDITIONS, 0.25)
    assert artist(figure, "chance").get_ydata() == [0.25, 0.25]
    assert "chance, 25 %" in texts(figure)
    assert "simulated observers\n12 observers" in texts(figure)
    assert "Observers are simulated" in texts(figure)
    networks, _ = accuracy_figure(*tables, main[1:], MAIN_CONDITIONS, 0.25)
    assert "simulated" not in texts(networks)


def test_pattern_draws_lines_and_distances(fitted: Results, main: list[Group]):
    accuracy = read_estimates(fitted, "accuracy")
    distances = read_estimates(fitted, "pattern_distance")
    figure, data = pattern_figure(accuracy, distances, main, MAIN_CONDITIONS, 0.2)
    rows = accuracy.set_index(["group", "condition"])["accuracy"]
    lines = {line.get_label(): line for line in figure.axes[0].containers}
    for group in main:
        drawn = lines[group.label].lines[0]
        expected = [rows[group.name, condition] for condition in MAIN_CONDITIONS]
        assert drawn.get_ydata() == pytest.approx(expected)
        assert to_hex(drawn.get_color()) == group.color.lower()
    far = distances[distances["kind"] == "distance"].set_index("group")["value_pp"]
    for name in ("baseline", "domainnet"):
        assert artist(figure, f"distance {name}").get_xdata() == pytest.approx([far[name]])
    assert data["kind"].value_counts().to_dict() == {"accuracy": 9, "distance": 2}
    assert "Observers are simulated" in texts(figure)


def test_learning_curves_show_seeds_and_their_mean(study: Study, fitted: Results):
    curves = read_learning_curves(study, fitted)
    figure, data = learning_figure(curves, groups_of(study, curves["model"]), 1 / 12)
    means = figure.findobj(lambda drawn: drawn.get_gid() == "mean validation_body_only")
    assert len(means) == 2
    expected = curves[curves["model"] == "domainnet"].groupby("epoch")["validation_body_only"]
    assert means[1].get_ydata() == pytest.approx(expected.mean().to_numpy())
    assert to_hex(means[1].get_color()) == CONDITIONS["body_only"].color.lower()
    losses = figure.axes[0].lines
    assert len(losses) == 4  # three seeds and their mean
    assert "chance, 8.3 %" in texts(figure)
    assert len(data) == 60


def test_stimuli_show_the_middle_frame_of_test_clips(study: Study, fitted: Results):
    examples = example_stimuli(read_table("manifest", fitted.manifest))
    assert examples["split"].eq("test").all()
    assert examples["action"].unique().tolist() == ["archery", "evading", "hopping", "lifting"]
    clips = ["archery_001", "evading_002", "hopping_003", "lifting_001"]
    assert examples["clip_id"].unique().tolist() == clips
    assert examples["frame"].eq(2).all()
    figure, data = stimuli_figure(examples, fitted.root, study.versions.conditions)
    shown = artist(figure, "archery_001 body_only").get_array()
    path = fitted.stimuli / "body_only" / "archery" / "archery_001.mp4"
    assert np.array_equal(shown, read_frame(path, 2))
    # The disc moves by 20 pixels a frame: in frame 2 its middle is at 80.
    assert np.flatnonzero(shown[45].any(axis=1)).mean() == pytest.approx(80, abs=1)
    assert len(data) == 12


def test_frames_that_are_not_there_are_named(fitted: Results, tmp_path):
    path = fitted.stimuli / "body_only" / "archery" / "archery_001.mp4"
    with pytest.raises(StudyError, match=r"archery_001\.mp4: has no frame 7"):
        read_frame(path, 7)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StudyError, match=r"broken\.mp4: cannot be read as a video"):
        read_frame(broken, 0)
