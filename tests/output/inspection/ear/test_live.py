"""Chunks that are heard as they come: a wrong one is recorded again once, and no more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests import tones
from tests.fakes import ScriptedBackend, Time, in_time
from tests.output.inspection.ear.test_proof import BOOK, ToneRecognizer
from tests.pipeline.test_run import prepared
from tts_book import events
from tts_book.errors import BackendError, BackendRefused
from tts_book.model import Pauses, Speech
from tts_book.output.inspection.ear.proof import LiveProof
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import Result, convert_jobs
from tts_book.synthesis.chunk_cache import ChunkCache

TEXT = BOOK.partition("\n\nChapter 2")[0]
CUT_WORDS = 12


@dataclass
class Scripted:
    """Speaks tone words; the first chunk of prose lacks some as often as `bad` says."""

    bad: int
    then: BackendError | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, text: str, attempt: int) -> Speech | BackendError:
        first = TEXT.split()[20] in text
        if first and attempt > 1 and self.then is not None:
            return self.then
        said = text
        if first and attempt <= self.bad:
            words = text.split()
            said = " ".join(words[:10] + words[10 + CUT_WORDS :])
        frames, marks = tones.speech(said, lead_ms=60, tail_ms=120)
        return Speech(frames, "mp3", marks=marks if said == text else ())


def convert(folder: Path, script: Scripted) -> tuple[Result, list[events.Event], ScriptedBackend]:
    backend, told, results = ScriptedBackend(script), list[events.Event](), list[Result]()
    job = prepared(folder, backend, TEXT)

    async def work(time: Time) -> None:
        with LiveProof(ToneRecognizer(folder)) as proof:
            tools = replace(time.tools(), proof=proof)
            cache = ChunkCache(folder / "cache")
            results.append(await convert_jobs([job], Pauses(), cache, told.append, tools))

    prepare_output([job], force=False)
    in_time(work)
    return results[0], told, backend


def heard_again(told: list[events.Event]) -> list[events.ChunkRetried]:
    return [e for e in told if isinstance(e, events.ChunkRetried) and e.failure == "heard"]


def test_what_is_heard_right_is_spoken_once(tmp_path: Path) -> None:
    result, told, backend = convert(tmp_path, Scripted(bad=0))
    assert set(backend.asked.values()) == {1}
    assert heard_again(told) == []
    assert result.doubts == ()


def test_what_is_heard_wrong_is_recorded_again(tmp_path: Path) -> None:
    result, told, backend = convert(tmp_path, Scripted(bad=1))
    assert sorted(backend.asked.values())[-1] == 2
    (again,) = heard_again(told)
    assert again.reason.startswith("missing: ")
    assert result.doubts == ()


@pytest.mark.parametrize("script", [Scripted(bad=9), Scripted(1, BackendRefused("no more"))])
def test_what_stays_wrong_is_kept_with_a_doubt_and_never_a_loop(
    tmp_path: Path, script: Scripted
) -> None:
    result, _, backend = convert(tmp_path, script)
    assert sorted(backend.asked.values())[-1] == 2
    (event,) = result.doubts
    assert any("missing: " in str(doubt) for doubt in event.doubts)
    assert len(result.written) == 1
