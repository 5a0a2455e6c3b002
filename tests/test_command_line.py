"""The command line: help is fast, mistakes are said in words, README's commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bodyscene import app

ROOT = Path(__file__).resolve().parents[1]
VERBS = (
    "power",
    "calibrate",
    "run",
    "check",
    "fields",
    "stimuli",
    "review",
    "audit",
    "plan",
    "frames",
    "train",
    "margins",
    "score",
    "saliency",
    "noise",
    "features",
    "simulate",
    "session",
    "sessions",
    "texts",
    "check-timing",
    "pack",
    "unpack",
    "collect",
    "bids",
    "fit",
    "figures",
    "report",
    "clip",
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    shown = CliRunner().invoke(app, [verb, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_help_loads_no_room_and_no_heavy_package() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from bodyscene import app\n"
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0\n"
        "heavy = {'torch', 'cv2', 'pandas', 'numpy', 'matplotlib', 'psychopy'}\n"
        "heavy |= {'stimuli'}\n"
        "rooms = {name for name in sys.modules if name.startswith(('study.', 'models.'))}\n"
        "rooms -= {'study.command', 'study.machine', 'models.commands'}\n"
        "print(sorted(heavy & set(sys.modules) | rooms))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert shown.stdout.strip() == "[]"


def test_mistakes_end_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    study = tmp_path / "wrong.toml"
    study.write_text('name = "x"\ncolour = 3\n')
    for verb in ("run", "check", "stimuli", "plan", "fit"):
        done = CliRunner().invoke(app, [verb, str(study)])
        assert done.exit_code == 1
        assert "colour: unknown key" in done.output
        assert "Traceback" not in done.output


def test_a_package_that_the_base_install_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("models", "torch")]:
        monkeypatch.delitem(sys.modules, name)

    class NoTorch:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "torch":
                raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(sys, "meta_path", [NoTorch(), *sys.meta_path])
    study = str(ROOT / "studies" / "demo.toml")
    done = CliRunner().invoke(app, ["train", study, "--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "pip install" in done.output
    assert "[models]" in done.output


def test_readme_commands_are_those_of_the_command_line() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^\s*bodyscene (\w+)", readme, flags=re.MULTILINE))
    assert {"run", "clip"} <= verbs
    assert verbs <= set(VERBS)
    targets = set(re.findall(r"^make (\w+)", readme, flags=re.MULTILINE))
    assert {"demo", "test"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


def test_readme_names_only_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(((?!http)[^)#]+)\)", readme) + re.findall(r"studies/\w+\.toml", readme)
    assert named
    for name in named:
        assert (ROOT / name).exists(), name
