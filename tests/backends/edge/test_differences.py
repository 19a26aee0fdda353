"""A service that differs from our picture of it, mixed with faults: how runs over it end."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import tones
from tests.backends.edge.differences import HARMLESS, UNSPOKEN, Difference, named
from tests.backends.edge.faults import Mixture
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_backend import RUSSIAN, backend_of, heard
from tests.fakes import Time, chunks, in_time, tasks
from tts_book import events
from tts_book.model import DoubtKind
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Pool

TEXTS = (
    "Письмо пришло утром, в 9 часов. Ах, сказал почтальон, кто-нибудь да ответит! Он сел на "
    "крыльцо и прочёл его дважды.",
    "На конверте стояло слово Hope и число 1 000 000. Никто не знал, что это значит.\n\nКамень "
    "лежал у ворот, под ним были другие письма.",
    "К вечеру поднялся ветер. Oh, подумал он, опять дождь. Река вышла из берегов и унесла лодку.",
    "В деревне London Bridge называли просто мостом. Через 12 лет от него осталась одна свая.",
    "Дети бросали камни в воду. Их было 7 или 8, и ни один не боялся глубины.",
    "Старик молчал. Он помнил Harbour и Lighthouse, но говорить о них не хотел: и так всё ясно.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some texts: requests for each, how many failed, the words that were lost (in
    all, and where nothing says so), doubts by their kind, and notes on the voice."""

    requests: float
    failed: int
    lost: int
    unseen: int
    doubts: Counter[DoubtKind]
    notes: tuple[str, ...]


def speak(service: EdgeSimulator, folder: Path, texts: tuple[str, ...] = TEXTS) -> Outcome:
    """Speaks the texts through the pool; reads the words back from the sound."""
    told: list[events.Event] = []
    cache = ChunkCache(folder)
    failed = lost = unseen = 0
    doubts: Counter[DoubtKind] = Counter()

    async def work(time: Time) -> None:
        nonlocal failed, lost, unseen
        async with service:
            backend = backend_of(service)
            # One after another: what a reply shows of its voice must not depend on who was first.
            pool = Pool(cache, told.append, time.tools(1))
            try:
                async with aclosing(
                    pool.speak(tasks(backend, RUSSIAN, chunks(*texts)))
                ) as outcomes:
                    async for task, entry in outcomes:
                        if entry is None:
                            failed += 1
                            continue
                        kinds = {doubt.kind for doubt in entry.doubts}
                        doubts.update(kinds)
                        said = heard(entry.path.read_bytes()[: entry.frames_bytes])
                        wanted = tones.codes(task.chunk.text)
                        lost += len(wanted) - len(said) if said != wanted else 0
                        is_seen = kinds & {DoubtKind.SOUND, DoubtKind.UNSPOKEN}
                        unseen += said != wanted and not is_seen
            finally:
                await backend.aclose()

    in_time(work)
    notes = tuple(event.note for event in told if isinstance(event, events.VoiceNoted))
    requests = service.statistics.speeches / len(texts)
    return Outcome(requests, failed, lost, unseen, doubts, notes)


@pytest.mark.parametrize("difference", HARMLESS, ids=lambda difference: difference.name)
def test_no_harmless_difference_costs_more_than_a_request_a_chunk(
    difference: Difference, tmp_path: Path
) -> None:
    outcome = speak(EdgeSimulator(differences=(difference,)), tmp_path)
    assert (outcome.failed, outcome.lost) == (0, 0)
    assert outcome.requests == 1
    assert not outcome.doubts[DoubtKind.SOUND]


@pytest.mark.parametrize(
    "pair",
    [
        "no_marks 96_kbit",
        "marks_late_0.9 stereo",
        "only_sentences tail_2_s",
        "durations_0 marks_early_0.4",
        "every_5th_lost noise_-57",
        "numbers_unmarked lead_2.5_s",
        "marks_unordered latin_unmarked",
        "marks_from_sentence paragraphs_4_s",
    ],
)
def test_pairs_of_differences_do_no_more_harm(pair: str, tmp_path: Path) -> None:
    outcome = speak(EdgeSimulator(differences=named(*pair.split())), tmp_path)
    assert (outcome.failed, outcome.lost) == (0, 0)
    assert outcome.requests == 1


@pytest.mark.parametrize("difference", UNSPOKEN, ids=lambda difference: difference.name)
def test_words_that_the_voice_does_not_say_are_listed(
    difference: Difference, tmp_path: Path
) -> None:
    outcome = speak(EdgeSimulator(differences=(difference,)), tmp_path)
    assert (outcome.failed, outcome.unseen) == (0, 0)
    assert outcome.lost > 0
    assert outcome.doubts[DoubtKind.UNSPOKEN] >= 3
    kinds = sum("does not say" in note for note in outcome.notes)
    assert kinds > 0
    # At most three proofs of two requests for each.
    assert round(outcome.requests * len(TEXTS)) <= len(TEXTS) + 6 * kinds


@pytest.mark.parametrize(
    ("differences", "faults"),
    [
        ("", {"cut_all": 0.3}),
        ("", {"hole_of_a_word": 0.3}),
        ("", {"hole_in_sound": 0.15, "silent_words": 0.15}),
        ("marks_late_0.9", {"hole": 0.15, "cut_sound": 0.15}),
        ("no_marks", {"cut_sound": 0.15, "close_1011": 0.15}),
        ("every_20th_lost", {"hole": 0.3}),
        ("96_kbit", {"cut_all": 0.15, "cut_frame": 0.15}),
        ("latin_unspoken", {"hole": 0.3}),
    ],
)
def test_no_word_is_lost_unseen(differences: str, faults: dict[str, float], tmp_path: Path) -> None:
    service = EdgeSimulator(Mixture(faults, seed=1), differences=named(*differences.split()))
    outcome = speak(service, tmp_path, tuple(f"{text} {text}" for text in TEXTS))
    assert service.statistics.faults
    assert (outcome.failed, outcome.unseen) == (0, 0)
    assert outcome.requests < 3
