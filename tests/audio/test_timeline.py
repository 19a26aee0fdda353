"""The pause planned is the pause asked for, whatever lies at the edges of the segments."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.audio.timeline import KEPT_AFTER, KEPT_BEFORE, LEAD_LEAST, LEAD_MOST, build_timeline
from tts_book.model import Break, Chunk, Entry, Mark, Pauses, Segment, Sound

FRAME_MS = 24
LEAST = 2


def _segment(
    head: int,
    speech: int,
    tail: int,
    after: Break = Break.SENTENCE,
    *,
    text: str = "text",
    quiet: tuple[tuple[int, int], ...] = (),
    still: tuple[tuple[int, int], ...] = (),
    marks: tuple[Mark, ...] = (),
    spoken: str = "",
    alignment: tuple[tuple[int, int], ...] = (),
) -> Segment:
    chunk = Chunk(1, 1, 0, len(text), text, spoken or text, after, alignment)
    frames = head + speech + tail
    sound = Sound(1, frames, 144, 576, 24_000, head, head + speech, quiet, -20.0, -3.0, still)
    return Segment(chunk, Entry(Path("x"), frames * 144, sound, marks, {}), cached=True)


_segments = st.builds(
    _segment,
    st.integers(0, 80),
    st.integers(1, 200),
    st.integers(0, 80),
    st.sampled_from(Break),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_segments, min_size=1, max_size=8), st.integers(0, 3_000))
def test_pauses_between_segments(segments: list[Segment], sentence_ms: int) -> None:
    pauses = Pauses(sentence_ms=sentence_ms)
    made = build_timeline(segments, pauses, LEAST)
    heard = list(made.heard())
    assert made.frames == heard[-1][1] + heard[-1][0].stop - heard[-1][0].start + made.end_rest
    assert [piece.segment for piece, _ in heard] == list(range(len(segments)))
    for (before, _), (after, at) in pairwise(heard):
        one, two = (segments[piece.segment].entry.sound for piece in (before, after))
        tail, head = before.stop - one.speech_stop, two.speech_start - after.start
        assert min(KEPT_AFTER, one.frames - one.speech_stop) <= tail
        assert min(KEPT_BEFORE, two.speech_start) <= head
        assert after.rest >= LEAST
        wanted = pauses.after(segments[before.segment].chunk.after) / FRAME_MS - 1
        floor = min(KEPT_AFTER, one.frames - one.speech_stop) + LEAST
        floor += min(KEPT_BEFORE, two.speech_start)
        assert abs(tail + after.rest + head - max(wanted, floor)) <= 0.5
        assert made.speech[after.segment] == at + head
    last = segments[-1].entry.sound
    end = heard[-1][0].stop - last.speech_stop + made.end_rest
    assert abs(end - (pauses.chapter_ms / FRAME_MS - 0.5)) <= 1


@pytest.mark.parametrize("head", [0, 3, LEAD_LEAST, 8, LEAD_MOST, LEAD_MOST + 1, 100])
def test_a_file_begins_soon_but_not_at_once(head: int) -> None:
    made = build_timeline([_segment(head, 50, 30)], Pauses(), LEAST)
    assert LEAD_LEAST <= made.speech[0] <= LEAD_MOST
    first = made.pieces[0]
    assert first.start == 0 or first.rest >= LEAST


def test_no_segments_make_no_sound() -> None:
    assert build_timeline([], Pauses(), LEAST).frames == 0


# A pause of 50 frames between two sentences, heard from 2,400 to 3,600 ms.
QUIET = ((100, 150),)
SENTENCES = (Mark("sentence", 200, 2_400, 0, 4), Mark("sentence", 3_600, 5_000, 5, 9))


@pytest.mark.parametrize(
    ("text", "still", "pauses", "frames"),
    [
        ("One. Two.", QUIET, Pauses(sentence_ms=600), 24),
        ("One. Two.", QUIET, Pauses(sentence_ms=0), KEPT_AFTER + LEAST + KEPT_BEFORE),
        ("One. Two.", QUIET, Pauses(sentence_ms=1_190), 50),
        ("One. Two.", QUIET, Pauses(sentence_ms=3_000), 50),
        ("One.\n\nTwo.", QUIET, Pauses(paragraph_ms=3_000), 124),
        ("One.\n\nTwo.", QUIET, Pauses(paragraph_ms=900), 36),
        ("One. Two.", (), Pauses(sentence_ms=600), 50),
        ("One.\n\nTwo.", (), Pauses(paragraph_ms=3_000), 50),
        # Only ten of the frames are still enough: eight go, two of silence come.
        ("One. Two.", ((120, 130),), Pauses(sentence_ms=600), 42),
        ("One. Two.", ((120, 124),), Pauses(sentence_ms=600), 48),
        ("One. Two.", ((10, 40),), Pauses(sentence_ms=600), 50),
    ],
)
def test_pauses_within_a_segment(
    text: str, still: tuple[tuple[int, int], ...], pauses: Pauses, frames: int
) -> None:
    marks = (SENTENCES[0], Mark("sentence", 3_600, 5_000, len(text) - 4, len(text)))
    segment = _segment(8, 240, 20, text=text, quiet=QUIET, still=still, marks=marks)
    unmarked = replace(segment, entry=replace(segment.entry, marks=()))
    made, plain = (build_timeline([each], pauses, LEAST) for each in (segment, unmarked))
    assert 50 + made.frames - plain.frames == frames


def test_marks_are_led_back_from_what_was_spoken() -> None:
    """Numbers spoken in words push the marks on; the paragraph's end is found all the same."""
    text, spoken = "In 1869.\n\nThen.", "In eighteen sixty-nine.\n\nThen."
    shift = len(spoken) - len(text)
    marks = (
        Mark("sentence", 200, 2_400, 0, 23),
        Mark("sentence", 3_600, 5_000, 25, len(spoken)),
    )
    segment = _segment(
        8, 240, 20,
        text=text, spoken=spoken, quiet=QUIET, still=QUIET, marks=marks,
        alignment=((0, 0), (3, 3), (22, 22 - shift)),
    )  # fmt: skip
    made = build_timeline([segment], Pauses(paragraph_ms=3_000), LEAST)
    assert len(made.pieces) == 2
    assert made.pieces[1].rest == 124 - 50


def test_many_marks_take_no_time() -> None:
    """Linear: a minute of clicks and a mark for each would take hours otherwise."""
    count = 8_000
    quiet = tuple((n * 10 + 4, n * 10 + 9) for n in range(count))
    marks = tuple(Mark("word", n * 240, n * 240 + 100, n * 2, n * 2 + 1) for n in range(count))
    segment = _segment(0, count * 10, 0, text="a." * count, quiet=quiet, still=quiet, marks=marks)
    assert build_timeline([segment], Pauses(), LEAST).frames > count * 10
