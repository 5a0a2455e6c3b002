"""The arrows between rooms, and which packages each room may use."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("study", "stimuli", "behavior", "models", "analysis", "cluster")
MAY_IMPORT = {
    "study": set(),
    "stimuli": {"study"},
    "behavior": {"study", "stimuli"},
    "models": {"study", "stimuli"},
    "analysis": {"study"},
    "cluster": {"study", "stimuli", "models"},
}
# package -> where it may be imported; a prefix of the path inside the repository
ONLY_IN = {
    "psychopy": ("behavior/window.py",),
    "ultralytics": ("stimuli/segment",),
    "torch": (
        "models/",
        "stimuli/segment",
        "stimuli/inpainting/torchscript",
        "cluster/measure_networks",
    ),
    "torchvision": ("models/",),
    "timm": ("models/",),
    "transformers": ("models/hugging_face",),
    "matplotlib": ("analysis/", "stimuli/contact_sheet"),
    "seaborn": ("analysis/", "stimuli/contact_sheet"),
    "statsmodels": ("analysis/",),
}
# Nothing heavy may load with the command line's help.
HEAVY = {"numpy", "pandas", "cv2", "av", "torch", "psychopy", "matplotlib", *ROOMS}


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_meet_as_the_arrows_say(room: str) -> None:
    assert sources(room)
    for path in sources(room):
        others = imported(path) & (set(ROOMS) - {room})
        assert others <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {others}"


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_packages_stay_in_their_rooms(package: str) -> None:
    for room in ROOMS:
        for path in sources(room):
            name = path.relative_to(ROOT).as_posix()
            if package in imported(path):
                assert name.startswith(ONLY_IN[package]), f"{name} imports {package}"


def test_ultralytics_and_psychopy_live_in_one_file_each() -> None:
    for package in ("ultralytics", "psychopy"):
        users = [path for room in ROOMS for path in sources(room) if package in imported(path)]
        assert len(users) <= 1, users


@pytest.mark.parametrize(
    "name",
    [
        "bodyscene.py",
        "study/command.py",
        "study/machine.py",
        "behavior/commands.py",
        "models/commands.py",
        "cluster/commands.py",
    ],
)
def test_command_line_imports_nothing_heavy_before_its_verb(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    # They are in this list themselves.
    light = ("study.command", "study.machine")
    light += ("behavior.commands", "cluster.commands", "models.commands")
    allowed = tuple(f"from {module} import " for module in light)
    heavy = {
        package
        for line in text.splitlines()
        if line.startswith(("import ", "from ")) and not line.startswith(allowed)
        for package in [line.split()[1].split(".")[0]]
    } & HEAVY
    assert not heavy


def test_the_scan_sees_imports(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import torch.nn\ndef f():\n    from models.train import train_model\n")
    assert imported(path) == {"torch", "models"}
    assert imported(path, top_level_only=True) == {"torch"}
