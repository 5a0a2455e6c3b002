"""What a lab computer runs does not need a POSIX system, torch or PsychoPy to be imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POSIX_ONLY = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_CALLS = {"fork", "getuid", "kill", "killpg", "mkfifo", "symlink", "uname", "O_DIRECTORY"}
FILES = sorted(
    path
    for room in ("study", "behavior", "stimuli/video")
    for path in (ROOT / room).rglob("*.py")
    if path.name != "robot.py"  # it drives a virtual screen, in tests only
)


def unguarded(tree: ast.AST) -> set[str]:
    """Return POSIX-only names that are used outside of a branch on `os.name`."""
    if isinstance(tree, ast.If) and "os.name" in ast.unparse(tree.test):
        return set()
    found = set()
    if isinstance(tree, ast.Import):
        found = {alias.name for alias in tree.names} & POSIX_ONLY
    elif isinstance(tree, ast.ImportFrom):
        found = {tree.module} & POSIX_ONLY
    elif isinstance(tree, ast.Attribute) and ast.unparse(tree.value) == "os":
        found = {tree.attr} & POSIX_CALLS
    return found.union(*(unguarded(child) for child in ast.iter_child_nodes(tree)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_needs_a_posix_system(path: Path):
    assert unguarded(ast.parse(path.read_text(encoding="utf-8"))) == set()


def test_the_scan_sees_what_it_looks_for():
    text = "import os, fcntl\nif os.name == 'nt':\n    import pwd\ndef f():\n    os.kill(1, 0)\n"
    assert unguarded(ast.parse(text)) == {"fcntl", "kill"}


def test_a_session_loads_neither_torch_nor_psychopy():
    code = (
        "import sys; import behavior.session, behavior.overview, behavior.simulated\n"
        "heavy = {'torch', 'psychopy', 'matplotlib', 'ultralytics', 'statsmodels'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
