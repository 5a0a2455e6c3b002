"""A profile: how the steps of a study run on a cluster, in a file that a user edits.

It is a Snakemake workflow profile. Snakemake reads its own fields; here those are read that are
compared with the cluster, and bodyscene's own ones, which stand under ``config``.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import humanfriendly
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from study.errors import StudyError

SHIPPED = Path(__file__).resolve().parent.parent / "profiles"
NAME = "config.yaml"
STEPS = (
    *("masks_shard", "segment_shard", "versions_shard", "stimuli", "review", "audit", "frames"),
    *("train", "margins", "plan", "score", "saliency", "noise", "simulate", "fit", "figures"),
    "report",
)
# Snakemake's fields that name resources, and the one that counts threads, per step.
OF_STEPS, THREADS, DEFAULTS = "set-resources", "set-threads", "default-resources"
# Steps have these of their own, which comes before a default.
SIZES = ("mem_mb", "runtime")
# What the executor for SLURM reads; any other name would be carried along and do nothing.
RESOURCES = (
    *("slurm_partition", "slurm_account", "slurm_extra", "slurm_cluster", "cluster", "clusters"),
    *("qos", "constraint", "runtime", "mem_mb", "mem_mb_per_cpu", "gres", "gpu", "gpu_model"),
    *("mpi", "nodes", "tasks", "tasks_per_node", "tasks_per_gpu", "cpus_per_task", "cpus_per_gpu"),
    *("disk_mb", "tmpdir"),
)


class OwnFields(BaseModel):
    """The fields under ``config``.

    Attributes
    ----------
    clips_per_shard : int
        Stimuli are made in jobs of so many clips; 0 makes them in one job.
    cores_per_job : int
        CPU cores of each job of steps that use several.
    scratch : str
        Folder on the disk of a node to which frames are copied first; empty for none.
    container : str
        Image in which the steps run; empty for this Python environment.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    clips_per_shard: int = Field(250, ge=0)
    cores_per_job: int = Field(4, ge=1)
    scratch: str = ""
    container: str = ""


@dataclass(frozen=True)
class Profile:
    """A profile that was read.

    Attributes
    ----------
    file : Path
    own : OwnFields
    resources : dict of str to dict
        Step -> resource -> value, as the file has it; without the defaults of all steps.
    defaults : dict
        Resource -> value for steps that do not say it themselves.
    threads : dict of str to int
        Step -> CPU cores, where the file says it.
    executor : str
    given : frozenset of str
        All fields of Snakemake's that the file has.
    """

    file: Path
    own: OwnFields
    resources: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, Any]
    threads: Mapping[str, int]
    executor: str
    given: frozenset[str] = frozenset()

    def asks(self, step: str, resource: str) -> Any:
        """Return what a step asks for, None where the file does not say."""
        value = self.resources.get(step, {}).get(resource, self.defaults.get(resource))
        return _without_quotes(value) if isinstance(value, str) else value

    def field(self, step: str, resource: str) -> str:
        """Return where a user changes what a step asks for."""
        where = f"{OF_STEPS}.{step}"
        is_default = resource in self.defaults and resource not in self.resources.get(step, {})
        return f"{DEFAULTS if is_default else where}.{resource} in {self.file}"

    def minutes(self, step: str) -> float | None:
        """Return the time that a step asks for, None where the file leaves it to its size.

        Raises
        ------
        StudyError
            When it is neither a number of minutes nor a time such as "8h".
        """
        return self._amount(step, "runtime", "minutes, or a time such as '8h'", _minutes)

    def mem_mb(self, step: str) -> float | None:
        """Return the memory that a step asks for, in MB, None where the file does not say.

        Raises
        ------
        StudyError
            When it is no number.
        """
        return self._amount(step, "mem_mb", "a number of MB", float)

    def _amount(self, step: str, resource: str, expected: str, read: Any) -> float | None:
        value = self.asks(step, resource)
        # Snakemake computes expressions such as "attempt * 8000" for each job.
        if value is None or (isinstance(value, str) and "attempt" in value):
            return None
        try:
            return read(value)
        except (TypeError, ValueError, humanfriendly.InvalidTimespan):
            raise StudyError(
                f"{self.field(step, resource)}: expected {expected}, found {value!r}"
            ) from None


def read_profile(name: str) -> Profile:
    """Read a profile by the name of one that is shipped, or by its folder.

    Raises
    ------
    StudyError
        When there is none, or it is not as expected: names the file and the field.
    """
    file = _find(name)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{file}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{file}: expected fields such as 'executor: slurm', found {content!r}")
    _check_fields(file, content)
    resources = _by_step(file, OF_STEPS, content)
    defaults = _pairs(file, DEFAULTS, content.get(DEFAULTS))
    executor = str(content.get("executor", "local"))
    for field, asked in ((DEFAULTS, defaults), *_of_each_step(resources)):
        _check_resources(file, field, asked, of_slurm=executor == "slurm")
    return Profile(
        file=file,
        own=_own_fields(file, content.get("config") or {}),
        resources=resources,
        defaults=defaults,
        threads=_threads(file, content),
        executor=executor,
        given=frozenset(content),
    )


