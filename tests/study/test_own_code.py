"""Code of the user's: found, noticed when it changes, imported, and its mistakes named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import StudyError
from study.fields import Model
from study.model_files import hugging_face_folder, is_own, model_files
from study.own_code import WORKING_DIRECTORY, code_file, code_sha256, named_class, named_code

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Write:
    """Return a function that writes a module of a name of its own into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = "code_" + "".join(c if c.isalnum() else "_" for c in request.node.name)

    def write_module(code: str) -> str:
        (tmp_path / f"{name}.py").write_text(code)
        return name

    return write_module


def test_code_is_imported_and_its_file_known(write: Write, tmp_path: Path) -> None:
    name = write("class Own(dict): pass\nvalue = 3\n")
    assert code_file("field", f"{name}:Own") == tmp_path / f"{name}.py"
    assert named_code("field", f"{name}:value") == 3
    assert issubclass(named_class("field", f"{name}:Own", dict), dict)


def test_its_hash_changes_with_it_and_nothing_runs(write: Write) -> None:
    name = write("raise RuntimeError('ran')\n")
    before = code_sha256("field", f"{name}:Own")
    assert code_sha256("field", f"{name}:Other") == before
    write("raise RuntimeError('ran again')\n")
    assert code_sha256("field", f"{name}:Own") != before


@pytest.mark.parametrize("parent", ["raise RuntimeError('ran')\n", None])
def test_code_in_a_package_is_found_without_running_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    package = "package_with_code" if parent else "package_without_code"
    file = tmp_path / package / "inner" / "networks.py"
    file.parent.mkdir(parents=True)
    file.write_text("raise RuntimeError('ran')\n")
    if parent:
        (tmp_path / package / "__init__.py").write_text(parent)
    assert code_file("field", f"{package}.inner.networks:Own") == file
    for missing in (f"{package}.inner.others", f"{package}.others.networks", "nowhere.networks"):
        with pytest.raises(StudyError, match=f"no module '{missing}'"):
            code_file("field", f"{missing}:Own")


def test_an_installed_package_is_not_shadowed_by_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tomli_w.py").write_text("raise RuntimeError('the wrong one')\n")
    assert "tomli_w.py" not in str(code_file("field", "tomli_w:dumps"))


def test_steps_of_a_run_look_where_the_user_called_it(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write("value = 3\n")
    monkeypatch.setenv(WORKING_DIRECTORY, str(tmp_path))
    elsewhere = tmp_path / "results"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr("sys.path", [each for each in sys.path if each != str(tmp_path)])
    assert named_code("field", f"{name}:value") == 3
    assert hugging_face_folder("hf:given") == tmp_path / "given"


def test_mistakes_are_named(write: Write) -> None:
    with pytest.raises(StudyError, match=r"field = 'lost:Own': no module 'lost' in .*module:Class"):
        named_code("field", "lost:Own")
    with pytest.raises(StudyError, match=r"expected module:function"):
        named_code("field", "lost.below:own", "module:function")
    name = write("Own = 3\n")
    with pytest.raises(StudyError, match=r"\.py has no class 'Other'"):
        named_code("field", f"{name}:Other")
    with pytest.raises(StudyError, match=r"expected a class derived from dict, found 3"):
        named_class("field", f"{name}:Own", dict)


def test_code_that_fails_on_import_is_named(write: Write) -> None:
    name = write("1 / 0\n")
    with pytest.raises(StudyError, match=r"importing .*\.py failed: ZeroDivisionError"):
        named_code("field", f"{name}:Own")


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("net:Own", True),
        ("a.b:Own", True),
        ("resnet18", False),
        ("timm:x", False),
        ("hf:/x", False),
    ],
)
def test_what_is_ones_own(name: str, own: bool) -> None:
    assert is_own(name) is own


def test_the_files_of_a_model_are_found_where_they_are(write: Write, tmp_path: Path) -> None:
    name = write("class Own: pass\n")
    folder = tmp_path / "given"
    folder.mkdir()
    for file in ("config.json", "model.safetensors", "README.md"):
        (folder / file).write_text(file)
    (tmp_path / "labels.csv").write_text("label,action\n")
    model = Model(
        name="own",
        architecture=f"{name}:Own",
        backbone=f"hf:{folder}",
        labels=tmp_path / "labels.csv",
        weights=tmp_path / "none.pth",
    )
    assert model_files(model) == {
        "labels: labels.csv": tmp_path / "labels.csv",
        f"architecture: {name}.py": tmp_path / f"{name}.py",
        "backbone: config.json": folder / "config.json",
        "backbone: model.safetensors": folder / "model.safetensors",
    }
    absent = model.model_copy(update={"architecture": "nothing_here:Own", "backbone": "hf:/none"})
    assert list(model_files(absent)) == ["labels: labels.csv"]
