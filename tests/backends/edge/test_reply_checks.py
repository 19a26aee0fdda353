"""What is measured in a reply, and what of it counts as damage."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.edge import sound as edge_sound
from tests.backends.edge.sound import FRAME_BYTES, Said
from tts_book.backends.edge.alignment import folded
from tts_book.backends.edge.exchange import Reply, Timeouts
from tts_book.backends.edge.measured_reply import (
    AskedText,
    MeasuredReply,
    Script,
    estimate_s,
    examine,
    script_of,
    words_of,
)
from tts_book.backends.edge.protocol import Boundary
from tts_book.backends.edge.voice_habits import LEAST_REPLIES, ReplySign, SignKind, VoiceHabits
from tts_book.errors import AudioError

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


def examined(reply: Reply, text: str = TEXT) -> MeasuredReply:
    letters = folded(text)
    return examine(AskedText(letters, words_of(letters), "en-GB"), reply)


def traits_of(*replies: Reply) -> VoiceHabits:
    """What is known of a voice after these replies."""
    traits = VoiceHabits(VOICE)
    for reply in replies:
        traits.add(examined(reply))
    traits.learn()
    return traits


def findings(reply: Reply, *known: Reply) -> list[ReplySign]:
    traits = traits_of(*known) if known else VoiceHabits(VOICE)
    return traits.judge(examined(reply))


def kinds(reply: Reply, *known: Reply) -> set[SignKind]:
    return {finding.kind for finding in findings(reply, *known)}


def test_a_whole_reply_passes() -> None:
    assert findings(WHOLE) == []
    assert findings(WHOLE, *[WHOLE] * LEAST_REPLIES) == []


@given(st.integers(0, len(WHOLE.audio) // FRAME_BYTES - 44))
@settings(max_examples=40, deadline=None)
def test_no_cut_passes(frames: int) -> None:
    cut = WHOLE.audio[: frames * FRAME_BYTES]
    if not cut:
        return
    stop = frames * edge_sound.FRAME_TICKS
    kept = tuple(w for w in WHOLE.words if w.start < stop)
    assert findings(replace(WHOLE, audio=cut), *[WHOLE] * LEAST_REPLIES)
    if len(kept) < len(WHOLE.words):
        assert findings(Reply(cut, kept, ()))


@given(st.integers(0, 38), st.integers(0, 38))
@settings(max_examples=40, deadline=None)
def test_no_hole_passes(first: int, length: int) -> None:
    count = len(WHOLE.words)
    last = min(first + length, count - 1)
    if first == 0 and last == count - 1:
        return
    assert findings(reply_of(edge_sound.say(edge_sound.without(TEXT, first, last), VOICE)))


@given(st.binary(max_size=2_000))
@settings(deadline=None)
def test_any_sound_is_borne(audio: bytes) -> None:
    try:
        measured = examined(replace(WHOLE, audio=audio))
    except AudioError:
        return
    assert VoiceHabits(VOICE).judge(measured)


def test_frames_taken_out_of_one_stream_are_missed() -> None:
    rows = [edge_sound.word_frames(f"word{n}", 14) for n in range(30)]
    cut = [row[: 5 * FRAME_BYTES] + row[8 * FRAME_BYTES :] for row in rows]
    assert not any(examined(Reply(row)).cuts for row in rows)
    assert sum(bool(examined(Reply(row)).cuts) for row in cut) > 5


SHORTER = replace(WHOLE, audio=WHOLE.audio[: -5 * FRAME_BYTES])


def test_a_lost_message_at_the_end_shows_once_the_tail_is_known() -> None:
    assert kinds(SHORTER) == set()
    assert kinds(SHORTER, *[WHOLE] * LEAST_REPLIES) == {SignKind.TAIL}
    assert kinds(SHORTER, SHORTER, *[WHOLE] * LEAST_REPLIES) == {SignKind.TAIL}  # itself among them


def test_nothing_is_learned_of_few_replies_or_of_a_minority() -> None:
    odd = replace(WHOLE, audio=WHOLE.audio + b"\xff\xf3\x64")
    assert kinds(odd) == {SignKind.ODD_BYTES}
    assert kinds(odd, *[odd] * (LEAST_REPLIES - 1)) == {SignKind.ODD_BYTES}
    assert kinds(odd, *[odd] * 2, *[WHOLE] * 3) == {SignKind.ODD_BYTES}
    assert kinds(odd, *[odd] * LEAST_REPLIES) == set()


def test_more_replies_are_waited_for_where_it_is_not_clear() -> None:
    odd = replace(WHOLE, audio=WHOLE.audio + b"\xff\xf3\x64")
    traits = VoiceHabits(VOICE)
    settled = []
    for reply in (odd, odd, WHOLE, odd, WHOLE, WHOLE, WHOLE):
        traits.add(examined(reply))
        settled.append(traits.is_settled())
    assert settled == [False] * 5 + [True, True]


@pytest.mark.parametrize("marks", ["words", "sentences", "none"])
def test_marks_alone_never_refuse_a_reply(marks: str) -> None:
    reply = Reply(
        WHOLE.audio,
        WHOLE.words if marks == "words" else (),
        WHOLE.sentences if marks == "sentences" else (),
    )
    assert findings(reply) == []
    assert findings(reply, *[WHOLE] * LEAST_REPLIES) == []
    assert findings(WHOLE, *[reply] * LEAST_REPLIES) == []


def test_a_word_over_silence_is_found_wherever_the_floor_lies() -> None:
    word = WHOLE.words[9]
    start = (word.start - edge_sound.FIRST_TICK) // edge_sound.FRAME_TICKS + edge_sound.LEAD_FRAMES
    stop = start + (word.stop - word.start) // edge_sound.FRAME_TICKS + 1
    for noise in (None, -57.0, -75.0):
        quiet = edge_sound.quiet_frames(stop - start, noise)
        audio = WHOLE.audio[: start * FRAME_BYTES] + quiet + WHOLE.audio[stop * FRAME_BYTES :]
        assert SignKind.WORDS in kinds(replace(WHOLE, audio=audio))


def test_sound_shorter_than_told_is_cut() -> None:
    told = len(WHOLE.audio) // 6 * 10_000
    assert kinds(replace(WHOLE, total=told)) == set()
    assert kinds(replace(WHOLE, total=told + 5_000_000)) == {SignKind.SHORTER}


def test_a_reply_that_was_closed_early_is_a_habit_only_if_all_are() -> None:
    closed = replace(WHOLE, ended=False)
    assert kinds(closed) == {SignKind.UNFINISHED}
    assert kinds(closed, *[closed] * LEAST_REPLIES) == set()


def test_korean_letters_are_counted_once() -> None:
    assert folded("안녕하세요").letters == "안녕하세요"
    assert folded("안녕").letters == folded("안녕").letters


@pytest.mark.parametrize(
    ("word", "script"),
    [
        ("мост", Script.CYRILLIC),
        ("bridge", Script.LATIN),
        ("1812", Script.NUMBER),
        ("3-й", Script.NUMBER),
        ("λόγος", Script.GREEK),
        ("橋", Script.ASIAN),
        ("다리", Script.ASIAN),
        ("पुल", Script.OTHER),
    ],
)
def test_scripts(word: str, script: Script) -> None:
    assert script_of(word) is script


@pytest.mark.parametrize(("language", "least_s", "most_s"), [("ru", 90, 160), ("zh", 250, 500)])
def test_estimates(language: str, least_s: float, most_s: float) -> None:
    assert least_s < estimate_s(1_200, language, 1.0) < most_s
    assert estimate_s(1_200, language, 0.5) > 1.8 * estimate_s(1_200, language, 1.0)


def test_a_turn_may_take_as_long_as_it_plays() -> None:
    times = Timeouts()
    assert times.whole_s(5) == 60
    assert times.whole_s(100) == 100
    assert times.whole_s(1e6) == 300