def _find(name: str) -> Path:
    for folder in (Path(name), SHIPPED / name):
        if (folder / NAME).is_file():
            return (folder / NAME).resolve()
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{NAME}"))
    raise StudyError(
        f"--profile {name}: expected a folder that holds a {NAME}, or one of the shipped "
        f"{shipped}; found neither {Path(name).resolve() / NAME} nor {SHIPPED / name / NAME}"
    )


def _check_fields(file: Path, content: Mapping[str, Any]) -> None:
    """Refuse what Snakemake answers with a page on how it is called."""
    for field in (OF_STEPS, THREADS, DEFAULTS):
        if field in content and not content[field]:
            raise StudyError(f"{file}: {field} is empty; fill it, or remove the line")
    if content.get("executor", "local") != "local" and "jobs" not in content:
        raise StudyError(
            f"{file}: the field jobs is missing; expected how many jobs may wait or run at once, "
            "for instance 'jobs: 100'"
        )
    newer = sorted(file.parent.glob("config.v*+.yaml"))
    if newer:
        raise StudyError(
            f"{newer[0]}: Snakemake would read it in the place of {file}; have one of them only"
        )


def _of_each_step(resources: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping]]:
    return [(f"{OF_STEPS}.{step}", asked) for step, asked in resources.items()]


def _check_resources(file: Path, field: str, asked: Mapping[str, Any], of_slurm: bool) -> None:
    """Refuse what would silently do nothing, or end in an error of Snakemake's own code."""
    for name, value in asked.items():
        where = f"{file}: {field}.{name}"
        if of_slurm and name not in RESOURCES:
            near = difflib.get_close_matches(name, RESOURCES, 1)
            raise StudyError(
                f"{where} is unknown; "
                + (f"is {near[0]} meant?" if near else f"expected one of {', '.join(RESOURCES)}")
            )
        if field == DEFAULTS and name in SIZES:
            raise StudyError(
                f"{where} has no effect, as every step asks for its own; give it for the steps "
                f"that need it: {OF_STEPS}.STEP.{name}"
            )
        if isinstance(value, str) and hasattr(builtins, value):
            # Snakemake computes values; this one is the name of one of Python's functions.
            raise StudyError(
                f"{where}: Snakemake takes {value} for a function of Python; write it in two pairs "
                f"of quotes: \"'{value}'\""
            )


def _own_fields(file: Path, content: object) -> OwnFields:
    try:
        return OwnFields.model_validate(_pairs(file, "config", content))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["config", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            known = ", ".join(OwnFields.model_fields)
            raise StudyError(f"{file}: {field} is unknown; expected one of {known}") from None
        raise StudyError(f"{file}: {field}: {first['msg']}, found {first['input']!r}") from None


def _pairs(file: Path, field: str, content: object) -> dict[str, Any]:
    """Read a mapping, or a list of ``name=value`` as Snakemake also allows."""
    if content is None:
        return {}
    if isinstance(content, list) and all("=" in str(pair) for pair in content):
        split = (str(pair).split("=", 1) for pair in content)
        return {name.strip(): yaml.safe_load(value) for name, value in split}
    if isinstance(content, dict):
        return dict(content)
    raise StudyError(f"{file}: {field}: expected fields, one a line, found {content!r}")


def _by_step(file: Path, field: str, content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    given = content.get(field) or {}
    if isinstance(given, list):
        # STEP:RESOURCE=VALUE
        nested: dict[str, dict[str, Any]] = {}
        for place, value in _pairs(file, field, given).items():
            step, _, resource = place.partition(":")
            nested.setdefault(step, {})[resource] = value
        given = nested
    _check_steps(file, field, given)
    return {step: _pairs(file, f"{field}.{step}", of_step) for step, of_step in given.items()}


def _threads(file: Path, content: Mapping[str, Any]) -> dict[str, int]:
    threads = _pairs(file, THREADS, content.get(THREADS))
    _check_steps(file, THREADS, threads)
    for step, count in threads.items():
        if not isinstance(count, int) or count < 1:
            raise StudyError(
                f"{file}: {THREADS}.{step}: expected a number of CPU cores, found {count!r}"
            )
    return threads


def _without_quotes(value: str) -> str:
    """Take off quotes that stand inside those of YAML, as Snakemake does."""
    if value[:1] in ("'", '"'):
        try:
            return str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            return value
    return value


def _check_steps(file: Path, field: str, given: object) -> None:
    if not isinstance(given, dict):
        raise StudyError(f"{file}: {field}: expected a step a line, found {given!r}")
    unknown = [step for step in given if step not in STEPS]
    if unknown:
        raise StudyError(
            f"{file}: {field}.{unknown[0]}: no step has this name; expected one of "
            + ", ".join(STEPS)
        )


def _minutes(value: object) -> float:
    """Read a time as Snakemake does: a number is minutes."""
    if isinstance(value, str) and not value.strip().isdigit():
        return math.ceil(humanfriendly.parse_timespan(value) / 60)
    return float(value)  # type: ignore[arg-type]
