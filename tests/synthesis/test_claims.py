"""Claims: each is held by one run, dead ones are taken over by one, machines' clocks differ."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import Time, in_time
from tts_book.synthesis.cache_prune import list_entries, prune_cache
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.claims import (
    BOOT_ID,
    HEARTBEAT_S,
    STALE_S,
    UNKNOWN,
    Claimant,
    Claims,
    describe_process,
    find_folder_time,
)

NOW_S = 1_700_000_000.0  # by the folder; what our own clock says is another matter
HERE = Claimant("nas-user", 100, "f00d", "pid:[1]")


def claims_of(
    claimant: Claimant,
    *,
    lives: Callable[[int], bool] = lambda process: True,
    clock: Callable[[], float] = lambda: 7.0,
) -> Claims:
    return Claims(claimant, folder_time=lambda folder: NOW_S, clock=clock, lives=lives)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (NOW_S - seconds, NOW_S - seconds))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ab" / "ab12.claim"


def test_a_claim_says_whose_it_is_and_is_held_by_one(path: Path) -> None:
    mine, other = claims_of(HERE), claims_of(Claimant("elsewhere", 9, "cafe"))
    assert mine.take(path) is None
    assert json.loads(path.read_text()) == {
        "host": "nas-user",
        "process": 100,
        "run": "f00d",
        "space": "pid:[1]",
    }
    age(path, 0)
    assert other.take(path) == HERE
    assert str(HERE) == "process 100 on nas-user"
    assert other.is_held(path)
    other.release(path)  # it is not theirs
    assert path.exists()
    mine.release(path)
    assert not other.is_held(path)
    assert other.take(path) is None


def test_this_process_describes_itself_and_a_new_run_each_time() -> None:
    one, other = describe_process(), describe_process()
    assert one.process == os.getpid()
    assert one.is_beside(other)
    assert one.run != other.run


def test_machines_of_one_name_are_told_apart() -> None:
    mine = describe_process()
    assert mine.space.startswith(
        BOOT_ID.read_text().strip() if BOOT_ID.exists() else f"{uuid.getnode():x}"
    )
    assert not mine.is_beside(replace(mine, space=f"elsewhere {mine.space}"))


@pytest.mark.parametrize(
    ("holder", "process_lives", "seconds", "dead"),
    [
        (Claimant("elsewhere", 5, "cafe"), True, 0, False),
        (Claimant("elsewhere", 5, "cafe"), False, STALE_S - 1, False),  # not our process 5
        (Claimant("elsewhere", 5, "cafe"), True, STALE_S + 1, True),
        (Claimant("elsewhere", 5, "cafe"), True, 1 - STALE_S, False),
        (Claimant("elsewhere", 5, "cafe"), True, -STALE_S - 1, True),  # the clock was set back
        (Claimant("nas-user", 5, "cafe", "pid:[1]"), True, 0, False),
        (Claimant("nas-user", 5, "cafe", "pid:[1]"), False, 0, True),
        (Claimant("nas-user", 5, "cafe", "pid:[1]"), True, STALE_S + 1, True),
        (Claimant("nas-user", 5, "cafe", "pid:[2]"), False, 0, False),  # another container
        (None, True, 0, False),  # it is being written
        (None, False, STALE_S + 1, True),
    ],
)
def test_a_dead_claim_is_taken_over_and_no_other(
    holder: Claimant | None, process_lives: bool, seconds: float, dead: bool, path: Path
) -> None:
    if holder is None:
        path.parent.mkdir()
        path.write_bytes(b'{"host": "els')
    else:
        claims_of(holder).take(path)
    age(path, seconds)
    mine = claims_of(HERE, lives=lambda process: process_lives)
    assert mine.is_held(path) != dead
    assert mine.take(path) == (None if dead else holder or UNKNOWN)
    assert (json.loads(path.read_text())["run"] == "f00d") if dead else True
    assert [each.name for each in path.parent.iterdir()] == ["ab12.claim"]


@pytest.mark.parametrize("third", [False, True])
def test_who_judged_a_claim_dead_too_late_does_not_take_it_from_the_next(
    third: bool, path: Path
) -> None:
    dead = Claimant("nas-user", 5, "dead", "pid:[1]")
    claims_of(dead).take(path)
    age(path, 0)
    quick = claims_of(Claimant("nas-user", 6, "cafe", "pid:[1]"), lives=lambda process: False)
    after = claims_of(Claimant("nas-user", 7, "babe", "pid:[1]"))

    def judged(process: int) -> bool:
        if process == 5:  # while we are looking, another one takes it over
            assert quick.take(path) is None
            if third:
                quick.release(path)
                assert after.take(path) is None
            age(path, 0)
        return process != 5

    slow = claims_of(HERE, lives=judged)
    holder = slow.take(path)
    assert holder is not None
    assert holder.run == ("babe" if third else "cafe")
    assert json.loads(path.read_text())["run"] == holder.run


def test_of_many_who_find_a_dead_claim_one_takes_it_over(path: Path) -> None:
    claims_of(Claimant("nas-user", 5, "dead", "pid:[1]")).take(path)
    runs = [Claimant("nas-user", 10 + n, f"{n:x}", "pid:[1]") for n in range(8)]
    all_at_once, won = threading.Barrier(len(runs)), []

    def take(run: Claimant) -> None:
        claims = Claims(run, lives=lambda process: process != 5)
        all_at_once.wait()
        if claims.take(path) is None:
            won.append(run.run)

    threads = [threading.Thread(target=take, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert json.loads(path.read_text())["run"] == won[0]


def test_an_heir_that_died_over_it_stands_in_nobodys_way(path: Path) -> None:
    claims_of(Claimant("elsewhere", 5, "dead")).take(path)
    heir = path.with_name("ab12.claim.heir")
    claims_of(Claimant("elsewhere", 6, "heir")).take(heir)
    age(path, STALE_S + 1)
    age(heir, 0)
    mine = claims_of(HERE)
    assert mine.take(path) is not None  # somebody is just taking it over
    age(heir, STALE_S + 1)
    assert mine.take(path) is None


def test_a_dead_claim_that_another_run_is_reading_is_taken_over_a_moment_later(path: Path) -> None:
    """Windows renames nothing to a file that is open."""
    claims_of(Claimant("nas-user", 5, "dead", "pid:[1]")).take(path)
    waits_s: list[float] = []

    def rename(old: Path, new: Path) -> None:
        if len(waits_s) < 2:
            raise PermissionError
        old.replace(new)

    mine = Claims(HERE, lives=lambda process: False, replace=rename, sleep=waits_s.append)
    assert mine.take(path) is None
    assert len(waits_s) == 2
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_is_renewed_lives_and_what_was_lost_is_let_alone(path: Path) -> None:
    mine, other = claims_of(HERE), claims_of(Claimant("elsewhere", 9, "cafe"))
    lost = path.with_name("lost.claim")
    gone = path.with_name("gone.claim")
    assert mine.take_all([path, lost, gone]) is None

    async def work(time: Time) -> None:
        renewing = asyncio.create_task(mine.keep_alive(time.sleep))
        for each in (path, lost):
            age(each, STALE_S + 1)
        gone.unlink()
        assert other.take(lost) is None
        await time.sleep(HEARTBEAT_S + 1)
        renewing.cancel()

    before = find_folder_time(path.parent)
    in_time(work)
    assert path.stat().st_mtime >= before
    assert not gone.exists()
    mine.release_all()
    assert not path.exists()
    assert json.loads(lost.read_text())["run"] == "cafe"


def test_all_or_none(path: Path) -> None:
    mine, other = claims_of(HERE), claims_of(Claimant("elsewhere", 9, "cafe"))
    paths = [path.with_name(f"{name}.claim") for name in "abc"]
    assert other.take(paths[1]) is None
    age(paths[1], 0)
    assert mine.take_all(paths) == other.claimant
    assert [each for each in paths if each.exists()] == [paths[1]]
    other.release_all()
    assert mine.take_all(paths) is None


def test_the_folders_own_clock_counts(path: Path) -> None:
    """The holder's machine and ours may both be wrong by hours."""
    other = Claims(Claimant("elsewhere", 9, "cafe"), clock=lambda: -50_000.0)
    assert other.take(path) is None
    assert Claims(HERE, clock=lambda: 90_000.0).take(path) == other.claimant


