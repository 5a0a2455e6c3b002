"""The Apptainer definition agrees with the repository from which an image is built."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEFINITION = (ROOT / "containers/bodyscene.def").read_text()
# What a definition may hold, from Apptainer's user guide.
SECTIONS = {"setup", "files", "post", "environment", "test", "runscript", "labels", "help"}
SCRIPTS = ("setup", "post", "environment", "test", "runscript")
# Beyond what wheels need of the system anyway: certificates, Python, a compiler.
OF_THE_IMAGE = {"ca-certificates", "g++", "python3-dev", "python3-venv"}


def sections() -> dict[str, str]:
    """Return section -> text of the definition; "" is its head."""
    parts = re.split(r"^%(\w+)[ \t]*\n", DEFINITION, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def files() -> dict[str, str]:
    """Return path in the repository -> path in the image."""
    lines = (line.split("#")[0].split() for line in sections()["files"].splitlines())
    return {line[0]: line[1] for line in lines if line}


def project() -> dict[str, dict]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_sections_are_those_of_apptainer() -> None:
    found = sections()
    assert set(found) - {""} == SECTIONS
    assert re.search(r"^Bootstrap: docker$\s^From: debian:bookworm-slim$", found[""], re.MULTILINE)


@pytest.mark.parametrize("section", SCRIPTS)
def test_scripts_parse_as_sh(section: str) -> None:
    script = sections()[section]
    done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True)
    assert script.strip() and done.returncode == 0, done.stderr


def test_environment_finds_the_image_and_not_what_lies_on_the_host(tmp_path: Path) -> None:
    script = sections()["environment"] + '\necho "$PATH|$PYTHONNOUSERSITE|${PYTHONPATH-unset}"'
    host = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}
    done = subprocess.run(["sh", "-c", script], env=host, capture_output=True, text=True)
    assert done.stdout.strip() == "/opt/venv/bin:/usr/bin:/bin|1|unset"


def test_the_image_knows_its_commit(tmp_path: Path) -> None:
    repository, image = tmp_path / "repository", tmp_path / "image"
    repository.mkdir()
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *arguments], cwd=repository, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = os.environ | {"APPTAINER_ROOTFS": str(image)}
    script = ["sh", "-e", "-c", sections()["setup"]]
    subprocess.run(script, cwd=repository, env=environment, check=True)
    commit = image / "opt/bodyscene/COMMIT"
    assert commit.read_text().strip() == head
    (repository / "new").write_text("x")
    subprocess.run(["git", "add", "new"], cwd=repository, check=True)
    subprocess.run(script, cwd=repository, env=environment, check=True)
    assert commit.read_text().strip() == f"{head}+changes"


def test_files_exist_and_none_of_the_package_is_missing() -> None:
    copied = files()
    missing = [path for path in copied if not (ROOT / path).exists()]
    assert not missing
    packages = {
        pattern.rstrip("*")
        for pattern in project()["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    read_in_build = {"README.md", "LICENSE", "pyproject.toml", "constraints.txt"}
    assert packages | read_in_build | {"bodyscene.py", "Snakefile", "profiles"} <= set(copied)
    assert all(inside == f"/opt/bodyscene/{path}" for path, inside in copied.items())


def test_system_packages_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    value = re.search(r"^SYSTEM_PACKAGES = (.*)$", makefile, re.MULTILINE)
    assert value is not None
    # Without what only a laboratory's screen or a browser needs.
    base = set(re.sub(r"\$\(if .*", "", value.group(1)).split())
    post = sections()["post"].replace("\\\n", " ")
    installed = re.search(r"^ *apt-get install (.*)$", post, re.MULTILINE)
    assert installed is not None
    found = {word for word in installed.group(1).split() if not word.startswith("-")}
    assert base and found == base | OF_THE_IMAGE


def test_extras_exist() -> None:
    named = re.search(r'--editable "\.\[([\w,]+)\]"', sections()["post"])
    assert named is not None
    extras = named.group(1).split(",")
    assert {"models", "cluster", "video"} == set(extras)
    assert set(extras) <= set(project()["project"]["optional-dependencies"])


def test_version_of_python_is_one_that_the_project_supports() -> None:
    # Debian 12 (bookworm) has Python 3.11; the constraints were tried with it.
    low, high = re.findall(r"3\.(\d+)", project()["project"]["requires-python"])
    assert int(low) <= 11 < int(high)
