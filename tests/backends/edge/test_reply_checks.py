"""What is measured in a reply, and what of it counts as damage."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.backends.edge import sound as edge_sound
from tests.backends.edge.sound import FRAME_BYTES, Said
from tts_book.backends.edge.alignment import folded
from tts_book.backends.edge.exchange import Reply, Timeouts
from tts_book.backends.edge.jury import ExaminedReply, Jury
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
from tts_book.backends.edge.wire_log import WireLog
from tts_book.errors import AudioError
from tts_book.model import DoubtKind

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
@example(13, 1)  # the beginning of a sentence, behind a pause
@example(38, 2)  # all but the last word of one
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


PARTS = [part.strip() for part in TEXT.replace(";", ".").split(".") if part.strip()]
TEXTS = [". ".join(PARTS[n % 5 :] + PARTS[: n % 5] + PARTS[: 1 + n // 5]) + "." for n in range(8)]


def say(text: str, *, marks: bool) -> Reply:
    reply = reply_of(edge_sound.say(text, VOICE))
    return reply if marks else Reply(reply.audio)


@lru_cache
def voice_of(*, marks: bool) -> VoiceHabits:
    """A voice that has spoken some texts."""
    traits = VoiceHabits(VOICE)
    for text in TEXTS:
        traits.add(examined(say(text, marks=marks), text))
    traits.learn()
    return traits


@pytest.mark.parametrize("text", TEXTS[:4])
@pytest.mark.parametrize("first", [0, 9, 23])
def test_too_little_speech_for_a_text_shows_without_any_marks(text: str, first: int) -> None:
    hole = say(edge_sound.without(text, first, first + 5), marks=False)
    found = voice_of(marks=False).judge(examined(hole, text))
    assert SignKind.SHORT in {finding.kind for finding in found}
    assert voice_of(marks=False).judge(examined(say(text, marks=False), text)) == []


@pytest.mark.parametrize("lost", [0, 1], ids=["first", "last"])
@pytest.mark.parametrize(
    ("sound_only", "marks"),
    [(True, True), (False, True), (False, False)],
    ids=["lost in the sound", "lost in sound and marks", "no marks at all"],
)
def test_a_title_without_one_of_its_words_shows(sound_only: bool, marks: bool, lost: int) -> None:
    title = "Chapter eleven"
    left = say(edge_sound.without(title, lost, lost), marks=marks)
    reply = replace(say(title, marks=marks), audio=left.audio) if sound_only else left
    assert voice_of(marks=marks).judge(examined(reply, title))
    assert voice_of(marks=marks).judge(examined(say(title, marks=marks), title)) == []


def test_a_title_without_one_of_its_marks_is_whole() -> None:
    whole = say("Chapter eleven", marks=True)
    for words in (whole.words[1:], whole.words[:1]):
        reply = replace(whole, words=words, sentences=())
        assert voice_of(marks=True).judge(examined(reply, "Chapter eleven")) == []


def test_nothing_is_learned_of_few_replies_or_of_a_minority() -> None:
    odd = replace(WHOLE, audio=WHOLE.audio + b"\xff\xf3\x64")
    assert kinds(odd) == {SignKind.ODD_BYTES}
    assert kinds(odd, *[odd] * (LEAST_REPLIES - 1)) == {SignKind.ODD_BYTES}
    assert kinds(odd, *[odd] * 2, *[WHOLE] * 3) == {SignKind.ODD_BYTES}
    assert kinds(odd, *[odd] * LEAST_REPLIES) == set()


def test_titles_alone_show_no_habits() -> None:
    traits = VoiceHabits(VOICE)
    for _ in range(LEAST_REPLIES):
        traits.add(examined(say("Chapter eleven", marks=True), "Chapter eleven"))
    assert not traits.is_settled()
    for text in TEXTS[:LEAST_REPLIES]:
        traits.add(examined(say(text, marks=True), text))
    assert traits.is_settled()


@pytest.mark.parametrize(
    ("text", "proven"),
    [
        ("They swam to the pier in 1812 and back.", "1812"),
        ("They read λόγος aloud there.", "λόγος"),
    ],
)
def test_only_words_that_are_not_of_its_own_script_are_proven_unspoken(
    text: str, proven: str
) -> None:
    jury = Jury()
    jury.open_voice("key", VOICE)
    reply = ExaminedReply("key", examined(say(text, marks=True), text), WireLog())
    jury.prove_unspoken(reply, (0, len(text)))
    doubts = jury.judge_now(
        ExaminedReply("key", examined(say(text.replace(proven, ""), marks=True), text), WireLog())
    ).speech.doubts
    assert [doubt.what for doubt in doubts if doubt.kind is DoubtKind.UNSPOKEN] == [proven]


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
