"""Captions tell when words are heard: after joins, cuts and pauses, in every file."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tones
from tests.cli.test_commands import SILENT, TWO, Desk
from tests.fakes import ScriptedBackend, Time, in_time
from tests.output.test_stitcher import _segment
from tts_book import audio
from tts_book.audio import decoder
from tts_book.audio.file_tags import Tags
from tts_book.audio.timeline import build_timeline
from tts_book.errors import UserError
from tts_book.model import Break, Chunk, Mark, Pauses, Plan, Segment, Speech, Voice
from tts_book.output import captions
from tts_book.output.captions import FORMATS, Cue, cues
from tts_book.output.paths import CAPTIONS, lay_out_book
from tts_book.output.settings import OutputSettings, parse_captions
from tts_book.output.stitcher import stitch_chapter
from tts_book.pipeline.jobs import BookJob, make_keys
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import Result, convert_jobs
from tts_book.pipeline.source import BookRequest
from tts_book.pipeline.voice_selection import ChosenVoice
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.text.sentences import Splitter

ENGLISH = Splitter("en")
TEXTS = (
    "It began on a quiet morning. Nobody had asked for rain! And yet it came.",
    "Every word of this rather long sentence is heard, one after another, until it comes "
    "to its end, where a pause is made.\n\nThen all is still.",
)
NEAR_MS = 80  # marks of a service, the decoder's delay, a frame


def moved(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Marks as they are kept: later by what the encoder adds."""
    return tuple(replace(m, start_ms=m.start_ms + 46, stop_ms=m.stop_ms + 46) for m in marks)


def spoken(folder: Path, *, kind: str, rest_ms: int = 0) -> list[Segment]:
    made = []
    for number, text in enumerate(TEXTS, 1):
        frames, marks = tones.speech(text, rest_ms=rest_ms)
        if kind == "sentence":
            marks = tones.sentences(text, marks)
        kept = () if kind == "none" else moved(marks)
        made.append(_segment(folder, text, Break.PARAGRAPH, frames, kept, number))
    return made


def heard_words(path: Path) -> list[tones.Heard]:
    return tones.read(np.concatenate(list(decoder.decode_any(path))))


def agrees(found: list[Cue], heard: list[tones.Heard], near_ms: int = NEAR_MS) -> None:
    """Every cue begins with its first word and ends with its last."""
    assert [word.code for word in heard] == [c for cue in found for c in tones.codes(cue.text)]
    at = 0
    for cue in found:
        count = len(tones.codes(cue.text))
        first, last = heard[at], heard[at + count - 1]
        assert abs(cue.start_ms - first.start_ms) <= near_ms
        assert abs(cue.stop_ms - last.start_ms - tones.WORD_MS) <= near_ms
        at += count


@pytest.mark.parametrize("rest_ms", [0, 300, 2_500])
@pytest.mark.parametrize("kind", ["word", "sentence"])
def test_cues_are_where_words_are_heard(tmp_path: Path, kind: str, rest_ms: int) -> None:
    segments = spoken(tmp_path, kind=kind, rest_ms=rest_ms)
    done = stitch_chapter(
        segments, tmp_path / "a.mp3", pauses=Pauses(sentence_ms=400), tags=Tags("x")
    )
    found = list(cues(segments, done.timeline, ENGLISH))
    # Within a sentence, one without marks of words is divided by length.
    agrees(found, heard_words(done.path), NEAR_MS if kind == "word" else 900)
    assert len(found) == 6


def test_without_marks_times_come_from_lengths(tmp_path: Path) -> None:
    segments = spoken(tmp_path, kind="none")
    done = stitch_chapter(segments, tmp_path / "a.mp3", pauses=Pauses(), tags=Tags("x"))
    agrees(list(cues(segments, done.timeline, ENGLISH)), heard_words(done.path), 1_500)
    assert all(captions.is_guessed(segment) for segment in segments)


