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
from tts_book.text.sentences import Splitter

FRAME_MS = 24
LEAST = 2
SPLITTER = Splitter("en")


def _segment(
    head: int,
    speech: int,
    tail: int,
    after: Break = Break.SENTENCE,
    *,
    text: str = "text",
    quiet: tuple[tuple[int, int], ...] = (),
    marks: tuple[Mark, ...] = (),
    spoken: str = "",
    alignment: tuple[tuple[int, int], ...] = (),
) -> Segment:
    chunk = Chunk(1, 1, 0, len(text), text, spoken or text, after, alignment)
    frames = head + speech + tail
    sound = Sound(1, frames, 144, 576, 24_000, head, head + speech, quiet, -20.0, -3.0)
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
    made = build_timeline(segments, pauses, LEAST, SPLITTER)
    heard = list(made.heard())
    assert made.frames == heard[-1][1] + heard[-1][0].stop - heard[-1][0].start + made.end_rest
    assert [piece.segment for piece, _ in heard] == list(range(len(segments)))
    for (before, _), (after, at) in pairwise(heard):
        one, two = (segments[piece.segment].entry.sound for piece in (before, after))
        tail, head = before.stop - one.speech_stop, two.speech_start - after.start
        assert min(KEPT_AFTER, one.frames - one.speech_stop) <= tail
        assert min(KEPT_BEFORE, two.speech_start) <= head
        assert after.rest >= LEAST
        kinds = [segments[before.segment].chunk.after]
        if segments[after.segment].chunk.after is Break.HEADING:  # the whole of it is one
            kinds.append(Break.HEADING)
        wanted = pauses.after(Break.strongest(kinds)) / FRAME_MS - 1
        floor = min(KEPT_AFTER, one.frames - one.speech_stop) + LEAST
        floor += min(KEPT_BEFORE, two.speech_start)
        assert abs(tail + after.rest + head - max(wanted, floor)) <= 0.5
        assert made.speech[after.segment] == at + head
    last = segments[-1].entry.sound
    end = heard[-1][0].stop - last.speech_stop + made.end_rest
    assert abs(end - (pauses.chapter_ms / FRAME_MS - 0.5)) <= 1


@pytest.mark.parametrize("head", [0, 3, LEAD_LEAST, 8, LEAD_MOST, LEAD_MOST + 1, 100])
def test_a_file_begins_soon_but_not_at_once(head: int) -> None:
    made = build_timeline([_segment(head, 50, 30)], Pauses(), LEAST, SPLITTER)
    assert LEAD_LEAST <= made.speech[0] <= LEAD_MOST
    first = made.pieces[0]
    assert first.start == 0 or first.rest >= LEAST


def test_no_segments_make_no_sound() -> None:
    assert build_timeline([], Pauses(), LEAST, SPLITTER).frames == 0


# A pause of 50 frames between two sentences, heard from 2,400 to 3,600 ms.
QUIET = ((100, 150),)
SENTENCES = (Mark("sentence", 200, 2_400, 0, 4), Mark("sentence", 3_600, 5_000, 5, 9))


@pytest.mark.parametrize(
    ("text", "quiet", "pauses", "frames"),
    [
        ("One. Two.", QUIET, Pauses(sentence_ms=600), 24),
        ("One. Two.", QUIET, Pauses(sentence_ms=0), KEPT_AFTER + LEAST + KEPT_BEFORE),
        ("One. Two.", QUIET, Pauses(sentence_ms=1_190), 50),
        ("One. Two.", QUIET, Pauses(sentence_ms=1_224), 50),
        ("One. Two.", QUIET, Pauses(sentence_ms=3_000), 124),
        ("One.\n\nTwo.", QUIET, Pauses(paragraph_ms=3_000), 124),
        ("One.\n\nTwo.", QUIET, Pauses(paragraph_ms=900), 36),
        # A breath parts the silence: it is one pause all the same.
        ("One. Two.", ((100, 120), (123, 150)), Pauses(sentence_ms=600), 24),
        ("One. Two.", ((100, 120), (123, 150)), Pauses(sentence_ms=3_000), 124),
        # The last consonant of a word stops the breath: that silence belongs to the word.
        ("One. Two.", ((95, 99), (100, 150)), Pauses(sentence_ms=600), 24),
        # A short rest is lengthened; of a short one no more is taken than can be spared.
        ("One. Two.", ((120, 124),), Pauses(sentence_ms=600), 70),
        ("One. Two.", ((115, 127),), Pauses(sentence_ms=0), 46),
        # No silence where the marks say that there is one.
        ("One. Two.", (), Pauses(sentence_ms=600), 50),
        ("One. Two.", ((10, 40),), Pauses(sentence_ms=600), 50),
        # The service rests where no sentence ends: that is shortened, never lengthened.
        ("One, two.", QUIET, Pauses(sentence_ms=600), 24),
        ("One, two.", QUIET, Pauses(sentence_ms=3_000), 50),
        # An abbreviation ends no sentence, whatever its full stop says.
        ("Dr. Two..", (), Pauses(sentence_ms=600), 50),
    ],
)
def test_pauses_within_a_segment(
    text: str, quiet: tuple[tuple[int, int], ...], pauses: Pauses, frames: int
) -> None:
    marks = (SENTENCES[0], Mark("sentence", 3_600, 5_000, len(text) - 4, len(text)))
    segment = _segment(8, 240, 20, text=text, quiet=quiet, marks=marks)
    made = build_timeline([segment], pauses, LEAST, SPLITTER)
    bare = replace(segment, entry=replace(segment.entry, sound=_segment(8, 240, 20).entry.sound))
    plain = build_timeline([bare], pauses, LEAST, SPLITTER)
    assert 50 + made.frames - plain.frames == frames


