"""The pool: every chunk once, in order, with the remedy that its failure deserves."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fakes import ScriptedBackend, ScriptedJudge, Time, chunks, in_time, spoken, tasks
from tts_book import events
from tts_book.backends import Limits, SoundFinding
from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
    UserError,
)
from tts_book.model import Chunk, Speech, Voice
from tts_book.synthesis.chunk_cache import ChunkCache, key_of
from tts_book.synthesis.claims import Claimant, Claims
from tts_book.synthesis.pool import Pool

VOICE = Voice("reader", "scripted", "one", "en")
TEXTS = tuple(f"This is sentence number {n}. It has a second part, too." for n in range(12))


E = TypeVar("E")


@dataclass
class Run:
    """What a run over some chunks left behind."""

    keys: list[str | None] = field(default_factory=list)
    told: list[events.Event] = field(default_factory=list)
    stopped: str = ""
    took_s: float = 0.0

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.told if isinstance(event, kind)]


def run(
    backend: ScriptedBackend,
    all_chunks: Sequence[Chunk],
    folder: Path,
    workers: int = 0,
    *,
    wait: bool = False,
) -> Run:
    left = Run()

    async def work(time: Time) -> None:
        backend._sleep = time.sleep
        pool = Pool(ChunkCache(folder), left.told.append, time.tools(workers, wait=wait))
        found: dict[int, str | None] = {}
        async with aclosing(pool.speak(tasks(backend, VOICE, all_chunks, "f"))) as outcomes:
            async for task, entry in outcomes:
                found[task.order] = entry.path.stem if entry else None
        left.keys = [found[order] for order in sorted(found)]
        left.stopped, left.took_s = pool.stopped, time.clock()

    in_time(work)
    return left


def test_every_chunk_is_spoken_once_and_the_second_run_asks_nothing(tmp_path: Path) -> None:
    backend = ScriptedBackend()
    assert all(run(backend, chunks(*TEXTS), tmp_path).keys)
    assert backend.asked == dict.fromkeys(TEXTS, 1)
    again = ScriptedBackend()
    second = run(again, chunks(*TEXTS), tmp_path)
    assert not again.asked
    assert all(event.cached for event in second.told if isinstance(event, events.ChunkDone))


def test_chunks_start_in_reading_order(tmp_path: Path) -> None:
    backend = ScriptedBackend()
    run(backend, chunks(*TEXTS), tmp_path)
    assert backend.order == list(TEXTS)


def test_chunks_that_say_the_same_share_one_request(tmp_path: Path) -> None:
    backend = ScriptedBackend()
    left = run(backend, chunks("Yes, yes.", "No.", "Yes, yes.", "Yes, yes."), tmp_path)
    assert backend.asked == {"Yes, yes.": 1, "No.": 1}
    assert len(left.of(events.ChunkDone)) == 4


@pytest.mark.parametrize(
    ("limits", "workers", "most"),
    [
        (Limits(2, 4), 0, 4),
        (Limits(2, 4), 1, 1),
        (Limits(2, 4), 6, 6),
        (Limits(1, 1), 0, 1),
        (Limits(40, 40), 40, 40),
    ],
)
def test_no_more_at_once_than_the_limit(
    limits: Limits, workers: int, most: int, tmp_path: Path
) -> None:
    backend = ScriptedBackend(limits=limits)
    run(backend, chunks(*(f"Number {n}." for n in range(60))), tmp_path, workers)
    assert backend.most_in_flight == most


def fails(times: int, error: BackendError) -> ScriptedBackend:
    return ScriptedBackend(lambda text, attempt: error if attempt <= times else spoken(text))


@pytest.mark.parametrize(
    ("times", "error"),
    [
        (2, BackendUnavailable("dropped")),
        (3, BackendUnavailable("too much", Failure.OVERLOAD)),
        (2, BackendIncomplete("cut off")),
        (3, BackendIncomplete("nothing came", Failure.NO_AUDIO)),
    ],
)
def test_failures_that_heal_are_tried_again(
    times: int, error: BackendError, tmp_path: Path
) -> None:
    backend = fails(times, error)
    left = run(backend, chunks("One sentence only."), tmp_path)
    assert all(left.keys)
    assert backend.asked["One sentence only."] == times + 1
    assert len(left.of(events.ChunkRetried)) == times


def test_a_wish_of_the_service_is_kept(tmp_path: Path) -> None:
    error = BackendUnavailable("busy", Failure.OVERLOAD, retry_after_s=77)
    assert run(fails(1, error), chunks("A sentence."), tmp_path).took_s >= 77


def test_what_cannot_be_spoken_fails_alone_with_its_place_and_words(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        return BackendIncomplete("silent", Failure.NO_AUDIO) if "mute" in text else spoken(text)

    left = run(ScriptedBackend(answer), chunks("Fine.", "The mute word.", "Good."), tmp_path)
    assert [key is not None for key in left.keys] == [True, False, True]
    (failed,) = left.of(events.ChunkFailed)
    assert isinstance(failed, events.ChunkFailed)
    assert (failed.place, failed.words) == ("book.txt:1:1", "The mute word.")
    assert not left.stopped


def test_a_text_too_long_for_the_service_is_spoken_in_halves(tmp_path: Path) -> None:
    text = "The first half is here. The second half is there."

    def answer(said: str, attempt: int) -> Speech | BackendError:
        if len(said) > 30:
            return BackendRefused("more than 600 s", Failure.TOO_LONG)
        return spoken(said)

    backend = ScriptedBackend(answer)
    left = run(backend, chunks(text), tmp_path)
    assert list(backend.asked) == [text, "The first half is here.", "The second half is there."]
    (key,) = left.keys
    assert key is not None
    entry = ChunkCache(tmp_path).get(key)
    assert entry is not None
    assert [text[mark.start : mark.stop] for mark in entry.marks] == [
        "The first half is here.",
        "The second half is there.",
    ]
    assert entry.marks[1].start_ms > entry.marks[0].stop_ms


def test_a_suspicious_reply_that_comes_twice_is_kept_and_told(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        return BackendIncomplete(
            "odd speed", print_of_reply=(5_000, 4_100 + attempt), speech=spoken(text)
        )

    backend = ScriptedBackend(answer)
    left = run(backend, chunks("Strange."), tmp_path)
    assert all(left.keys)
    assert backend.asked["Strange."] == 2
    (done,) = left.of(events.ChunkDone)
    assert isinstance(done, events.ChunkDone)
    assert [str(doubt) for doubt in done.doubts] == ["odd speed"]


def test_a_whole_chunk_is_halved_before_a_suspicious_reply_is_believed(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        if "strange" not in text.lower():
            return spoken(text)
        return BackendIncomplete("odd speed", print_of_reply=(5_000, 4_100), speech=spoken(text))

    backend = ScriptedBackend(answer)
    left = run(backend, chunks("A plain sentence. A strange sentence."), tmp_path)
    assert all(left.keys)
    assert backend.asked["A plain sentence."] == 1
    assert backend.asked["A strange sentence."] == 2
    (done,) = left.of(events.ChunkDone)
    assert isinstance(done, events.ChunkDone)
    assert [str(doubt) for doubt in done.doubts] == ["odd speed"]


def test_two_different_suspicious_replies_are_not_kept(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        prints = (5_000 + 500 * attempt, 4_000)
        return BackendIncomplete("odd speed", print_of_reply=prints, speech=spoken(text))

    assert run(ScriptedBackend(answer), chunks("Strange."), tmp_path).keys == [None]


ODD = SoundFinding("tail", "ends oddly", certain=False)
SHORT = SoundFinding("cut", "it is cut off")
DAMAGED = SoundFinding("bytes", "it holds what is no sound", damage=True)
TEXT = "A plain sentence. A strange sentence."


def doubts_of(left: Run) -> list[str]:
    return [str(doubt) for done in left.of(events.ChunkDone) for doubt in done.doubts]


def judged(
    wholes: tuple[float, tuple[SoundFinding, ...]], halves: tuple[float, tuple[SoundFinding, ...]]
) -> ScriptedJudge:
    return ScriptedJudge(lambda text, attempt: wholes if text == TEXT else halves)


@pytest.mark.parametrize(
    ("whole", "half", "kept", "doubt"),
    [
        ((2.0, (SHORT,)), (1.0, ()), "the whole", "sounds odd, and is complete: it is cut off"),
        ((2.05, (SHORT,)), (1.0, ()), "the whole", "sounds odd, and is complete: it is cut off"),
        ((1.9, (SHORT,)), (1.0, ()), "its halves", None),  # the same twice, and cut twice
        ((2.2, (SHORT,)), (1.0, ()), "its halves", None),
        ((2.0, (DAMAGED,)), (1.0, ()), "its halves", None),  # as long as a whole one
        ((2.0, (ODD,)), (1.0, (ODD,)), "its halves", "sound may be missing: ends oddly"),
        ((2.0, (SHORT,)), (1.0, (SHORT,)), "nothing", None),
    ],
)
def test_what_repeats_is_decided_by_halves(
    whole: tuple[float, tuple[SoundFinding, ...]],
    half: tuple[float, tuple[SoundFinding, ...]],
    kept: str,
    doubt: str | None,
    tmp_path: Path,
) -> None:
    backend = judged(whole, half)
    left = run(backend, chunks(TEXT), tmp_path)
    assert backend.asked[TEXT] == 2
    (key,) = left.keys
    entry = ChunkCache(tmp_path).get(key) if key else None
    found = "nothing" if entry is None else "the whole" if len(entry.marks) == 1 else "its halves"
    assert found == kept
    assert set(doubts_of(left)) == ({doubt} if doubt else set())
    assert backend.proven == ([TEXT] if kept == "the whole" else [])


def test_damage_that_does_not_repeat_costs_one_request(tmp_path: Path) -> None:
    backend = ScriptedJudge(lambda text, attempt: (2.0, (SHORT,) if attempt == 1 else ()))
    left = run(backend, chunks(TEXT), tmp_path)
    assert all(left.keys)
    assert backend.asked == {TEXT: 2}
    assert doubts_of(left) == []


def test_damaged_replies_never_stop_a_run(tmp_path: Path) -> None:
    texts = [f"Cut{number}." for number in range(40)]
    left = run(ScriptedJudge(lambda text, attempt: (2.0, (SHORT,))), chunks(*texts), tmp_path)
    assert left.keys == [None] * 40
    assert not left.stopped


@pytest.mark.parametrize(("count", "settled"), [(2, True), (5, False), (9, False)])
def test_the_first_replies_wait_for_each_other(count: int, settled: bool, tmp_path: Path) -> None:
    backend = ScriptedJudge(lambda text, attempt: (2.0, ()), wanted=5)
    left = run(backend, chunks(*(f"Text {number}." for number in range(count))), tmp_path)
    assert all(left.keys)
    assert backend.settled == settled
    assert [event.note for event in left.of(events.VoiceNoted)] == ["it is scripted"]


MUTE = "Say hello to them."


@pytest.mark.parametrize(
    ("with_s", "with_finds", "unspoken", "heard"),
    [(1.0, True, ["hello"], []), (1.5, True, [], ["hello"]), (1.5, False, [], [])],
)
def test_words_without_sound_are_proven_by_sound(
    with_s: float, with_finds: bool, unspoken: list[str], heard: list[str], tmp_path: Path
) -> None:
    lacks = SoundFinding("words", 'no sound for "hello"', certain=False, spans=((4, 9),))
    in_proof = (replace(lacks, spans=((5, 10),)),) if with_finds else ()

    def answer(text: str, attempt: int) -> tuple[float, tuple[SoundFinding, ...]]:
        known = {MUTE: (9.0, (lacks,)), "with hello": (with_s, in_proof), "with": (1.0, ())}
        return known.get(text, (1.0, ()))

    backend = ScriptedJudge(answer, proof=("with hello", "with"))
    left = run(backend, chunks(MUTE), tmp_path)
    assert all(left.keys)
    assert (backend.unspoken, backend.spoken) == (unspoken, heard)
    assert backend.asked[MUTE] == 2


def test_what_has_no_halves_is_tried_more_often(tmp_path: Path) -> None:
    found = SoundFinding("words", "silence instead of a word", certain=False)

    def answer(text: str, attempt: int) -> tuple[float, tuple[SoundFinding, ...]]:
        return (1.0, (found,) if attempt < 5 else ())

    backend = ScriptedJudge(answer)
    left = run(backend, chunks("Five"), tmp_path)
    assert backend.asked == {"Five": 5}
    assert all(left.keys)
    assert doubts_of(left) == []


@pytest.mark.parametrize("again", ["finds nothing", "is shorter"])
def test_a_proof_that_its_repetition_does_not_confirm_proves_nothing(
    again: str, tmp_path: Path
) -> None:
    lacks = SoundFinding("words", 'no sound for "hello"', certain=False, spans=((4, 9),))
    in_proof = (replace(lacks, spans=((5, 10),)),)

    def answer(text: str, attempt: int) -> tuple[float, tuple[SoundFinding, ...]]:
        second = (1.0, ()) if again == "finds nothing" else (0.7, in_proof)
        with_hello = (1.0, in_proof) if attempt == 1 else second
        known = {MUTE: (9.0, (lacks,)), "with hello": with_hello, "with": (1.0, ())}
        return known.get(text, (1.0, ()))

    backend = ScriptedJudge(answer, proof=("with hello", "with"))
    run(backend, chunks(MUTE), tmp_path)
    assert (backend.unspoken, backend.spoken) == ([], [])


@pytest.mark.parametrize(
    "error",
    [
        BackendRefused("turned away", Failure.REFUSED),
        BackendRefused("no such voice", Failure.MISCONFIGURED),
        BackendUnavailable("nobody answers"),
        BackendUnavailable("too much", Failure.OVERLOAD),
    ],
)
def test_a_service_that_is_gone_stops_the_run_in_bounded_time_and_tries(
    error: BackendError, tmp_path: Path
) -> None:
    backend = ScriptedBackend(lambda text, attempt: error)
    left = run(backend, chunks(*(f"Number {n}." for n in range(300))), tmp_path)
    assert left.keys == [None] * 300
    assert left.stopped
    assert left.took_s <= 1_300
    assert backend.asked.total() <= 40


@pytest.mark.parametrize("failure", [Failure.TRANSIENT, Failure.OVERLOAD])
def test_who_waits_sees_the_service_come_back(failure: Failure, tmp_path: Path) -> None:
    tries = 0

    def answer(text: str, attempt: int) -> Speech | BackendError:
        nonlocal tries
        tries += 1
        return BackendUnavailable("gone", failure) if tries <= 100 else spoken(text)

    left = run(ScriptedBackend(answer), chunks(*TEXTS), tmp_path, wait=True)
    assert all(left.keys)
    assert not left.stopped
    assert left.took_s > 3_600


def test_against_overload_for_ever_only_a_few_requests_a_minute(tmp_path: Path) -> None:
    backend = ScriptedBackend(lambda text, attempt: BackendUnavailable("busy", Failure.OVERLOAD))
    left = run(backend, chunks(*(f"Number {n}." for n in range(50))), tmp_path)
    assert backend.asked.total() / (left.took_s / 60) <= 10


def test_text_without_a_letter_is_silence_and_never_sent(tmp_path: Path) -> None:
    backend = ScriptedBackend()
    assert all(run(backend, chunks("— … —"), tmp_path).keys)
    assert not backend.asked


def test_a_damaged_entry_is_spoken_again(tmp_path: Path) -> None:
    run(ScriptedBackend(), chunks(*TEXTS), tmp_path)
    path = ChunkCache(tmp_path).path(key_of("f", VOICE, TEXTS[3]))
    path.write_bytes(path.read_bytes()[:-30] + b"x" + path.read_bytes()[-29:])
    backend = ScriptedBackend()
    assert all(run(backend, chunks(*TEXTS), tmp_path).keys)
    assert backend.asked == {TEXTS[3]: 1}


def test_a_cache_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UserError, match="--cache"):
        run(ScriptedBackend(), chunks("One."), blocked)


def test_a_bug_in_a_backend_shows_itself(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(ScriptedBackend(answer), chunks("One.", "Two."), tmp_path)


def test_sound_that_is_no_mp3_counts_as_damaged(tmp_path: Path) -> None:
    backend = ScriptedBackend(
        lambda text, attempt: spoken(text) if attempt > 1 else Speech(b"\x00" * 999, "mp3")
    )
    left = run(backend, chunks("One."), tmp_path)
    assert all(left.keys)
    assert backend.asked["One."] == 2


def test_stopping_keeps_what_is_done(tmp_path: Path) -> None:
    async def work(time: Time) -> None:
        backend = ScriptedBackend(sleep=time.sleep)
        pool = Pool(ChunkCache(tmp_path), lambda event: None, time.tools())
        async with aclosing(pool.speak(tasks(backend, VOICE, chunks(*TEXTS), "f"))) as outcomes:
            async for _ in outcomes:
                break

    in_time(work)
    kept = sum(ChunkCache(tmp_path).has(key_of("f", VOICE, text)) for text in TEXTS)
    assert 1 <= kept < len(TEXTS)
    backend = ScriptedBackend()
    run(backend, chunks(*TEXTS), tmp_path)
    assert backend.asked.total() == len(TEXTS) - kept


def test_events_keep_their_order(tmp_path: Path) -> None:
    left = run(fails(1, BackendUnavailable("dropped")), chunks(*TEXTS), tmp_path)
    for number in range(1, len(TEXTS) + 1):
        kinds = [
            type(event).__name__
            for event in left.told
            if not isinstance(event, (events.LimitChanged, events.JobStarted, events.JobDone))
            and getattr(event, "chunk", 0) == number
        ]
        assert kinds[-1] == "ChunkDone"
        assert kinds.count("ChunkDone") == 1
        assert set(kinds) <= {"ChunkStarted", "ChunkRetried", "ChunkDone"}


def test_another_rate_is_another_key() -> None:
    keys = {
        key_of("f", VOICE, "text"),
        key_of("f", replace(VOICE, rate_pct=-5), "text"),
        key_of("f", replace(VOICE, pitch_hz=1), "text"),
        key_of("f", replace(VOICE, volume_pct=1), "text"),
        key_of("g", VOICE, "text"),
        key_of("f", VOICE, "text!"),
    }
    assert len(keys) == 6
    assert key_of("f", replace(VOICE, name="other name"), "text") in keys


# Several runs on one cache


def share(
    folder: Path,
    all_chunks: Sequence[Chunk],
    *backends: ScriptedBackend,
    work_before: Callable[[ChunkCache], None] = lambda cache: None,
) -> list[Run]:
    """Runs that share a cache, at the same time, each on a machine of its own."""
    runs = [Run() for _ in backends]
    written_s = time.time()  # by the real clock; virtual time passes quickly

    async def work(virtual: Time) -> None:
        cache = ChunkCache(folder)
        work_before(cache)

        async def one(number: int, backend: ScriptedBackend) -> None:
            backend._sleep = virtual.sleep
            claims = Claims(
                Claimant(f"host{number}", 1, str(number)),
                folder_time=lambda folder: written_s + virtual.clock(),
                clock=virtual.clock,
            )
            left, tools = runs[number], replace(virtual.tools(), claims=claims)
            pool = Pool(cache, left.told.append, tools)
            renewing = asyncio.create_task(claims.keep_alive(virtual.sleep))
            found: dict[int, str | None] = {}
            async with aclosing(pool.speak(tasks(backend, VOICE, all_chunks, "f"))) as outcomes:
                async for task, entry in outcomes:
                    found[task.order] = entry.path.stem if entry else None
            renewing.cancel()
            left.keys = [found[order] for order in sorted(found)]
            left.took_s = virtual.clock()

        await asyncio.gather(*(one(*each) for each in enumerate(backends)))

    in_time(work)
    assert not list(folder.glob("*/*.claim*"))
    return runs


@pytest.mark.parametrize("count", [2, 3])
def test_runs_that_share_a_cache_speak_each_chunk_once(count: int, tmp_path: Path) -> None:
    texts = [f"This is sentence number {n}. It has a second part." for n in range(60)]
    backends = [ScriptedBackend() for _ in range(count)]
    runs = share(tmp_path, chunks(*texts), *backends)
    assert sum((backend.asked for backend in backends), Counter()) == dict.fromkeys(texts, 1)
    for run_of_one, backend in zip(runs, backends, strict=True):
        assert all(run_of_one.keys)
        assert len(backend.asked) >= 5
        done = run_of_one.of(events.ChunkDone)
        assert sum(not event.cached for event in done) == len(backend.asked)
        assert len(done) == len(texts)


def test_a_chunk_that_failed_elsewhere_is_tried_here(tmp_path: Path) -> None:
    bad = ScriptedBackend(lambda text, attempt: BackendRefused("I cannot say that."))
    good = ScriptedBackend()
    failed, spoke = share(tmp_path, chunks(*TEXTS), bad, good)
    assert all(spoke.keys)
    assert good.asked == dict.fromkeys(TEXTS, 1)
    assert failed.of(events.ChunkFailed)


@pytest.mark.parametrize(("is_dead", "least_s"), [(False, 170), (True, 0)])
def test_what_a_dead_run_claimed_is_spoken_when_that_is_known(
    is_dead: bool, least_s: float, tmp_path: Path
) -> None:
    keys = [task.key for task in tasks(ScriptedBackend(), VOICE, chunks(*TEXTS), "f")]

    def claim(cache: ChunkCache) -> None:
        for key in keys[:3]:
            Claims(Claimant("nas", 7, "dead")).take(cache.claim_path(key))
            if is_dead:
                os.utime(cache.claim_path(key), (1, 1))

    backend = ScriptedBackend()
    (left,) = share(tmp_path, chunks(*TEXTS), backend, work_before=claim)
    assert all(left.keys)
    assert backend.asked == dict.fromkeys(TEXTS, 1)
    assert least_s <= left.took_s <= least_s + 60
    if not is_dead:  # meanwhile the others were spoken
        assert set(backend.order[:9]) == set(TEXTS[3:])


def test_a_cache_that_takes_no_claim_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match=r"The cache folder .* cannot be written"):
        share(tmp_path / "cache", chunks("A sentence."), ScriptedBackend())
