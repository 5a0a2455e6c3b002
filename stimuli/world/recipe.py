"""What a clip of the synthetic world is made of, drawn before anything is rendered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .actions import ACTIONS
from .draws import named_generator
from .scenes import SCENES


@dataclass(frozen=True)
class WorldSettings:
    """How the clips of a synthetic study look.

    Attributes
    ----------
    width, height
        Frame size in pixels, each from 16 to 4096; odd sizes are fine.
    fps
        Frames per second, above 0 and at most 240.
    n_frames
        Frames per clip, 1 to 10000.
    scene_validity
        How well the scene predicts the action, 0 (not at all) to 1 (fully); see `draw_recipe`.
    figure_size
        Median standing height of the figure as a share of the frame's height, 0.1 to 0.8.
        Persons vary by up to 15 % around it. From about 0.7 on, arms that are stretched
        upwards may leave the frame.
    camera_motion
        Whether some of the clips have a moving camera (pan, zoom or shake).
    """

    width: int = 320
    height: int = 180
    fps: float = 12.5
    n_frames: int = 24
    scene_validity: float = 0.9
    figure_size: float = 0.6
    camera_motion: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("width", 16, 4096), ("height", 16, 4096), ("n_frames", 1, 10000)):
            _check_integer(name, getattr(self, name), low, high)
        _check_number("fps", self.fps, 1e-3, 240)
        _check_number("scene_validity", self.scene_validity, 0, 1)
        _check_number("figure_size", self.figure_size, 0.1, 0.8)
        if not isinstance(self.camera_motion, bool):
            raise ValueError(f"camera_motion must be true or false, found {self.camera_motion!r}")


@dataclass(frozen=True)
class ClipRecipe:
    """Everything that `render_clip` needs to make one clip: plain data.

    `person` says who acts (the looks follow from `seed` and `person`), `seed` is the seed of the
    study; all else that varies between clips follows from `seed` and `clip_id`.
    """

    clip_id: str
    action: str
    scene: str
    person: int
    seed: int
    width: int
    height: int
    fps: float
    n_frames: int
    figure_size: float
    camera_motion: bool

    def __post_init__(self) -> None:
        _check_one_of("action", self.action, ACTIONS)
        _check_one_of("scene", self.scene, SCENES)


def draw_recipe(
    action: str, index: int, actions: Sequence[str], settings: WorldSettings, seed: int
) -> ClipRecipe:
    """Draw the recipe of clip number `index` (from 1) of `action`.

    Every action of a study has a scene of its own: the scenes are put in an order drawn from
    `seed`, and the action at position i of `actions` gets the i-th of them (starting again from
    the first where there are more actions than scenes). With probability v = `scene_validity` the
    clip plays in the action's own scene, otherwise in one drawn uniformly from the n scenes in
    use, the own one included. So P(own scene) = v + (1 - v) / n: with v = 1 the scene gives the
    action away, with v = 0 it says nothing about it.

    The person is tied to the index: number 3 of every action is the same person in the same
    clothes. The scene is the only draw that looks at which action it is for.

    Parameters
    ----------
    action
        One of `actions`.
    index
        Number of the clip within its action, from 1.
    actions
        The actions of the study, in the study's order, without repetition.
    settings
        How clips look.
    seed
        Seed of the study, 0 or above.

    Returns
    -------
    ClipRecipe
        A pure function of the arguments.

    Raises
    ------
    ValueError
        For an action that is unknown or not in `actions`, for repeated actions, for an index
        below 1 and for a negative seed.
    """
    _check_integer("index", index, 1, 999_999)
    _check_integer("seed", seed, 0, 2**63 - 1)
    for name in actions:
        _check_one_of("actions", name, ACTIONS)
    _check_one_of("action", action, tuple(actions))
    if len(set(actions)) != len(actions):
        raise ValueError(f"actions must not repeat, found {list(actions)}")
    clip_id = f"{action}_{index:03d}"
    return ClipRecipe(
        clip_id=clip_id,
        action=action,
        scene=_draw_scene(clip_id, list(actions).index(action), len(actions), settings, seed),
        person=index,
        seed=seed,
        width=settings.width,
        height=settings.height,
        fps=float(settings.fps),
        n_frames=settings.n_frames,
        figure_size=float(settings.figure_size),
        camera_motion=settings.camera_motion,
    )


def _draw_scene(
    clip_id: str, position: int, n_actions: int, settings: WorldSettings, seed: int
) -> str:
    order = named_generator(seed, "scene order").permutation(len(SCENES))
    n_in_use = min(n_actions, len(SCENES))
    rng = named_generator(seed, "scene of clip", clip_id)
    is_own, other = rng.random() < settings.scene_validity, rng.integers(n_in_use)
    return SCENES[order[position % n_in_use if is_own else other]]


def _check_integer(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, found {value!r}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, found {value!r}")


def _check_one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; found {value!r}")
