"""A synthetic world of actions: people who do things in places, with true masks."""

from __future__ import annotations

from .actions import ACTIONS
from .recipe import ClipRecipe, WorldSettings, draw_recipe
from .render import RenderedClip, render_clip
from .scenes import SCENES

__all__ = [
    "ACTIONS",
    "SCENES",
    "ClipRecipe",
    "RenderedClip",
    "WorldSettings",
    "draw_recipe",
    "render_clip",
]
