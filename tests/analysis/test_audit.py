"""The audit in words and as a figure: numbers are those of the tables, and the words fit them."""

from __future__ import annotations

import matplotlib
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis.audit import audit_sentences, has_audit, own_way, read_audit
from analysis.figures.audit import GROUPS, audit_figure
from analysis.figures.style import STYLE, save_figure
from analysis.sentences import NBSP
from study.conditions import CONDITIONS
from study.config import Study
from study.errors import StudyError
from study.results import Results

ACCURACY = """\
family,condition,hole,inpainting,picture,probe,n_clips,n_actions,n_folds,accuracy,ci_low,ci_high,chance,chance_permuted,p
version,body_background,,,body_background,plain,40,5,5,0.7,0.6,0.8,0.2,0.2,0.005
version,body_background,,,body_background,low-level,40,5,5,0.3,0.2,0.4,0.2,0.21,0.04
version,background_only,,,background_only,plain,40,5,5,0.55,0.45,0.65,0.2,0.2,0.005
version,,,,true background,plain,40,5,5,0.22,0.1,0.3,0.2,0.19,0.4
hole,background_only,union,,outline of the hole: union,outline,40,5,5,0.8,0.7,0.9,0.2,0.2,0.005
hole,background_only,union,,outside of the hole: union,plain,40,5,5,0.3,0.2,0.4,0.2,0.2,0.06
hiding,background_only,union,telea,"background only: union, telea",plain,40,5,5,0.55,0.45,0.65,0.2,0.2,0.005
hole,background_only,union,telea,"inside of the hole: union, telea",plain,40,5,5,0.6,0.5,0.7,0.2,0.2,
hiding,background_only,box,telea,"background only: box, telea",plain,38,5,5,0.4,0.3,0.5,0.2,0.2,0.005
body,body_only,,,rim of the body,color,40,5,5,0.41,0.3,0.5,0.2,0.2,0.005
body,body_only,,,next rim inwards,color,40,5,5,0.25,0.2,0.3,0.2,0.2,0.3
"""  # noqa: E501
DIFFERENCES = """\
meaning,condition,picture,reference,probe,n_clips,accuracy,reference_accuracy,difference,ci_low,ci_high,p
ghost of the body,background_only,background_only,true background,plain,40,0.55,0.22,0.33,0.2,0.45,0.0002
ghost of the body,background_only,background_only,outside of the hole: union,plain,40,0.55,0.3,0.25,0.1,0.4,0.01
ghost of the body,background_only,"background only: box, telea",true background,plain,38,0.4,0.22,0.18,0.1,0.3,0.03
scene inside the mask,body_only,rim of the body,next rim inwards,color,40,0.41,0.25,0.16,0.05,0.3,0.02
"""  # noqa: E501


def written(root: Results, accuracy: str = ACCURACY, differences: str = DIFFERENCES) -> Results:
    folder = root.audit
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accuracy.csv").write_text(accuracy)
    (folder / "differences.csv").write_text(differences)
    return root


@pytest.fixture
def study(study: Study) -> Study:
    """The prototype's way of hiding the person, of which the tables speak."""
    versions = study.versions.model_copy(update={"hole": "union", "inpainting": "telea"})
    return study.model_copy(update={"versions": versions})


@pytest.fixture
def audited(tmp_path) -> Results:
    return written(Results(tmp_path))


@pytest.fixture
def drawn(study: Study, audited: Results) -> tuple[Figure, pd.DataFrame]:
    return audit_figure(read_audit(audited, "accuracy"), own_way(study))


def said(study: Study, results: Results) -> str:
    return " ".join(audit_sentences(study, results)).replace(NBSP, " ")