@pytest.mark.parametrize(
    ("text", "after", "frames"),
    [
        ("One.\n\nTwo.", Break.PARAGRAPH, 24),
        ("One.\n\nTwo.", Break.HEADING, 124),
        ("One. Two.", Break.HEADING, 36),
        ("1.\n\nTw. o.", Break.CHAPTER, 24),
    ],
)
def test_the_pause_before_a_heading_is_that_behind_it(text: str, after: Break, frames: int) -> None:
    pauses = Pauses(sentence_ms=900, paragraph_ms=600, heading_ms=3_000)
    marks = (SENTENCES[0], Mark("sentence", 3_600, 5_000, len(text) - 4, len(text)))
    segment = _segment(8, 240, 20, after, text=text, quiet=QUIET, marks=marks)
    made = build_timeline([segment], pauses, LEAST, SPLITTER)
    bare = replace(segment, entry=replace(segment.entry, sound=_segment(8, 240, 20).entry.sound))
    assert 50 + made.frames - build_timeline([bare], pauses, LEAST, SPLITTER).frames == frames


@pytest.mark.parametrize(
    ("before", "following", "kind"),
    [
        (Break.PARAGRAPH, "Two", Break.HEADING),
        (Break.VOICE, "Two", Break.HEADING),
        (Break.SCENE, "Two", Break.SCENE),
        (Break.PARAGRAPH, "More.\n\nTwo", Break.PARAGRAPH),
    ],
)
def test_a_chunk_that_is_a_heading_stands_off_from_the_one_before(
    before: Break, following: str, kind: Break
) -> None:
    pauses = Pauses(voice_ms=300, paragraph_ms=600, heading_ms=1_500, scene_ms=2_400)
    segments = [_segment(8, 50, 8, before), _segment(8, 50, 8, Break.HEADING, text=following)]
    made = build_timeline(segments, pauses, LEAST, SPLITTER)
    heard_ms = (made.speech[1] - made.speech[0] - 50 + 1) * FRAME_MS
    assert abs(heard_ms - pauses.after(kind)) <= FRAME_MS


@pytest.mark.parametrize(
    ("text", "marks", "quiet", "unpaused"),
    [
        ("One. Two.", SENTENCES, QUIET, []),
        ("One. Two.", SENTENCES, (), [4]),
        ("One. Two.", (), QUIET, [4]),
        ("Dr. Two.", SENTENCES, (), []),
        ("One two.", (), (), []),
        # One mark for both sentences tells nothing about the end of the first.
        ("One. Two.", (Mark("sentence", 200, 5_000, 0, 9),), QUIET, [4]),
    ],
)
def test_ends_without_a_silence_are_reported(
    text: str,
    marks: tuple[Mark, ...],
    quiet: tuple[tuple[int, int], ...],
    unpaused: list[int],
) -> None:
    segment = _segment(8, 240, 20, text=text, quiet=quiet, marks=marks)
    made = build_timeline([segment], Pauses(), LEAST, SPLITTER)
    assert [offset for _, offset in made.unpaused] == unpaused


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
        text=text, spoken=spoken, quiet=QUIET, marks=marks,
        alignment=((0, 0), (3, 3), (22, 22 - shift)),
    )  # fmt: skip
    made = build_timeline([segment], Pauses(paragraph_ms=3_000), LEAST, SPLITTER)
    assert len(made.pieces) == 2
    assert made.pieces[1].rest == 124 - 50


def test_many_marks_take_no_time() -> None:
    """Linear: a minute of clicks and a mark for each would take hours otherwise."""
    count = 8_000
    quiet = tuple((n * 10 + 4, n * 10 + 9) for n in range(count))
    marks = tuple(Mark("word", n * 240, n * 240 + 100, n * 2, n * 2 + 1) for n in range(count))
    segment = _segment(0, count * 10, 0, text="a." * count, quiet=quiet, marks=marks)
    assert build_timeline([segment], Pauses(), LEAST, SPLITTER).frames > count * 10
