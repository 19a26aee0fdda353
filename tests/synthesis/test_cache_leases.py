"""The cache by book: what a running job needs stays, the longest unused goes first."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from tests.cli.test_commands import Desk
from tests.fakes import Time, in_time
from tts_book import audio
from tts_book.cli.commands import cache as cache_command
from tts_book.errors import UserError
from tts_book.pipeline import session
from tts_book.synthesis.cache_leases import (
    CacheBusy,
    CacheLease,
    block_new_runs,
    hold_entries,
    make_run_folder,
    remove_dead_folders,
)
from tts_book.synthesis.cache_prune import PruneResult, list_books, list_entries, prune_cache
from tts_book.synthesis.chunk_cache import ChunkCache

ONE = CacheLease("One", "one.txt", "out/one", ("a1", "b2"))
TWO = CacheLease("Two", "two.txt", "out/two", ("b2", "c3"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Entries a1 to d4, used at 1,000 s, 2,000 s and so on; d4 is of no known book."""
    frames = audio.silence(240)
    for number, key in enumerate(("a1", "b2", "c3", "d4"), 1):
        entry = ChunkCache(tmp_path).put(key, frames, audio.analyse(frames), (), {})
        os.utime(entry.path, (number * 1_000, number * 1_000))
    for book in (ONE, TWO):
        with hold_entries(tmp_path, [book]):
            pass
    return tmp_path


def keys(cache: Path) -> set[str]:
    return {item.key for item in list_entries(cache)}


def test_shares_are_told_by_book(cache: Path) -> None:
    told = [(share.title, share.entries, share.running) for share in list_books(cache)]
    assert told == [("Two", 2, False), ("One", 2, False), ("", 1, False)]


def test_a_running_book_is_told(cache: Path) -> None:
    with hold_entries(cache, [TWO]):
        assert [share.title for share in list_books(cache) if share.running] == ["Two"]
    assert not any(share.running for share in list_books(cache))


@pytest.mark.parametrize(
    ("used_before_s", "most_entries", "left"),
    [
        (0, None, {"a1", "b2", "c3", "d4"}),
        (2_500, None, {"c3", "d4"}),
        (0, 1, {"d4"}),
        (0, 0, set()),
        (9_999, None, set()),
    ],
)
def test_the_longest_unused_go_first(
    used_before_s: float, most_entries: int | None, left: set[str], cache: Path
) -> None:
    size = next(list_entries(cache)).size_bytes
    most = None if most_entries is None else most_entries * size
    removed = prune_cache(cache, used_before_s=used_before_s, most_bytes=most)
    assert keys(cache) == left
    assert removed == PruneResult(4 - len(left), (4 - len(left)) * size, 0)


def test_what_a_running_job_needs_is_never_removed(cache: Path) -> None:
    with hold_entries(cache, [ONE]):
        assert prune_cache(cache, used_before_s=9_999).needed == 2
        assert keys(cache) == {"a1", "b2"}
    prune_cache(cache, used_before_s=9_999)
    assert keys(cache) == set()
    assert list_books(cache) == ()


def test_a_second_run_of_a_book_is_refused_until_the_first_is_done(cache: Path) -> None:
    with hold_entries(cache, [TWO, ONE]):
        told = rf'"One" is being converted by another run \(process {os.getpid()}\)'
        with pytest.raises(UserError, match=told), hold_entries(cache, [ONE]):
            pass
    with hold_entries(cache, [ONE]):
        assert [share.title for share in list_books(cache) if share.running] == ["One"]


def test_two_runs_of_one_book_in_two_places_hold_lists_of_their_own(cache: Path) -> None:
    other = CacheLease("One", "one.txt", "elsewhere/one", ("d4",))
    with hold_entries(cache, [ONE]):
        with hold_entries(cache, [other]):
            prune_cache(cache, used_before_s=9_999)
        assert keys(cache) == {"a1", "b2", "d4"}


def test_reading_an_entry_is_using_it(cache: Path) -> None:
    assert ChunkCache(cache).get("a1") is not None
    prune_cache(cache, used_before_s=2_500)
    assert keys(cache) == {"a1", "c3", "d4"}


def test_a_damaged_list_is_passed_over(cache: Path) -> None:
    for path in (cache / "books").glob("*.json"):
        path.write_text("[1")
    assert [share.title for share in list_books(cache)] == [""]


def test_a_folder_for_one_run_lives_as_long_as_it(tmp_path: Path) -> None:
    with make_run_folder(tmp_path) as folder:
        (folder / "a1").mkdir()
        remove_dead_folders(tmp_path)
        assert (folder / "a1").is_dir()
        with make_run_folder(tmp_path) as other:
            assert other != folder
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "locked", "stays"),
    [
        ("tts-book-run-k3x_9ab1", True, False),  # a killed run's
        ("tts-book-run-k3x_9ab1", False, True),  # somebody's own folder, like all below
        ("tts-book-main", True, True),
        ("my-tts-book-run-1", True, True),
    ],
)
def test_what_killed_runs_left_is_swept(
    name: str, locked: bool, stays: bool, tmp_path: Path
) -> None:
    (tmp_path / name / "ab").mkdir(parents=True)
    if locked:
        (tmp_path / f"{name}.lock").touch()
    with make_run_folder(tmp_path):
        assert (tmp_path / name / "ab").exists() == stays
    assert (tmp_path / f"{name}.lock").exists() == (stays and locked)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (cache_command.Pruning(), ""),
        (cache_command.Pruning(days=0), "4 chunks removed"),
        (cache_command.Pruning(most_mb=0), "4 chunks removed"),
        (cache_command.Pruning(days=99_999), "0 chunks removed"),
    ],
)
def test_what_was_thrown_away_is_told(cache: Path, rule: cache_command.Pruning, told: str) -> None:
    at = Desk(cache)
    assert at.run(cache_command.cache(at.here(), cache, rule, rule.wanted)) == 0
    assert told in at.err.getvalue()
    assert at.out.getvalue().splitlines()[-1].endswith(f"in {cache}")


@pytest.mark.parametrize(
    ("rule", "asked", "told"),
    [
        (cache_command.Pruning(), True, "needs a rule"),
        (cache_command.Pruning(days=30), False, "add --prune"),
        (cache_command.Pruning(most_mb=30), False, "add --prune"),
    ],
)
def test_half_a_wish_is_no_pruning(
    cache: Path, rule: cache_command.Pruning, asked: bool, told: str
) -> None:
    at = Desk(cache)
    with pytest.raises(UserError, match=told):
        at.run(cache_command.cache(at.here(), cache, rule, asked))
    assert len(keys(cache)) == 4


@pytest.mark.parametrize(("released_s", "waits"), [(3.0, True), (999.0, False)])
def test_a_run_waits_for_a_prune_and_never_goes_on_unprotected(
    released_s: float, waits: bool, cache: Path
) -> None:
    ticks: list[float] = []

    async def work(time: Time) -> None:
        async def tick() -> None:
            while True:
                ticks.append(time.clock())
                await time.sleep(1.0)

        async def release() -> None:
            await time.sleep(released_s)
            pruning.close()

        ticking = [asyncio.create_task(tick()), asyncio.create_task(release())]
        async with session.hold_entries(cache, [ONE], time.tools()):
            held.append(time.clock())
        for task in ticking:
            task.cancel()

    held: list[float] = []
    with contextlib.ExitStack() as pruning:
        pruning.enter_context(block_new_runs(cache))
        with contextlib.nullcontext() if waits else pytest.raises(CacheBusy, match="run the same"):
            in_time(work)
    assert bool(held) == waits
    assert len(ticks) >= 3  # the loop went on