def test_a_machine_that_slept_takes_no_claim_for_dead_that_was_renewed_meanwhile(
    path: Path,
) -> None:
    """Clocks that measure spans stand still while a machine sleeps."""
    other, now_s = claims_of(Claimant("elsewhere", 9, "cafe")), NOW_S
    mine = Claims(HERE, folder_time=lambda folder: now_s, clock=lambda: 7.0)
    assert other.take(path) is None
    age(path, 0)
    assert mine.is_held(path)
    now_s += 3_600
    age(path, -3_600)
    assert mine.is_held(path)
    age(path, 0)
    assert not mine.is_held(path)


def test_claims_are_no_entries_and_dead_ones_are_pruned(tmp_path: Path) -> None:
    cache = ChunkCache(tmp_path)
    held, dead = Claims(), Claims(Claimant("elsewhere", 9, "cafe"))
    assert held.take(cache.claim_path("ab12")) is None
    assert dead.take(cache.claim_path("cd34")) is None
    assert dead.take(cache.claim_path("ef56")) is None
    os.utime(cache.claim_path("cd34"), (1, 1))
    assert not list(list_entries(tmp_path))
    assert not cache.has("ab12")
    prune_cache(tmp_path, used_before_s=float("inf"))
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["ab12.claim", "ef56.claim"]