def artist(figure: Figure, gid: str):
    found = figure.findobj(lambda drawn: drawn.get_gid() == gid)
    assert len(found) == 1, gid
    return found[0]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_the_ghost_is_measured_against_the_truth_where_it_is_known(study: Study, audited: Results):
    text = said(study, audited)
    assert "owes 33.0 points [20.0, 45.0; p < .001] to the ghost of the body" in text
    assert "the true background says 22.0 %" in text
    assert "25.0 points" not in text
    assert "70.0 % [60.0, 80.0] of the original clips" in text
    assert "40.0 % (box, telea) and 55.0 % (union, telea; this study)" in text
    assert "body only shows some of the scene (16.0 points [5.0, 30.0; p = .020])" in text


def test_on_real_clips_the_ghost_is_measured_against_the_outside(study: Study, audited: Results):
    real = "\n".join(line for line in DIFFERENCES.splitlines() if "true background" not in line)
    text = said(study, written(audited, differences=real))
    assert "owes 25.0 points [10.0, 40.0; p = .010]" in text
    assert "the outside of the hole says 30.0 %" in text


def test_what_is_not_proven_is_not_claimed(study: Study, audited: Results):
    unsure = DIFFERENCES.replace(",0.0002\n", ",0.2\n").replace("0.05,0.3,0.02", "-0.05,0.3,0.2")
    text = said(study, written(audited, differences=unsure))
    assert "No ghost of the body is proven" in text
    assert "no scene in body only is proven" in text


def test_the_bodys_absence_may_also_cost(study: Study, audited: Results):
    less = DIFFERENCES.replace("0.55,0.22,0.33,0.2,0.45,0.0002", "0.1,0.22,-0.12,-0.2,-0.05,0.01")
    text = said(study, written(audited, differences=less))
    assert "says less than the true background" in text
    assert "owes" not in text


def test_an_empty_audit_says_so(study: Study, audited: Results):
    empty = written(audited, ACCURACY.splitlines()[0] + "\n", DIFFERENCES.splitlines()[0] + "\n")
    assert audit_sentences(study, empty) == ["Nothing was audited: there are too few clips."]


def test_a_missing_or_strange_table_is_named(audited: Results, tmp_path):
    assert has_audit(audited)
    nothing = Results(tmp_path / "nothing")
    assert not has_audit(nothing)
    with pytest.raises(StudyError, match=r"accuracy\.csv: no such file; `bodyscene audit`"):
        read_audit(nothing, "accuracy")
    with pytest.raises(StudyError, match="lacks the column 'reference_accuracy'"):
        read_audit(written(audited, differences=ACCURACY), "differences")


def test_every_row_is_drawn_where_its_numbers_are(drawn: tuple[Figure, pd.DataFrame]):
    figure, data = drawn
    assert len(data) == len(ACCURACY.splitlines()) - 1
    assert set(data["heading"]) == {heading for heading, _ in GROUPS}
    for row in data.itertuples():
        dot = artist(figure, f"accuracy {row.Index}")
        assert dot.get_xdata() == pytest.approx([row.accuracy])
        assert dot.get_ydata() == pytest.approx([row.place])
        bar = artist(figure, f"interval {row.Index}").get_segments()[0]
        assert bar[:, 0] == pytest.approx([row.ci_low, row.ci_high])
        if row.condition:
            color = CONDITIONS[row.condition].color.lower()
            assert to_hex(dot.get_markeredgecolor()) == color
        assert (to_hex(dot.get_markerfacecolor()) == "#ffffff") == (not row.p < 0.05)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == data["label"].tolist()
    assert "union, telea *" in labels
    assert "box, telea" in labels
    assert artist(figure, "chance").get_xdata() == pytest.approx([0.2, 0.2])
    assert ".060" in texts(figure)


def test_rows_do_not_overlap(drawn: tuple[Figure, pd.DataFrame]):
    _, data = drawn
    assert data["place"].diff().dropna().min() >= 1


def test_the_figure_is_saved_the_same_twice(study: Study, audited: Results, tmp_path):
    contents = []
    for name in ("one", "two"):
        with matplotlib.rc_context(STYLE):
            figure, data = audit_figure(read_audit(audited, "accuracy"), own_way(study))
            paths = save_figure(figure, data, tmp_path / name, "audit")
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
