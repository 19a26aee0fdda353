"""The last lines of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tts_book.cli.report import MOST_LINES, summarize_run
from tts_book.events import ChapterLost, JobDone
from tts_book.pipeline.chapter_speaker import ONLY
from tts_book.pipeline.run import Result

DONE = JobDone(
    chapters_done=3,
    chapters_lost=0,
    chunks_spoken=9,
    chunks_cached=0,
    chunks_failed=0,
    requests=10,
    retries={"transient": 1},
    characters_spoken=9_000,
    sound_ms=600_000,
    wall_s=60.0,
)
RESULT = Result((), (), (), (), DONE)


def told(result: Result) -> str:
    return "\n".join(
        summarize_run(result, result.left_over, "tts-book convert book.txt", quiet=False)
    )


def test_a_run_that_spoke_all_tells_how_fast_it_was() -> None:
    assert told(RESULT) == (
        "3 chapters written, 0 missing; 9 chunks spoken, 0 from the cache, 0 failed; 10 requests, "
        "1 retried (transient); 9,000 characters; 0:10:00 of sound in 0:01:00 (10× real time)"
    )


@pytest.mark.parametrize(
    "end", [replace(DONE, chunks_cached=1), replace(DONE, chunks_spoken=0), replace(DONE, wall_s=0)]
)
def test_what_is_in_the_cache_is_no_speed(end: JobDone) -> None:
    assert "real time" not in told(replace(RESULT, done=end))


def test_files_of_earlier_runs_are_reported_up_to_a_few() -> None:
    paths = tuple(Path(f"{n}.mp3") for n in range(MOST_LINES + 2))
    found = told(replace(RESULT, left_over=paths)).splitlines()
    assert (
        found[0] == "from an earlier run; it no longer belongs to any chapter (see --clean): 0.mp3"
    )
    assert found[MOST_LINES] == "… and 2 more files"
    assert "more file" not in told(replace(RESULT, left_over=paths[:MOST_LINES]))


@pytest.mark.parametrize(
    ("reasons", "on"),
    [
        (("2 of its chunks are not spoken",), "speaks only what is missing: tts-book convert"),
        ((f"{ONLY} 1 of its chunks that is not spoken yet",), "without --only the same command"),
        (
            (f"{ONLY} 1 of its chunks that is not spoken yet", "full disk"),
            "speaks only what is missing",
        ),
    ],
)
def test_what_is_missing_is_reported_with_the_way_on(reasons: tuple[str, ...], on: str) -> None:
    lost = tuple(ChapterLost("Book", n, f"Chapter {n}", 1, why) for n, why in enumerate(reasons, 1))
    found = told(replace(RESULT, lost=lost))
    assert "Not written: Book 1 (Chapter 1)" in found
    assert on in found