def test_numbers_written_out_lead_back_to_the_text(tmp_path: Path) -> None:
    frames, marks = tones.speech("In nineteen five it rained. All day long.")
    segment = _segment(tmp_path, "x", Break.CHAPTER, frames, moved(marks))
    text = "In 1905 it rained. All day long."
    chunk = Chunk(
        1, 1, 0, len(text), text, "In nineteen five it rained. All day long.", Break.CHAPTER,
        ((0, 0), (3, 3), (16, 7)),
    )  # fmt: skip
    segment = replace(segment, chunk=chunk)
    done = stitch_chapter([segment], tmp_path / "a.mp3", pauses=Pauses(), tags=Tags("x"))
    first, second = cues([segment], done.timeline, ENGLISH)
    assert (first.text, second.text) == ("In 1905 it rained.", "All day long.")
    assert abs(second.start_ms - heard_words(done.path)[5].start_ms) <= NEAR_MS


@settings(max_examples=30, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), max_size=400),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_any_text_and_any_marks_give_cues_in_order(
    tmp_path_factory: pytest.TempPathFactory, text: str, places: list[int]
) -> None:
    marks = tuple(
        Mark("word", 10 * at, 10 * at + 300, min(at, len(text)), min(at + 3, len(text)))
        for at in places
    )
    folder = tmp_path_factory.mktemp("c")
    segment = _segment(folder, text, Break.CHAPTER, audio.silence(2_000), marks)
    done = stitch_chapter([segment], folder / "a.mp3", pauses=Pauses(), tags=Tags("x"))
    found = list(cues([segment], done.timeline, ENGLISH))
    assert "".join("".join(cue.text.split()) for cue in found).count("\n") == 0
    for before, after in pairwise(found):
        assert before.start_ms <= before.stop_ms <= after.start_ms
    for name in captions.FORMATS.values():
        "".join(name(found, "title")).encode()


CUES = [
    Cue(0, 1_500, "Один --> два & <b>три</b>."),
    Cue(3_723_004, 3_725_000, "A line that is long enough to be shown as two lines, and no more."),
]


def test_srt() -> None:
    assert "".join(captions.srt(CUES, "x")) == (
        "1\n00:00:00,000 --> 00:00:01,500\nОдин → два & <b>три</b>.\n\n"
        "2\n01:02:03,004 --> 01:02:05,000\n"
        "A line that is long enough to be\nshown as two lines, and no more.\n\n"
    )


def test_vtt() -> None:
    shown = "".join(captions.vtt(CUES, "Глава <1>"))
    assert shown.startswith("WEBVTT\n\nNOTE Глава &lt;1&gt;\n\n00:00:00.000 --> 00:00:01.500\n")
    assert "Один --&gt; два &amp; &lt;b&gt;три&lt;/b&gt;." in shown.replace("amp;\n", "amp; ")


@pytest.mark.parametrize(
    ("role", "shown"), [("", ""), ("Соня", "<v Соня>"), ("a>\n\nb & c", "<v a&gt; b &amp; c>")]
)
def test_vtt_names_who_speaks(role: str, shown: str) -> None:
    written = "".join(captions.vtt([Cue(0, 1_500, "Да.", role)], "x"))
    assert written.endswith(f"00:00:01.500\n{shown}Да.\n\n")


def test_lrc() -> None:
    shown = "".join(captions.lrc(CUES, "Глава 1")).splitlines()
    assert shown[0] == "[ti:Глава 1]"
    assert shown[2:4] == ["[00:00.00]Один --> два & <b>три</b>.", "[00:01.50]"]
    assert shown[4].startswith("[62:03.00]A line")


def test_an_unknown_kind_is_told() -> None:
    assert parse_captions(" SRT,lrc,srt ") == ("srt", "lrc")
    with pytest.raises(UserError, match="srt, vtt, lrc"):
        parse_captions("ass")


# A whole run --------------------------------------------------------------------------------------


