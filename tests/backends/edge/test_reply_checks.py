"""A reply is whole, or it is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.edge import sound as edge_sound
from tests.backends.edge.sound import FRAME_BYTES, Said
from tts_book.backends.edge.alignment import folded, place
from tts_book.backends.edge.exchange import Reply
from tts_book.backends.edge.protocol import Boundary
from tts_book.backends.edge.reply_checks import (
    TAIL_SAMPLES,
    Habits,
    ReplyFinding,
    SpokenRequest,
    check,
    check_frames,
    estimate_s,
)

TEXT = (
    "Under the old pier, where nobody swims, the water is green and cold. A boy once dropped "
    "his knife there; 40 years later he came back for it. It was gone, of course. But the pier "
    "still stood, and so did he."
)
VOICE = "en-GB-RyanNeural"


def reply_of(said: Said) -> Reply:
    words = tuple(Boundary("word", w.from_tick, w.to_tick, w.text) for w in said.words)
    sentences = tuple(Boundary("sentence", s.from_tick, s.to_tick, s.text) for s in said.sentences)
    return Reply(said.audio, words, sentences)


WHOLE = reply_of(edge_sound.say(TEXT, VOICE))


def findings(reply: Reply, text: str = TEXT, tail_s: float | None = None) -> list[ReplyFinding]:
    spoken = SpokenRequest(folded(text), "en-GB", 1.0, tail_s)
    words, sentences = place(spoken.text, reply.words), place(spoken.text, reply.sentences)
    return check(reply, spoken, words, sentences)


def certain(reply: Reply) -> bool:
    return any(finding.certain for finding in findings(reply))


def test_a_whole_reply_passes() -> None:
    assert findings(WHOLE) == []


@given(st.integers(0, len(WHOLE.audio) // FRAME_BYTES - 44))
@settings(max_examples=60)
def test_no_cut_passes(frames: int) -> None:
    cut = WHOLE.audio[: frames * FRAME_BYTES]
    if not cut:
        return
    stop = frames * edge_sound.FRAME_TICKS
    kept = tuple(w for w in WHOLE.words if w.start < stop)
    assert findings(replace(WHOLE, audio=cut))
    if len(kept) < len(WHOLE.words):
        assert findings(Reply(cut, kept, ()))


@given(st.integers(0, 38), st.integers(0, 38))
@settings(max_examples=60)
def test_no_hole_passes(first: int, length: int) -> None:
    count = len(WHOLE.words)
    last = min(first + length, count - 1)
    if first == 0 and last == count - 1:
        return
    holed = reply_of(edge_sound.say(edge_sound.without(TEXT, first, last), VOICE))
    assert findings(holed)
    # More than a few letters are certainly missing.
    lost = sum(len(word.text) for word in WHOLE.words[first : last + 1])
    assert certain(holed) or lost <= 4


@given(st.binary(max_size=2_000))
def test_any_sound_is_borne(audio: bytes) -> None:
    if audio:
        assert findings(replace(WHOLE, audio=audio))
        check_frames(audio)


def test_frames_taken_out_of_one_stream_are_missed() -> None:
    rows = [edge_sound.word_frames(f"word{n}", 14) for n in range(30)]
    found = sum(bool(check_frames(row[: 5 * FRAME_BYTES] + row[8 * FRAME_BYTES :])) for row in rows)
    assert not any(check_frames(row) for row in rows)
    assert found > 5


def test_the_tail_is_learned() -> None:
    habits = Habits()
    for _ in range(TAIL_SAMPLES):
        assert habits.tail_s is None
        habits.learn_tail(0.9)
    assert habits.tail_s == 0.9
    shorter = replace(WHOLE, audio=WHOLE.audio[: -20 * FRAME_BYTES])
    assert findings(shorter) == []
    assert [finding.certain for finding in findings(shorter, tail_s=0.9)] == [False]


@pytest.mark.parametrize(
    ("tails", "spread"),
    [
        ([0.87] * 4, 0.4),  # too few to know
        ([0.87, 0.88, 0.86, 0.87, 0.87, 0.88], 0.06),  # a message of 120 ms would be missed
        ([0.87, 0.79, 0.85, 0.83, 0.80, 0.87], 0.18),
        ([0.4, 1.2, 0.8, 0.3, 1.4, 0.9], 0.4),
        ([0.87, 0.87, 0.88, 0.86, 0.75, 0.87], 0.06),  # a damaged one among them
    ],
)
def test_a_steady_voice_is_held_to_its_tail(tails: list[float], spread: float) -> None:
    habits = Habits()
    for tail_s in tails:
        habits.learn_tail(tail_s)
    assert habits.tail_spread_s == pytest.approx(spread)


def test_a_short_word_that_is_never_marked_is_no_loss() -> None:
    text, habits = folded("A cat and a dog sat on a mat"), Habits()
    said = [Boundary("word", n, n + 1, w) for n, w in enumerate(("cat", "and", "dog", "sat", "on"))]
    habits.learn_words(text, place(text, said))
    assert habits.unmarked == {"a", "mat"}
    habits.learn_words(text, place(text, [Boundary("word", 0, 1, "a")]))
    assert "a" not in habits.unmarked


@pytest.mark.parametrize(
    ("marks", "passes"),
    [("words", True), ("sentences", True), ("none", False)],
)
def test_either_kind_of_marks_is_enough(marks: str, passes: bool) -> None:
    reply = Reply(
        WHOLE.audio,
        WHOLE.words if marks == "words" else (),
        WHOLE.sentences if marks == "sentences" else (),
    )
    assert (findings(reply) == []) is passes
    assert not certain(reply)


def test_sound_shorter_than_told_is_cut() -> None:
    assert not certain(replace(WHOLE, total=len(WHOLE.audio) // 6 * 10_000))
    assert certain(replace(WHOLE, total=len(WHOLE.audio) // 6 * 10_000 + 5_000_000))


@pytest.mark.parametrize(("language", "least_s", "most_s"), [("ru", 90, 160), ("zh", 250, 500)])
def test_estimates(language: str, least_s: float, most_s: float) -> None:
    assert least_s < estimate_s(1_200, language, 1.0) < most_s
    assert estimate_s(1_200, language, 0.5) > 1.8 * estimate_s(1_200, language, 1.0)
