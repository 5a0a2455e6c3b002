"""The session's section of the study file: defaults that work, mistakes that are named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from study.fields.session import Session


def read(**fields: Any) -> Session:
    """Read fields as a study file gives them."""
    return Session.model_validate_json(json.dumps(fields))


def test_a_study_file_need_not_say_anything():
    assert read() == Session()
    assert Session().ask_for == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"clip_height_deg": 8, "clip_height_px": 300}, "clip_height_deg or clip_height_px"),
        ({"keys": ["f", "j", "f"]}, "two labels share a key"),
        ({"trigger": {"kind": "serial"}}, "kind = 'serial' needs address"),
        ({"assistant": {"show": True, "screen": 0}}, "the participant's own screen"),
        ({"ask_for": ["age", "age"]}, "a field stands twice"),
        ({"ask_for": ["full name"]}, "pattern"),
        ({"ask_for": ["age", "Group"]}, "group is a field of the program's own"),
        ({"ask_for": ["participant"]}, "participant is a field of the program's own"),
        ({"display": {"background": "rgb(1,2,3)"}}, "pattern"),
        ({"display": {"size_wh": [800]}}, "at least 2"),
        ({"input": []}, "at least 1"),
        ({"timing": {"still_s": 0}}, "greater than 0"),
        ({"confidence": {"steps": 1}}, "greater than or equal to 2"),
        ({"photodiode": {"corner": "left"}}, "top_left"),
        ({"fullscreen": True}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        read(**fields)


def test_every_field_says_what_it_means():
    def undescribed(section: type, path: str) -> list[str]:
        found = []
        for name, field in section.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                found += undescribed(field.annotation, f"{path}.{name}")
            elif not field.description:
                found.append(f"{path}.{name}")
        return found

    assert undescribed(Session, "session") == []
