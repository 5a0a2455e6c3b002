"""Recipes: pure draws, the scene's validity, and settings that cannot be."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from stimuli.world import ACTIONS, SCENES, ClipRecipe, WorldSettings, draw_recipe


def _scenes(validity: float, n_actions: int, n_clips: int = 150) -> dict[str, list[str]]:
    settings = WorldSettings(scene_validity=validity)
    actions = ACTIONS[:n_actions]
    return {
        action: [draw_recipe(action, i, actions, settings, 3).scene for i in range(1, n_clips + 1)]
        for action in actions
    }


def test_there_are_enough_actions_and_scenes_with_plain_names() -> None:
    for names in (ACTIONS, SCENES):
        assert len(names) >= 12
        assert len(set(names)) == len(names)
        assert all(name.replace("_", "").isalpha() and name.islower() for name in names)


def test_recipe_is_plain_data_and_a_pure_function() -> None:
    settings = WorldSettings()
    recipe = draw_recipe("waving", 7, ACTIONS, settings, 11)
    assert recipe == draw_recipe("waving", 7, list(ACTIONS), settings, 11)
    assert recipe.clip_id == "waving_007"
    assert recipe.person == 7
    assert ClipRecipe(**json.loads(json.dumps(asdict(recipe)))) == recipe


def test_valid_scenes_give_the_action_away() -> None:
    scenes = _scenes(1.0, 12, n_clips=20)
    own = [set(names) for names in scenes.values()]
    assert all(len(names) == 1 for names in own)
    assert len(set.union(*own)) == 12


def test_invalid_scenes_say_nothing_about_the_action() -> None:
    n_actions, n_clips = 5, 400
    scenes = _scenes(0.0, n_actions, n_clips)
    in_use = sorted({name for names in scenes.values() for name in names})
    assert len(in_use) == n_actions
    counts = np.array([[names.count(scene) for scene in in_use] for names in scenes.values()])
    expected = n_clips / n_actions
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 45.3  # 99.9 % quantile of chi-square with 20 degrees of freedom


def test_scene_validity_is_the_share_that_the_docstring_says() -> None:
    scenes = _scenes(0.6, 4, 400)
    own = {action: names[0] for action, names in _scenes(1.0, 4, 1).items()}
    share = np.mean([np.mean(np.array(names) == own[action]) for action, names in scenes.items()])
    assert share == pytest.approx(0.6 + 0.4 / 4, abs=0.04)


def test_pairing_of_scenes_and_actions_depends_on_the_seed() -> None:
    settings = WorldSettings(scene_validity=1.0)
    pairings = {
        tuple(draw_recipe(action, 1, ACTIONS, settings, seed).scene for action in ACTIONS)
        for seed in range(6)
    }
    assert len(pairings) == 6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 8), ("height", 5000), ("width", 320.0), ("fps", 0.0), ("fps", float("nan")),
        ("n_frames", 0), ("n_frames", True), ("scene_validity", 1.01), ("scene_validity", -0.1),
        ("scene_validity", "all"), ("figure_size", 0.0), ("figure_size", 0.95),
        ("camera_motion", "yes"),
    ],
)  # fmt: skip
def test_impossible_settings_name_the_field_and_the_value(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field} must be .*found {value!r}"):
        WorldSettings(**{field: value})


def test_impossible_draws_say_what_is_allowed() -> None:
    settings = WorldSettings()
    with pytest.raises(ValueError, match=r"actions must be one of .*waving.*found 'flying'"):
        draw_recipe("waving", 1, ("waving", "flying"), settings, 0)
    with pytest.raises(ValueError, match=r"action must be one of waving, bowing; found 'kicking'"):
        draw_recipe("kicking", 1, ("waving", "bowing"), settings, 0)
    with pytest.raises(ValueError, match="must not repeat"):
        draw_recipe("waving", 1, ("waving", "waving"), settings, 0)
    with pytest.raises(ValueError, match=r"index must be .*found 0"):
        draw_recipe("waving", 0, ACTIONS, settings, 0)
    with pytest.raises(ValueError, match=r"seed must be .*found -1"):
        draw_recipe("waving", 1, ACTIONS, settings, -1)
    with pytest.raises(ValueError, match=r"scene must be one of .*kitchen.*found 'moon'"):
        replace(draw_recipe("waving", 1, ACTIONS, settings, 0), scene="moon")
