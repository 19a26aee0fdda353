"""Many chunks through the pool and the online backend, while the service misbehaves."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from tests import tones
from tests.backends.edge.faults import Mixture
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_backend import RUSSIAN, backend_of, heard
from tests.fakes import Time, chunks, in_time, tasks
from tts_book import events
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Pool

TEXTS = [
    f"Письмо {number} пришло утром, когда почтальон уже не ждал ответа. Он сел на крыльцо, прочёл "
    f"его дважды и положил под камень: там лежали {number + 3} других, и ни одно не дошло до моря."
    for number in range(16)
]
MIXTURES = [
    {},
    {"close_1011": 0.15, "reset_midway": 0.1, "http_500": 0.05},
    {"http_503": 0.1, "http_429_wait": 0.05, "1007_throttled": 0.1},
    {"cut_all": 0.1, "hole": 0.1, "cut_sound": 0.1},
    {"hole_of_a_word": 0.1, "hole_in_sound": 0.1, "no_marks": 0.05, "silent_words": 0.05},
    {"no_audio": 0.2, "garbage": 0.05},
]


@pytest.mark.parametrize("shares", MIXTURES, ids=lambda shares: " ".join(shares) or "calm")
def test_all_words_are_there_or_the_chunk_is_named(
    shares: dict[str, float], tmp_path: Path
) -> None:
    told: list[events.Event] = []
    service = EdgeSimulator(Mixture(shares, seed=4))

    async def work(time: Time) -> None:
        async with service:
            backend = backend_of(service)
            pool = Pool(ChunkCache(tmp_path), told.append, time.tools())
            try:
                async with aclosing(
                    pool.speak(tasks(backend, RUSSIAN, chunks(*TEXTS)))
                ) as outcomes:
                    found = {task.order: entry async for task, entry in outcomes}
            finally:
                await backend.aclose()
        for order, entry in found.items():
            assert entry, (pool.stopped, TEXTS[order])
            frames = entry.path.read_bytes()[: entry.frames_bytes]
            assert heard(frames) == tones.codes(TEXTS[order])
        assert len(found) == len(TEXTS)

    in_time(work)
    assert service.statistics.most_turns <= 4
    assert service.statistics.most_open <= 5  # one is opened ahead
    assert sum(service.statistics.faults.values()) > 0 or not shares
