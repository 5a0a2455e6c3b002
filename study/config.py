"""The study file: one TOML file that says everything a study is."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any, get_args

import tomli_w
from pydantic import BaseModel, Field, ValidationError, model_validator

from study.errors import StudyError
from study.fields import (
    Analysis,
    Audit,
    Dataset,
    Exclusions,
    FolderData,
    Haa500Data,
    Masks,
    Model,
    Name,
    Noise,
    Observers,
    Power,
    Saliency,
    Scoring,
    Section,
    Session,
    Split,
    SyntheticData,
    Training,
    Trials,
    Versions,
)

DATASETS: dict[str, type[Section]] = {
    "synthetic": SyntheticData,
    "folder": FolderData,
    "haa500": Haa500Data,
}


class Study(Section):
    """A whole study."""

    name: Name = Field(description="names the results folder")
    title: str = Field(description="stands above the report")
    seed: int = Field(ge=0, description="everything random in stimuli and trials comes from it")
    dataset: Dataset
    split: Split = Split()
    masks: Masks
    versions: Versions = Versions()
    audit: Audit = Audit()
    trials: Trials = Trials()
    training: Training = Training()
    models: list[Model] = Field([], description="the networks; may be empty")
    scoring: Scoring = Scoring()
    noise: Noise = Noise()
    saliency: Saliency = Saliency()
    session: Session = Session()
    observers: Observers = Observers()
    analysis: Analysis = Analysis()
    exclusions: Exclusions = Exclusions()
    power: Power = Power()

    @model_validator(mode="after")
    def _parts_fit(self) -> Study:
        names = [model.name for model in self.models]
        networks = [*names, *self.scoring.outside]
        if len(set(networks)) < len(networks):
            raise ValueError(f"models, scoring.outside: two networks share a name: {networks}")
        taken = {f"{name}_{way}" for name in networks for way in ("blank", "drop")} & set(networks)
        if taken:
            raise ValueError(
                f"models: {sorted(taken)[0]!r} is how the other reading of a model is called"
            )
        reserved = {"human", "simulated"} & set(networks)
        if reserved:
            raise ValueError(f"models: {reserved.pop()!r} is a group of observers, not a model")
        if self.trials.actions == "margin" and self.trials.margin_model not in names:
            raise ValueError(
                f"trials.margin_model = {self.trials.margin_model!r} is not a model of this study; "
                f"expected one of {names}"
            )
        if self.masks.source == "truth" and self.dataset.kind != "synthetic":
            raise ValueError(
                f"masks.source = 'truth' is only known of dataset.kind = 'synthetic', found "
                f"{self.dataset.kind!r}; use 'yolo' or 'files'"
            )
        if (
            "point_light" in self.versions.conditions
            and self.masks.keypoints is None
            and self.dataset.kind != "synthetic"
        ):
            raise ValueError(
                "versions.conditions names 'point_light', which needs masks.keypoints, the folder "
                "of the key points"
            )
        self._check_counts()
        self._check_networks()
        self._check_keys()
        return self

    def _check_counts(self) -> None:
        trials = self.trials
        n_actions = self._known_number_of_actions()
        if n_actions is not None and trials.n_choices > n_actions:
            raise ValueError(
                f"trials.n_choices = {trials.n_choices} but there are only {n_actions} actions; "
                f"expected at most {n_actions}"
            )
        if isinstance(self.dataset, SyntheticData):
            held_out = self.split.validation_clips + self.split.test_clips
            if self.dataset.clips_per_action <= held_out:
                raise ValueError(
                    f"dataset.clips_per_action = {self.dataset.clips_per_action} leaves no clip to "
                    f"train on; expected more than {held_out} (split.validation_clips + "
                    "split.test_clips)"
                )

    def _check_networks(self) -> None:
        names = [model.name for model in self.models]
        for section, asked in (("noise", self.noise.models), ("saliency", self.saliency.models)):
            unknown = set(asked or []) - set(names)
            if unknown:
                raise ValueError(
                    f"{section}.models: {sorted(unknown)[0]!r} is not a model of this study; "
                    f"expected some of {names}"
                )
        for model in self.models:
            try:
                self.training_of(model)
            except ValidationError as error:
                lines = [
                    f"models, {model.name!r}: training.{_line(problem, {})}"
                    for problem in error.errors()
                ]
                raise ValueError("\n".join(lines)) from error

    def _check_keys(self) -> None:
        keys, n_choices = self.session.keys, self.trials.n_choices
        if keys is not None and len(keys) != n_choices:
            raise ValueError(
                f"session.keys = {keys} are {len(keys)}; expected {n_choices}, one per choice "
                "(trials.n_choices)"
            )

    def training_of(self, model: Model) -> Training:
        """Return how one network is trained: [training] with the model's own fields."""
        fields = {**self.training.model_dump(mode="json"), **model.training}
        return Training.model_validate_json(json.dumps(fields, default=str))

    def _known_number_of_actions(self) -> int | None:
        """The number of actions as far as the study file alone tells it."""
        if self.trials.actions == "margin":
            return self.trials.n_actions
        if isinstance(self.dataset, SyntheticData):
            return self.dataset.n_actions
        if isinstance(self.dataset, FolderData) and self.dataset.actions is not None:
            return len(self.dataset.actions)
        return None

    def model(self, name: str) -> Model:
        """Return the model of that name, or raise a `StudyError` that lists the names."""
        for model in self.models:
            if model.name == name:
                return model
        names = [model.name for model in self.models]
        raise StudyError(f"no model {name!r} in study {self.name!r}; expected one of {names}")


