"""Names that every file system takes, and files that are ours to replace."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import book
from tts_book.errors import UserError
from tts_book.output.paths import (
    NAME_MOST_BYTES,
    Layout,
    file_name,
    find_stale_files,
    folder_ignores_case,
    lay_out_book,
    make_folders,
    refuse_foreign_files,
)

NAMES = [
    ("Глава 1", "Глава 1"),
    ("a/b:c*?", "abc"),
    ("CON", "CON_"),
    ("nul.txt", "nul_.txt"),
    ("The end. ", "The end"),
    ("..", "untitled"),
    ("", "untitled"),
    ("../../etc/passwd", "etcpasswd"),
    ("e\u0301t\u0300", "ét̀"),
    ("bell\x07\u202egnp", "bellgnp"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_names(text: str, name: str) -> None:
    assert file_name(text) == name


@given(st.text(max_size=400))
def test_any_text_makes_a_name(text: str) -> None:
    name = file_name(text)
    assert 0 < len(name.encode()) <= NAME_MOST_BYTES + 1
    assert not set(name) & set('/\\:*?"<>|\x00\n')
    assert name.strip(" .") == name


def of(count: int, out: Path | None, cwd: Path, source: Path | None = None) -> Layout:
    made = book(*["text"] * count)
    return lay_out_book(made, "story", source or cwd / "story.txt", out, cwd)


def test_where_files_go(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert of(1, None, tmp_path).targets == (tmp_path / "story.mp3",)
    assert of(1, out, tmp_path).targets == (out / "story.mp3",)
    assert of(1, tmp_path / "x.mp3", tmp_path).targets == (tmp_path / "x.mp3",)
    assert of(2, out, tmp_path).targets == (
        out / "story" / "001 - Chapter 1.mp3",
        out / "story" / "002 - Chapter 2.mp3",
    )
    assert of(1_200, out, tmp_path).targets[0].name == "0001 - Chapter 1.mp3"


def test_a_file_for_several_chapters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="-o"):
        of(2, tmp_path / "x.mp3", tmp_path)


def test_the_source_folder_is_not_filled_with_sound(tmp_path: Path) -> None:
    placed = of(2, None, tmp_path, source=tmp_path / "story")
    assert placed.folder == tmp_path / "story (audio)"


def test_owner_moves_with_the_files(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert of(1, here / "out", here).owner == of(1, there / "out", there).owner == "../story.txt"


def test_strangers_are_refused_unless_forced(tmp_path: Path) -> None:
    placed = of(1, None, tmp_path)
    placed.targets[0].write_bytes(b"music")
    with pytest.raises(UserError, match="--force"):
        refuse_foreign_files([placed], lambda path: None, force=False)
    with pytest.raises(UserError, match="--force"):
        refuse_foreign_files([placed], lambda path: "another.txt", force=False)
    refuse_foreign_files([placed], lambda path: placed.owner, force=False)
    refuse_foreign_files([placed], lambda path: None, force=True)


def test_two_books_in_one_file_are_refused(tmp_path: Path) -> None:
    one, two = of(1, None, tmp_path), of(1, None, tmp_path, source=tmp_path / "b" / "story.txt")
    with pytest.raises(UserError, match="Two of these books"):
        refuse_foreign_files([one, two], lambda path: None, force=True)


@pytest.mark.parametrize(
    ("other", "ignores_case", "refused"),
    [
        ("Story.txt", True, True),
        ("Story.txt", False, False),
        ("sto\u0301ry.txt", True, False),
        ("tale.txt", True, False),
    ],
)
def test_names_that_differ_by_case_are_one_file_on_some_disks(
    other: str, ignores_case: bool, refused: bool, tmp_path: Path
) -> None:
    places = [of(1, tmp_path, tmp_path, source=tmp_path / "a" / "story.txt")]
    stem = Path(other).stem
    source = tmp_path / "b" / other
    places.append(lay_out_book(book("x"), stem, source, tmp_path, tmp_path))
    with pytest.raises(UserError, match="Two of these") if refused else contextlib.nullcontext():
        refuse_foreign_files(places, lambda _: None, False, lambda _: ignores_case)


def test_a_disk_is_asked_about_case_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "Case").touch()
    folder = tmp_path / "not" / "there"
    assert folder_ignores_case(folder) == (tmp_path / "cASE").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["Case"]


def test_left_over_files_are_those_of_this_book_only(tmp_path: Path) -> None:
    placed = of(2, tmp_path, tmp_path)
    make_folders([placed])
    ours, other = placed.folder / "003 - Chapter 3.mp3", placed.folder / "other.mp3"
    single = tmp_path / "story.mp3"
    for path in (*placed.targets, ours, other, single):
        path.write_bytes(b"")
    owners = {other: "else.txt"}

    def owner_of(path: Path) -> str:
        return owners.get(path, placed.owner)

    assert find_stale_files(placed, owner_of, lambda _: False) == (ours, single)
    assert find_stale_files(placed, owner_of, lambda path: path == single) == (ours,)


def test_files_in_formats_that_are_not_asked_for_now_are_not_stale(tmp_path: Path) -> None:
    chapters = of(2, tmp_path, tmp_path)
    make_folders([chapters])
    old = chapters.folder / "003 - Chapter 3.mp3"
    whole, opus = tmp_path / "story.m4b", tmp_path / "story.opus"
    for path in (*chapters.targets, old, whole, opus):
        path.write_bytes(b"")

    def stale(layout: Layout) -> tuple[Path, ...]:
        return find_stale_files(layout, lambda _: layout.owner, lambda _: False)

    assert stale(chapters) == (old,)
    m4b = replace(chapters, whole=(("m4b", whole),), keeps_chapters=False)
    assert stale(m4b) == ()
    moved = replace(m4b, whole=(("m4b", tmp_path / "story, part 1.m4b"),))
    assert stale(moved) == (whole,)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="-o"):
        make_folders([of(1, tmp_path / "file" / "out", tmp_path)])


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_spoken(tmp_path: Path) -> None:
    places = of(1, None, tmp_path)
    places.targets[0].mkdir()
    with pytest.raises(UserError, match="is a folder"):
        refuse_foreign_files([places], lambda _: None, force=True)