# In any order

ACTIONS = ("take", "release", "kill", "suspend", "wait", "wait long")


@dataclass
class World:
    """Runs on two machines, and the folder's clock: files written now are stamped with its time."""

    folder: Path
    now_s: float = NOW_S
    dead: set[int] = field(default_factory=set)
    asleep: set[int] = field(default_factory=set)
    stamps: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = [
            Claims(
                Claimant(f"host{n % 2}", n, f"{n:x}"),
                folder_time=lambda folder: self.now_s,
                clock=lambda: self.now_s - NOW_S,
                lives=lambda process: process not in self.dead,
            )
            for n in range(4)
        ]
        self.holders: dict[Path, set[int]] = {self.folder / f"{n}.claim": set() for n in range(2)}

    def stamp(self) -> None:
        for path in self.folder.iterdir():
            written = path.stat().st_mtime_ns
            if self.stamps.get(path) != written:
                os.utime(path, (self.now_s, self.now_s))
                self.stamps[path] = path.stat().st_mtime_ns

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / HEARTBEAT_S)):
            self.now_s += HEARTBEAT_S
            for number, run in enumerate(self.runs):
                if number not in self.dead | self.asleep:
                    run.renew()
            self.stamp()

    def act(self, action: str, who: int, path: Path) -> None:
        if action == "wait":
            return self.wait(2 * HEARTBEAT_S)
        if action == "wait long":
            return self.wait(STALE_S + 2 * HEARTBEAT_S)
        if who in self.dead or who in self.asleep:
            return None
        if action == "kill":
            self.dead.add(who)
        elif action == "suspend":
            self.asleep.add(who)
        elif action == "release":
            self.runs[who].release(path)
            self.holders[path].discard(who)
        elif self.runs[who].take(path) is None:
            self.holders[path].add(who)
        return self.stamp()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 3), st.integers(0, 1)), max_size=30)
)
def test_no_two_runs_that_live_hold_a_claim_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("claims"))
    for action, who, number in actions:
        world.act(action, who, world.folder / f"{number}.claim")
        for path, holders in world.holders.items():
            awake = holders - world.dead - world.asleep
            assert len(awake) <= 1
            if awake:
                assert json.loads(path.read_text())["process"] in awake
    world.wait(STALE_S + 2 * HEARTBEAT_S)
    fresh = Claims(
        Claimant("host2", 99, "63"),
        folder_time=lambda folder: world.now_s,
        clock=lambda: world.now_s - NOW_S,
    )
    for path, holders in world.holders.items():
        assert (fresh.take(path) is None) == (not holders - world.dead - world.asleep)