def test_captions_fit_every_file_of_a_book(tmp_path: Path) -> None:
    from tests.fakes import book

    made = book(*TEXTS)
    chunks = tuple(
        Chunk(n, 1, 0, len(text), text, text, Break.CHAPTER) for n, text in enumerate(TEXTS, 1)
    )
    voice = Voice("reader", "scripted", "one", "en")

    def speak(text: str, attempt: int) -> Speech:
        frames, marks = tones.speech(text, rest_ms=700)
        return Speech(frames, "mp3", marks=moved(marks))

    backend, plan = ScriptedBackend(speak), Plan(made, chunks)
    places = lay_out_book(made, "b", None, None, tmp_path, ("mp3", "m4b", "opus", "mp3book"))
    cast = ChosenVoice(voice, backend, "by script")
    item = BookJob(
        BookRequest(made, "b", None), plan, cast, make_keys(plan, voice, backend), places
    )
    prepare_output([item], force=False)
    results: list[Result] = []

    async def work(time: Time) -> None:
        wanted = OutputSettings(captions=("srt",))
        cache, tools = ChunkCache(tmp_path / "cache"), time.tools()
        results.append(
            await convert_jobs([item], Pauses(), cache, lambda event: None, tools, wanted)
        )

    in_time(work)
    files = [path for path in results[0].written if path.suffix != ".srt"]
    assert [path.suffix for path in files] == [".mp3", ".mp3", ".m4b", ".opus", ".mp3"]
    assert not results[0].guessed_captions
    for path in files:
        agrees(read_srt(path.with_suffix(".srt")), heard_words(path))


def read_srt(path: Path) -> list[Cue]:
    found = []
    for block in path.read_text("utf-8").strip().split("\n\n"):
        _, times, *lines = block.split("\n")
        numbers = [int(n) for n in re.findall(r"\d+", times)]
        start, stop = (
            ((h * 60 + m) * 60 + s) * 1_000 + ms for h, m, s, ms in (numbers[:4], numbers[4:])
        )
        found.append(Cue(start, stop, " ".join(lines)))
    return found


def test_the_command_writes_captions_beside_each_file(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("книга.txt", TWO)
    assert at.convert(source, request=replace(SILENT, captions="srt,vtt,lrc")) == 0
    names = [path.name for path in at.written()]
    assert names[:4] == [f"001 - Глава 1.{kind}" for kind in ("mp3", "srt", "vtt", "lrc")]
    assert read_srt(at.written()[1])[0].text == "Глава 1"
    assert "are estimated" not in at.err.getvalue()  # silence tells its times


def test_every_format_that_can_be_asked_for_is_written() -> None:
    assert tuple(FORMATS) == CAPTIONS


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        (("“Come here,", "” said Anna, “", "and bring it.", "” He came."),
         ("“Come here,”", "said Anna,", "“and bring it.”", "He came.")),
        (('"I will not,', '" he said. "', "Never!", '" She left.'),
         ('"I will not,"', "he said.", '"Never!"', "She left.")),
        (("«Иди сюда", "», — сказала Анна. «", "Иди!", "» И ушла."),
         ("«Иди сюда»,", "— сказала Анна.", "«Иди!»", "И ушла.")),
        (("— Не пойду,", "— сказал он. —", "Никогда!"),
         ("— Не пойду,", "— сказал он.", "— Никогда!")),
        (("„Komm her", "“, sagte Anna. „", "Und bald!", "“ Er kam."),
         ("„Komm her“,", "sagte Anna.", "„Und bald!“", "Er kam.")),
        (("He read", "“Up and Down”", "to her."), ("He read", "“Up and Down”", "to her.")),
        (("She said that", "’tis late", "and left."), ("She said that", "’tis late", "and left.")),
    ],
)  # fmt: skip
def test_quotation_marks_stay_with_their_words(
    tmp_path: Path, parts: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    """A role changes between the words and their quotation marks; captions put these together."""
    segments = []
    for number, text in enumerate(parts, 1):
        frames, marks = tones.speech(text)
        segment = _segment(tmp_path, text, Break.VOICE, frames, moved(marks), number)
        role = "Anna" if number % 2 else ""
        segments.append(replace(segment, chunk=replace(segment.chunk, role=role)))
    timeline = build_timeline(segments, Pauses(), 2, ENGLISH)
    assert tuple(cue.text for cue in cues(segments, timeline, ENGLISH)) == shown
