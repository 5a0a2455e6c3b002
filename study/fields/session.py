"""The session that people sit down to: screen, pages, keys, times, records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from study.fields.base import FilePath, Section

# Either a name that the screen's software knows or a hexadecimal colour.
Colour = Annotated[str, Field(pattern=r"^(#[0-9a-fA-F]{6}|[a-z]+)$")]
Size = Annotated[list[int], Field(min_length=2, max_length=2)]
Seconds = Annotated[float, Field(ge=0.0, le=3600.0)]
KeyName = Annotated[str, Field(min_length=1, max_length=20)]
# Columns of participants.tsv, and the dialog's own field: an answer would take their place.
TAKEN_FIELDS = {"participant", "participant_id", "group", "list", "complete", "n_answers"}
DialogField = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]


class Display(Section):
    """The participant's window."""

    screen: int = Field(0, ge=0, le=15, description="number of the screen, counted from 0")
    fullscreen: bool = Field(True, description="whether the window fills the screen")
    size_wh: Size = Field([1280, 720], description="width and height of a window, pixels")
    background: Colour = Field("#808080", description="name or #rrggbb")
    text_colour: Colour = Field("#000000", description="name or #rrggbb")
    font: str = Field(
        "", description="name of an installed font; default one that has the text's letters"
    )
    text_height: float = Field(
        0.035, gt=0.005, le=0.2, description="height of letters as a share of the screen's height"
    )


class Monitor(Section):
    """The physical screen, for sizes in degrees."""

    width_cm: float = Field(53.0, gt=0, le=1000, description="width of the picture area")
    distance_cm: float = Field(60.0, gt=0, le=1000, description="from the eyes to the screen")
    width_px: int | None = Field(
        None, ge=100, description="pixels in that width; default what the screen reports"
    )
    gamma: float | None = Field(None, gt=0, le=5, description="default the screen's own")
    calibration: str = Field(
        "", description="name of a calibration in PsychoPy's monitor centre; it goes before gamma"
    )


class Timing(Section):
    """How long things are shown."""

    before_clip: Literal["fixation", "countdown", "none"] = Field(
        "fixation", description="a cross, or 3-2-1, before every clip"
    )
    before_clip_s: Seconds = Field(0.8, description="seconds of the cross or of the countdown")
    still_s: float = Field(2.0, gt=0, le=3600, description="seconds that a photograph is shown")
    most_s: float = Field(6.0, gt=0, le=3600, description="seconds after which a clip is cut")
    answer_limit_s: float | None = Field(
        None, gt=0, le=3600, description="seconds to answer; default as long as it takes"
    )
    break_least_s: Seconds = Field(3.0, description="seconds before a break can be left")


class Flow(Section):
    """Which parts a session has."""

    consent: bool = Field(True, description="whether it begins with the consent page")
    familiarisation: bool = Field(
        True, description="whether stills of the actions with their labels are shown first"
    )
    familiarisation_s: float | None = Field(
        None, gt=0, le=3600, description="seconds per still; default until it is left"
    )
    practice: bool = Field(True, description="whether the plan's practice trials are done")
    practice_feedback: bool = Field(True, description="whether practice says right or wrong")
    break_every: int = Field(40, ge=0, description="trials between breaks; 0: no breaks")
    attention_page_after: int = Field(
        0,
        ge=0,
        description="show the page attention.md after so many wrong attention checks in a row; "
        "0: never",
    )


class Confidence(Section):
    """A rating after every answer."""

    ask: bool = Field(False, description="whether to ask how sure the participant is")
    steps: int = Field(4, ge=2, le=9, description="steps of the scale")


class Photodiode(Section):
    """A patch that is white while a clip is on the screen, for a light sensor."""

    show: bool = Field(False, description="whether there is a patch")
    corner: Literal["top_left", "top_right", "bottom_left", "bottom_right"] = Field(
        "bottom_right", description="where it is"
    )
    size_px: int = Field(50, ge=4, le=1000, description="its side, pixels")


class Trigger(Section):
    """Marks for a recording device at the onset of clips, choices and answers."""

    kind: Literal["none", "serial", "parallel", "lsl"] = Field(
        "none", description="the port they are sent to"
    )
    address: str = Field(
        "", description='"COM3" or "/dev/ttyUSB0"; "0x0378"; the name of the LSL stream'
    )
    baud: int = Field(115200, ge=300, le=4_000_000, description="speed of a serial port")
    pulse_s: float = Field(0.01, ge=0, le=1, description="length of a pulse of a parallel port")

    @model_validator(mode="after")
    def _port_has_an_address(self) -> Trigger:
        if self.kind != "none" and not self.address:
            raise ValueError(f"kind = {self.kind!r} needs address, the port's name")
        return self


class Assistant(Section):
    """A second screen with the progress, for the assistant."""

    show: bool = Field(False, description="whether there is one")
    screen: int = Field(1, ge=0, le=15, description="number of the screen, counted from 0")


class Session(Section):
    """The session that people sit down to."""

    texts: FilePath | None = Field(
        None,
        description="folder with the pages (consent.md, instructions.md, ...) and words.toml; "
        "default English ones",
    )
    clip_height_deg: float | None = Field(
        None, gt=0, le=180, description="height of the clips, degrees of visual angle"
    )
    clip_height_px: int | None = Field(
        None, ge=16, le=8192, description="height of the clips, pixels; default their own"
    )
    input: list[Literal["keyboard", "mouse", "touch"]] = Field(
        ["keyboard", "mouse"], min_length=1, description="what answers are given with"
    )
    keys: list[KeyName] | None = Field(
        None, description="a key per label in the order shown; default 1, 2, ..."
    )
    ask_for: list[DialogField] = Field(
        [], description="what the dialog asks beyond the participant's number, e.g. age"
    )
    display: Display = Display()
    monitor: Monitor = Monitor()
    timing: Timing = Timing()
    flow: Flow = Flow()
    confidence: Confidence = Confidence()
    photodiode: Photodiode = Photodiode()
    trigger: Trigger = Trigger()
    assistant: Assistant = Assistant()

    @model_validator(mode="after")
    def _parts_fit(self) -> Session:
        if self.clip_height_deg is not None and self.clip_height_px is not None:
            raise ValueError("give clip_height_deg or clip_height_px, not both")
        if self.keys is not None and len(set(self.keys)) < len(self.keys):
            raise ValueError(f"keys: two labels share a key: {self.keys}")
        if len(set(self.ask_for)) < len(self.ask_for):
            raise ValueError(f"ask_for: a field stands twice: {self.ask_for}")
        if taken := TAKEN_FIELDS.intersection(name.lower() for name in self.ask_for):
            raise ValueError(
                f"ask_for: {', '.join(sorted(taken))} is a field of the program's own; expected "
                "another name"
            )
        if self.assistant.show and self.assistant.screen == self.display.screen:
            raise ValueError(
                f"assistant.screen = {self.assistant.screen} is the participant's own "
                "screen; expected another one"
            )
        return self
