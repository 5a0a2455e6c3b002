"""All alignment tables of a study: what is in them, what is left out, and that it is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.alignment import alignment_tables
from analysis.groups import groups_of
from study.config import Study
from study.errors import StudyError
from study.results import Results

NAMES = {
    "error_consistency", "error_consistency_pairs", "item_correlation", "confusion_similarity",
    "pattern_similarity", "pattern_ceiling", "rt_margin", "rt_margin_shape", "alignment_tests",
    "alignment_notes",
}  # fmt: skip
ACTIONS = [f"act{number:02d}" for number in range(12)]


@pytest.fixture(scope="module")
def study() -> Study:
    content = {
        "name": "fake",
        "title": "A fake study",
        "seed": 7,
        "dataset": {"kind": "synthetic", "n_actions": 12, "clips_per_action": 8},
        "split": {"validation_clips": 1, "test_clips": 3},
        "masks": {"source": "truth"},
        "models": [
            {"name": "baseline", "architecture": "baseline", "seeds": [0, 1, 2]},
            {"name": "domainnet", "architecture": "domainnet", "seeds": [0, 1, 2]},
        ],
        "analysis": {"n_bootstrap": 200},
    }
    return Study.model_validate_json(json.dumps(content))


@pytest.fixture(scope="module")
def responses(world) -> pd.DataFrame:
    table = world(n_people=18, share={"domainnet": 0.9}).draw(np.random.default_rng(1))
    table["file"] = table["group"] + ".csv"
    table["line"] = table.groupby("group").cumcount() + 2
    return table


@pytest.fixture(scope="module")
def results(study: Study, responses: pd.DataFrame, tmp_path_factory) -> Results:
    """Logits under which the margin is the slower, the longer people took."""
    results = Results(tmp_path_factory.mktemp("alignment"))
    people = responses[(responses["group"] == "human") & (responses["correct"] == 1)]
    slow = np.log(people["rt_s"]).groupby(people["stimulus_id"]).mean()
    stimuli = responses.drop_duplicates("stimulus_id").set_index("stimulus_id")
    for model in study.models:
        for seed in model.seeds:
            path = results.logits(model.name, seed)
            path.parent.mkdir(exist_ok=True)
            ways = ("plain",) if model.name == "baseline" else ("blank", "drop")
            write_logits(path, stimuli, slow, ways)
    return results


def write_logits(path: Path, stimuli: pd.DataFrame, slow: pd.Series, ways: tuple) -> None:
    parts = []
    for way in ways:
        scores = pd.DataFrame(-9.0, index=stimuli.index, columns=ACTIONS)
        for stimulus, row in stimuli.iterrows():
            first, second = [a for a in row["choices"].split("|") if a != row["action"]][:2]
            # Read the other way, the order is reversed.
            sign = -1.0 if way == "drop" else 1.0
            scores.loc[stimulus, row["action"]] = -sign * slow.get(stimulus, 0.0)
            scores.loc[stimulus, [first, second]] = -1.0, -2.0
            unoffered = next(a for a in ACTIONS if a not in row["choices"].split("|"))
            scores.loc[stimulus, unoffered] = 5.0
        parts.append(scores.reset_index().assign(reading=way))
    pd.concat(parts).to_parquet(path, index=False)


@pytest.fixture(scope="module")
def tables(study: Study, results: Results, responses: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return alignment_tables(study, results, responses, groups_of(study, responses["group"]))


def test_every_table_has_its_rows(tables: dict[str, pd.DataFrame]) -> None:
    assert set(tables) == NAMES
    assert len(tables["item_correlation"]) == 2 * 4
    assert len(tables["confusion_similarity"]) == 2 * 2 * 4
    assert len(tables["error_consistency"]) == 3 * 4
    assert len(tables["error_consistency_pairs"]) == 24 * 23 // 2 * 4
    assert len(tables["pattern_ceiling"]) == 2
    assert len(tables["rt_margin_shape"]) == 2 * 3 * 5
    for name in NAMES - {"alignment_notes"}:
        assert "n_dropped" in tables[name].columns, name
        assert (tables[name]["n_dropped"] == 0).all()


def test_counts_are_those_of_the_responses(tables: dict[str, pd.DataFrame]) -> None:
    row = tables["item_correlation"].iloc[0]
    counts = row[["n_seeds", "n_observers", "n_items", "n_seed_trials", "n_observer_trials"]]
    assert counts.tolist() == [3, 18, 36, 3 * 36, 18 * 12]
    people = tables["error_consistency"].iloc[0]
    assert (people["group"], people["reference"]) == ("human", "human")


def test_the_mean_over_pairs_is_that_of_the_pairs_table(tables: dict[str, pd.DataFrame]) -> None:
    pairs = tables["error_consistency_pairs"]
    rows = tables["error_consistency"].set_index(["group", "condition"])
    for group in ("human", "domainnet"):
        wanted = {"human", group}
        sides = pairs[["group_a", "group_b"]].itertuples(index=False)
        is_wanted = np.array([set(pair) == wanted for pair in sides])
        found = pairs[is_wanted & (pairs["condition"] == "body_only")]
        value = rows.loc[(group, "body_only"), "value"]
        assert value == pytest.approx(found["kappa"].mean(), abs=1e-6)


def test_margins_are_of_the_offered_labels_and_the_reading_that_answers(
    tables: dict[str, pd.DataFrame],
) -> None:
    """The logits above: slower is less sure, unless the other reading is mixed in."""
    values = tables["rt_margin"].set_index(["group", "condition"])["value"]
    assert (values < -0.5).all()
    shape = tables["rt_margin_shape"]
    first = shape[shape["bin"] == 1].set_index(["group", "condition"])
    last = shape[shape["bin"] == 5].set_index(["group", "condition"])
    assert (first["rt_s"] > last["rt_s"]).all()
    assert (first["margin"] < last["margin"]).all()
    # The wrong label that was not offered has logit 5: no margin would be above zero.
    assert (last["margin_high"] > 0).all()
    assert ((shape["ci_low"] < shape["rt_s"]) & (shape["rt_s"] < shape["ci_high"])).all()


def test_equal_input_gives_equal_bytes(
    study: Study, results: Results, responses: pd.DataFrame, tables: dict[str, pd.DataFrame]
) -> None:
    shuffled = responses.sample(frac=1, random_state=2)
    again = alignment_tables(study, results, shuffled, groups_of(study, responses["group"]))
    for name, table in tables.items():
        assert again[name].to_csv() == table.to_csv(), name


def test_what_is_missing_or_double_is_said_and_counted(
    study: Study, responses: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    people = responses["group"] == "human"
    first = people & (responses["observer"] == "human-seed0")
    second = people & (responses["observer"] == "human-seed1")
    bad = responses[~(first & (responses["condition"] == "body_only"))].copy()
    bad.loc[second & (bad["condition"] == "body_only"), "correct"] = 1
    bad.loc[bad.index[:4], "rt_s"] = np.nan
    again = bad[second.loc[bad.index]].head(3).assign(line=[901, 902, 903])
    bad = pd.concat([bad, again], ignore_index=True)
    tables = alignment_tables(study, Results(tmp_path), bad, groups_of(study, bad["group"]))
    notes = "\n".join(tables["alignment_notes"]["note"])
    assert "human, no trial in body_only: in no comparison there: human-seed0" in notes
    assert (
        "human, only right answers in body_only: no error consistency with each other: human-seed1"
        in notes
    )
    assert "3 second answers left out: human.csv line 901" in notes
    untimed = bad[(bad["group"] == "human") & bad["rt_s"].isna() & (bad["correct"] == 1)]
    said = f"{len(untimed)} right answers without a reaction time above zero are not in rt_margin"
    assert f"{said}: human.csv line {untimed['line'].iloc[0]}" in notes
    assert "domainnet-seed2.parquet: no such file" in notes
    assert (tables["item_correlation"]["n_dropped"] == 3).all()
    assert (tables["error_consistency"]["n_dropped"] == 3).all()
    assert tables["rt_margin"]["value"].isna().all()
    assert tables["rt_margin_shape"].empty
    seen = tables["item_correlation"].set_index(["group", "condition"])["n_observers"]
    assert seen["baseline", "body_only"] == 17
    assert "no trial in body_only" in caplog.text


def test_without_observers_or_networks(
    study: Study, responses: pd.DataFrame, tmp_path: Path
) -> None:
    alone = responses[responses["group"] != "human"]
    tables = alignment_tables(study, Results(tmp_path), alone, groups_of(study, alone["group"]))
    assert set(tables) == NAMES
    assert all(table.empty for table in tables.values())
    people = responses[responses["group"] == "human"]
    tables = alignment_tables(study, Results(tmp_path), people, groups_of(study, people["group"]))
    assert set(tables["error_consistency"]["group"]) == {"human"}
    assert len(tables["error_consistency_pairs"]) == 18 * 17 // 2 * 4
    for name in NAMES - {"error_consistency", "error_consistency_pairs", "alignment_notes"}:
        assert tables[name].empty, name
        assert list(tables[name].columns), name


def test_one_observer_and_single_seeds(
    study: Study, responses: pd.DataFrame, tmp_path: Path
) -> None:
    kept = responses["observer"].isin(["human-seed0", "baseline-seed0", "domainnet-seed0"])
    few = responses[kept]
    tables = alignment_tables(study, Results(tmp_path), few, groups_of(study, few["group"]))
    values = tables["item_correlation"]
    assert values["split_half"].isna().all()
    assert values["ci_low"].notna().any()
    assert (tables["error_consistency"]["group"] != "human").all()


def test_logits_without_an_offered_label(
    study: Study, results: Results, responses: pd.DataFrame, tmp_path: Path
) -> None:
    copy = Results(tmp_path)
    path = copy.logits("baseline", 0)
    path.parent.mkdir()
    pd.read_parquet(results.logits("baseline", 0)).drop(columns="act03").to_parquet(path)
    with pytest.raises(StudyError, match=r"baseline-seed0.parquet: no column 'act03'"):
        alignment_tables(study, copy, responses, groups_of(study, responses["group"]))


def test_a_missing_column_is_named(study: Study, results: Results, responses: pd.DataFrame) -> None:
    lacking = responses.drop(columns="choices")
    with pytest.raises(StudyError, match="no column 'choices'"):
        alignment_tables(study, results, lacking, groups_of(study, responses["group"]))
