"""The reference of the study file, written from the fields themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from study.config import DATASETS, Study
from study.fields import Section, SourceFolder

HEADING = """# The study file

Written by `bodyscene fields` from `study/fields/`, where each field is defined. A study file is
TOML; an unknown key, a wrong type or an impossible combination is an error that names file, field,
value and what is allowed. `bodyscene check STUDY.toml` prints every field with the value in force.
"""

TYPE_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}


def study_file_reference() -> str:
    """Return the reference of all fields as Markdown."""
    parts = [HEADING, _section("(top level)", Study)]
    for kind, section in DATASETS.items():
        parts.append(_section(f'[dataset] with kind = "{kind}"', section))
    parts.append(_section("[[dataset.folders]]", SourceFolder))
    for name, field in Study.model_fields.items():
        inner = _section_class(field.annotation)
        if inner is not None:
            is_list = get_origin(field.annotation) is list
            parts.append(_section(f"[[{name}]]" if is_list else f"[{name}]", inner))
            parts += _inner_sections(name, inner)
    return "\n".join(parts)


def _inner_sections(name: str, section: type[Section]) -> list[str]:
    """Return the sections within a section, other than the kinds of data set."""
    inner = {
        f"{name}.{field_name}": _section_class(field.annotation)
        for field_name, field in section.model_fields.items()
    }
    return [
        part
        for path, found in inner.items()
        if found is not None and found is not SourceFolder
        for part in [_section(f"[{path}]", found), *_inner_sections(path, found)]
    ]


def _section(heading: str, section: type[Section]) -> str:
    rows = [
        f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {field.description or ''} |"
        for name, field in section.model_fields.items()
        if _section_class(field.annotation) is None and name != "dataset"
    ]
    doc = " ".join((section.__doc__ or "").split())
    table = ["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"## {heading}", "", doc, "", *table, ""])


def _section_class(annotation: Any) -> type[Section] | None:
    """Return the section that a field holds, itself or in a list."""
    candidates = [annotation, *get_args(annotation)]
    found = [c for c in candidates if isinstance(c, type) and issubclass(c, Section)]
    return found[0] if len(found) == 1 else None


def _type(annotation: Any) -> str:
    """Name a type as a user of TOML would."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{option}`" for option in arguments)
    if annotation is Any:
        return "value"
    if origin is Annotated:
        return _type(arguments[0])
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    if type(None) in arguments:
        return _type(next(part for part in arguments if part is not type(None)))
    return TYPE_NAMES.get(annotation, "text")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "needed"
    if field.default is None:
        return ""
    shown = str(field.default).replace("|", "\\|")
    return f"`{shown.lower() if isinstance(field.default, bool) else shown}`"