def load_study(path: Path | str) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : Path or str
        A TOML file. Relative paths in it are relative to its folder.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        One line per mistake: file, field, value found, what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"{path}: no such study file")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not a TOML file: {error}") from error
    try:
        # JSON is the strict mode in which lists may become tuples and text may become paths.
        study = Study.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        lines = [f"{path}: {_line(problem, content)}" for problem in error.errors()]
        raise StudyError("\n".join(lines)) from error
    return _with_absolute_paths(study, path.resolve().parent)


def dump_study(study: Study) -> str:
    """Return the study as TOML text, every field with its value."""
    return tomli_w.dumps(study.model_dump(mode="json", exclude_none=True))


def _with_absolute_paths(study: Study, folder: Path) -> Study:
    """Anchor relative paths at the folder of the study file."""

    def anchored(section: Any) -> Any:
        if isinstance(section, Path):
            # A bare weights name may be an official one that the segmenter knows.
            is_bare_name = section.parent == Path() and not (folder / section).exists()
            return section if is_bare_name else folder / section
        if isinstance(section, list):
            return [anchored(entry) for entry in section]
        if isinstance(section, BaseModel):
            values = {name: anchored(getattr(section, name)) for name in type(section).model_fields}
            if isinstance(section, Model) and "flow_weights" in section.training:
                # Of a network's own [training] only the names and values are known here.
                path = Training(flow_weights=Path(section.training["flow_weights"])).flow_weights
                values["training"] = {**section.training, "flow_weights": str(anchored(path))}
            return section.model_copy(update=values)
        return section

    return anchored(study)


def _line(problem: dict[str, Any], content: dict[str, Any]) -> str:
    """Say one validation problem in the user's terms."""
    where = list(problem["loc"])
    # pydantic puts the kind of the data set into the path; the file has no such level.
    shown = where[:1] + where[2:] if where[:1] == ["dataset"] and len(where) > 1 else where
    field = ".".join(str(part) for part in shown)
    if problem["type"] == "extra_forbidden":
        return f"{field}: unknown key; {_allowed_keys(where)}"
    if problem["type"] == "missing":
        return f"{field}: missing; {_meaning(where)}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if problem["type"] == "value_error" and (not field or isinstance(problem["input"], dict)):
        return f"{field}: {message}" if field else message
    return f"{field} = {problem['input']!r}: {message}"


def _section_of(where: list[Any]) -> type[Section]:
    """Find the section class that holds a field."""
    section: type[Section] = Study
    for part in where[:-1]:
        if part in DATASETS:
            section = DATASETS[part]
        elif part in section.model_fields and part != "dataset":
            section = _sections_in(section.model_fields[part].annotation)[0]
    return section


def _sections_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for part in get_args(annotation) for found in _sections_in(part)]


def _allowed_keys(where: list[Any]) -> str:
    fields = list(_section_of(where).model_fields)
    close = difflib.get_close_matches(str(where[-1]), fields, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}allowed here: {', '.join(sorted(fields))}"


def _meaning(where: list[Any]) -> str:
    field = _section_of(where).model_fields.get(str(where[-1]))
    description = field.description if field is not None else None
    return f"expected {description}" if description else "expected a value"
