"""The texts of a session, from files in any language."""

from __future__ import annotations

from pathlib import Path

import pytest

from behavior.pages import BUILT_IN, PAGES, copy_texts, read_texts
from study.errors import StudyError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_texts(tmp_path)
    return tmp_path


def test_the_built_in_texts_are_complete_and_titled():
    texts = read_texts()
    assert set(texts.pages) == set(PAGES)
    assert all(text.startswith("# ") for text in texts.pages.values())
    assert len(list(BUILT_IN.iterdir())) == len(PAGES) + 1


def test_texts_of_ones_own_are_read_in_any_script(folder: Path):
    (folder / "break.md").write_text(
        "\ufeff# 休憩\n\n{n_done} / {n_trials} {x} {}", encoding="utf-8"
    )
    words = (folder / "words.toml").read_text(encoding="utf-8")
    (folder / "words.toml").write_text(words.replace('"Go on"', '"متابعة"'), encoding="utf-8")
    texts = read_texts(folder)
    assert texts.page("break", n_done=3, n_trials=9) == "# 休憩\n\n3 / 9 {x} {}"
    assert texts.words["go_on"] == "متابعة"
    assert texts.hashes["break.md"] != read_texts().hashes["break.md"]
    assert texts.hashes["consent.md"] == read_texts().hashes["consent.md"]


def test_copies_do_not_overwrite_what_was_edited(folder: Path):
    (folder / "debrief.md").write_text("# Danke", encoding="utf-8")
    (folder / "start.md").unlink()
    assert [path.name for path in copy_texts(folder)] == ["start.md"]
    assert (folder / "debrief.md").read_text(encoding="utf-8") == "# Danke"


def test_missing_pages_and_words_are_named(folder: Path):
    (folder / "debrief.md").unlink()
    (folder / "start.md").unlink()
    with pytest.raises(StudyError, match=r"missing start\.md, debrief\.md; expected consent\.md"):
        read_texts(folder)
    copy_texts(folder)
    path = folder / "words.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("go_on =", "go_onn =").replace('"Right"', '""'), encoding="utf-8")
    with pytest.raises(
        StudyError, match=r"words\.toml: missing go_on; unknown go_onn; right is empty"
    ):
        read_texts(folder)
    path.write_text("go_on = ", encoding="utf-8")
    with pytest.raises(StudyError, match="not a TOML file"):
        read_texts(folder)


def test_pages_that_are_needed_cannot_be_empty_and_files_are_utf8(folder: Path):
    (folder / "disk_full.md").write_text("  \n")
    with pytest.raises(StudyError, match=r"disk_full\.md: empty"):
        read_texts(folder)
    (folder / "disk_full.md").write_bytes("Gerät".encode("latin-1"))
    with pytest.raises(StudyError, match=r"disk_full\.md: not UTF-8"):
        read_texts(folder)
