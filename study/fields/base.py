"""What the sections of a study file have in common."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
ConditionName = Literal[
    "body_background",
    "body_only",
    "background_only",
    "silhouette",
    "point_light",
    "blurred_background",
    "swapped_background",
    "inpaint_control",
]


def _expanded(path: Path) -> Path:
    """Replace ${VARIABLE} and ~; a variable that is not set is named."""
    text = os.path.expandvars(str(path))
    unset = re.findall(r"\$\{?(\w+)\}?", text)
    if unset:
        raise ValueError(f"the environment variable {unset[0]} is not set")
    return Path(text).expanduser()


FilePath = Annotated[Path, AfterValidator(_expanded)]


class Section(BaseModel):
    """A table of the study file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
