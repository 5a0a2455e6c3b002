"""Where clips come from, which of them are used, and where the person is in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from study.fields.base import FilePath, Section, Share


def _pattern(text: str) -> str:
    """Check a regular expression that must name the group `action`."""
    try:
        names = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if "action" not in names:
        raise ValueError("the pattern must name a group, (?P<action>...)")
    return text


class SyntheticData(Section):
    """The embedded default: a procedural world of figures acting in scenes."""

    kind: Literal["synthetic"] = Field(description="this kind of data set")
    n_actions: int = Field(12, ge=2, le=16, description="how many of the world's actions")
    clips_per_action: int = Field(20, ge=3, le=999, description="clips of each action")
    width: int = Field(320, ge=64, le=1280, description="pixels")
    height: int = Field(180, ge=36, le=720, description="pixels")
    fps: float = Field(12.5, gt=0, le=60, description="frames per second")
    n_frames: int = Field(24, ge=1, le=1000, description="frames per clip")
    scene_validity: Share = Field(
        0.9,
        description="how well the scene predicts the action: with this probability a clip plays in "
        "its action's own scene, else in one drawn from all scenes; 0 is no relation",
    )
    figure_size: float = Field(
        0.6, ge=0.1, le=0.8, description="median standing height as a share of frame height"
    )
    camera_motion: bool = Field(True, description="whether some cameras pan, zoom or shake")


class SourceFolder(Section):
    """One folder of clips and how to read their names."""

    path: FilePath = Field(description="the folder; ${VARIABLE} and ~ are replaced")
    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        r"^(?P<action>[^/]+)/[^/]+$",
        description="regular expression over the path inside the folder; its group `action` is the "
        "action, an optional group `group` the recording session",
    )


class FolderData(Section):
    """Any folders of videos and photographs; a photograph is a clip of one frame."""

    kind: Literal["folder"] = Field(description="this kind of data set")
    folders: list[SourceFolder] = Field(min_length=1, description="where the clips are")
    actions: list[str] | None = Field(None, description="keep only these actions; default all")
    min_clips: int = Field(3, ge=1, description="an action with fewer usable clips is left out")
    max_clips: int | None = Field(
        None, ge=1, description="use at most so many usable clips of an action, the first by name"
    )


class Haa500Data(Section):
    """HAA500 in its own layout: ``video/CLASS/CLASS_NNN.mp4``."""

    kind: Literal["haa500"] = Field(description="this kind of data set")
    path: FilePath = Field(description="the folder that holds `video`")
    min_clips: int = Field(15, ge=1, description="an action with fewer usable clips is left out")
    max_clips: int | None = Field(15, ge=1, description="use the first so many usable clips")


Dataset = Annotated[SyntheticData | FolderData | Haa500Data, Field(discriminator="kind")]


class Split(Section):
    """Which clips are used, and which of them train, validate and test."""

    by: Literal["order", "group", "file"] = Field(
        "order",
        description="order: the first usable clips of an action validate, the next ones test, the "
        "rest train; group: whole recording sessions are held out; file: as a table says",
    )
    file: FilePath | None = Field(
        None,
        description="where `by` is file: a CSV table of clip_id and split (train, validation, test "
        "or none), for instance the clips.csv of a run, edited; clips that it lacks are left out",
    )
    exclude: FilePath | None = Field(
        None,
        description="a CSV table of clips to leave out by hand: clip_id and, if you like, reason; "
        "the review page writes one",
    )
    validation_clips: int = Field(1, ge=0, description="per action, where `by` is order")
    test_clips: int = Field(1, ge=1, description="per action, where `by` is order")
    validation_groups: list[str] = Field([], description="sessions, where `by` is group")
    test_groups: list[str] = Field([], description="sessions, where `by` is group")

    @model_validator(mode="after")
    def _groups_are_named_and_apart(self) -> Split:
        if self.by == "group" and not self.test_groups:
            raise ValueError("by = 'group' needs test_groups, the sessions to test on")
        if self.by == "file" and self.file is None:
            raise ValueError("by = 'file' needs file, the table of clip_id and split")
        both = set(self.validation_groups) & set(self.test_groups)
        if both:
            raise ValueError(f"{sorted(both)} are both test_groups and validation_groups")
        return self


class Masks(Section):
    """Where the person is in every frame."""

    source: Literal["truth", "files", "yolo", "callable"] = Field(
        description="truth: the synthetic world's own; files: mask files; yolo: YOLO segmentation; "
        "callable: a Python function of yours"
    )
    path: FilePath | None = Field(
        None,
        description="files: folder of ACTION/CLIP.npz (key `masks`, if you like also `n_persons`) "
        "or ACTION/CLIP.png",
    )
    segmenter: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="callable: module:function; it gets a clip's frames (T, H, W, 3) uint8 RGB and "
        "returns masks (T, H, W), nonzero on the person",
    )
    weights: FilePath = Field(
        Path("yolov8x-seg.pt"),
        description="yolo: weights file (.pt or .onnx) by path, or an official name",
    )
    trust_weights: bool = Field(
        False,
        description="yolo: load a .pt file even if it holds more than tensors and layers; such a "
        "file can run any code on this computer, so set this only for files whose origin you know",
    )
    keypoints: FilePath | None = Field(
        None,
        description="folder of ACTION/CLIP.npz (key `keypoints`, (T, K, 2 or 3): x, y in pixels of "
        "the source and visibility) for point_light; the synthetic world has its own",
    )
    device: str = Field("auto", description="yolo: auto, cpu, cuda or cuda:N")
    batch_size: int = Field(
        16, ge=1, description="yolo: frames per forward pass on a GPU (on a CPU it is 2)"
    )
    confidence: Share = Field(0.25, description="yolo: least confidence of a person")
    image_size: int = Field(640, ge=32, multiple_of=32, description="yolo: network input, pixels")
    persons: Literal["main", "exactly_one"] = Field(
        "main",
        description="main: follow the main person; exactly_one: leave a clip out unless every "
        "frame shows exactly one person",
    )
    min_visible: Share = Field(
        0.5, description="leave a clip out if the person is found in fewer of its frames"
    )
    min_quality: Share = Field(
        0.0, description="leave a clip out if its mask quality (0 to 1, see clips.csv) is lower"
    )
    fill_gaps: int = Field(
        12, ge=0, description="yolo: frames in which the person may be missed and is filled in"
    )
    smooth: bool = Field(
        True, description="yolo: remove flicker over time and close small holes in the person"
    )

    @model_validator(mode="after")
    def _source_is_complete(self) -> Masks:
        if self.source == "files" and self.path is None:
            raise ValueError("source = 'files' needs path, the folder of the mask files")
        if self.source == "callable" and self.segmenter is None:
            raise ValueError("source = 'callable' needs segmenter, as module:function")
        return self
