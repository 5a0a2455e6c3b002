"""The guide to clusters names the commands, steps, fields and files that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from bodyscene import app
from cluster.profile import STEPS, OwnFields

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
BLOCKS = "\n".join(re.findall(r"^ *```\w*\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL))


def commands() -> list[tuple[str, set[str]]]:
    """Return (verb, options) of every call of bodyscene in the guide's blocks."""
    line = (
        r"^ *(?:srun .*|torchrun .*)?(?:.*apptainer run .*\.sif|(?:.*-m )?bodyscene) ([a-z-]+)(.*)"
    )
    lines = BLOCKS.replace("\\\n", " ").splitlines()
    calls = [match.groups() for match in map(re.compile(line).match, lines) if match]
    return [
        (verb, set(re.findall(r" (--[a-z][a-z-]*)", rest.split("#")[0]))) for verb, rest in calls
    ]


def test_commands_and_their_options_exist() -> None:
    verbs = typer.main.get_command(app).commands
    found = commands()
    assert {"run", "plan-resources", "check", "train"} <= {verb for verb, _ in found}
    for verb, options in found:
        assert verb in verbs, verb
        known = {name for parameter in verbs[verb].params for name in parameter.opts}
        assert options <= known, (verb, options - known)


def test_every_step_of_a_profile_is_in_the_table_of_steps() -> None:
    table = GUIDE[GUIDE.index("| step | jobs |") :].split("\n\n")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == set(STEPS)


@pytest.mark.parametrize("field", [*OwnFields.model_fields])
def test_own_fields_are_described_with_what_the_shipped_profile_says(field: str) -> None:
    value = PROFILE["config"][field]
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    assert f"| `config.{field}: {shown}` |" in GUIDE


def test_fields_of_the_shipped_profile_are_described() -> None:
    for field, value in PROFILE.items():
        if not isinstance(value, dict):
            shown = str(value).lower() if isinstance(value, bool) else value
            assert f"| `{field}: {shown}` |" in GUIDE, field


def test_examples_of_a_profile_name_steps_and_own_fields() -> None:
    examples = re.findall(r"^ *```yaml\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)
    assert examples
    for content in map(yaml.safe_load, examples):
        assert set(content.get("set-resources", {})) <= set(STEPS)
        OwnFields.model_validate(content.get("config", {}))


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", GUIDE):
        path, _, anchor = target.partition("#")
        assert (ROOT / "docs" / path).exists() if path else anchor in anchors, target
