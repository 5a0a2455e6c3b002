"""A virtual screen, a child process with a window on it, and a robot in front of it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from behavior.robot import Plan, Robot, Sign

ROOT = Path(__file__).parents[2]
NEEDED = [
    pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Xvfb, a virtual screen"),
    pytest.mark.skipif(
        not importlib.util.find_spec("psychopy"), reason="needs psychopy (pip install .[lab])"
    ),
]


@contextlib.contextmanager
def virtual_screen() -> Iterator[str]:
    """Start a screen of 1280 x 960 and give its name; skip the test where it does not start."""
    with tempfile.TemporaryFile() as errors:
        read, write = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x960x24", "-nolisten", "tcp"],
            pass_fds=[write], stderr=errors,
        )  # fmt: skip
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            pytest.skip("Xvfb did not start")
        try:
            yield f":{number}"
        finally:
            server.terminate()
            server.wait(10)


def start(display: str, command: Sequence[str], home: Path) -> subprocess.Popen[str]:
    """Start a child process that draws on the screen; `home` holds PsychoPy's preferences."""
    return subprocess.Popen(
        command,
        env={**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT), "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_with(display: str, command: Sequence[str], home: Path, robot: Robot) -> str:
    """Run a child process while a robot answers; return what it printed."""
    child = start(display, command, home)
    try:
        robot.act_until(lambda: child.poll() is not None)
        output, _ = child.communicate(timeout=30)
    finally:
        child.kill()
    assert child.returncode == 0, output
    return output


def decider(seed: int) -> Callable[[Sign], Plan | None]:
    """Return a robot's mind: any choice after any time; pages are left, sessions not stopped."""
    rng = np.random.default_rng(seed)

    def decide(sign: Sign) -> Plan | None:
        names = [button["name"] for button in sign["buttons"]]
        if not names:
            return None
        wanted = [name for name in names if name in ("go_on", "no")] or [rng.choice(names)]
        return Plan(str(wanted[0]), 0.05 + 0.1 * rng.random())

    return decide
