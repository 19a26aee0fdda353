"""The espeak backend: every language it names, marks that fit, and text that stays text."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from tts_book.backends import Backend, Settings
from tts_book.backends.contract import BackendContract, check_marks, duration_ms
from tts_book.backends.espeak import EspeakBackend, EspeakEngine, make
from tts_book.errors import BackendRefused, Failure
from tts_book.model import Mark, Speech, Voice

ENGLISH = Voice("robot", "espeak", "en-gb", language="en")


class TestEspeak(BackendContract):
    voice = ENGLISH

    def backend(self) -> Backend:
        return make(Settings())


def speak(text: str, voice: Voice = ENGLISH) -> Speech:
    return asyncio.run(make(Settings()).speak(text, voice))


def said(marks: tuple[Mark, ...], text: str, kind: str) -> list[str]:
    return [text[mark.start : mark.stop] for mark in marks if mark.kind == kind]


def test_every_voice_it_lists_can_speak() -> None:
    backend = make(Settings())

    async def one_word_each() -> list[str]:
        infos = await backend.voices()
        for info in infos:
            voice = Voice("v", "espeak", info.id, language=info.language)
            assert (await backend.speak("1, 2, 3", voice)).audio
        return [info.language for info in infos]

    languages = asyncio.run(one_word_each())
    assert {"ru", "en-US", "en-GB", "pt-BR", "uk", "de", "nb", "hy", "ka"} <= set(languages)
    assert "fo" not in languages  # a voice file without a dictionary


def test_words_and_sentences_have_marks() -> None:
    text = "Он сказал: «да».  Нет — 25 рублей.\n\nУшёл."
    marks = speak(text, replace(ENGLISH, id="ru", language="ru")).marks
    assert said(marks, text, "word") == [
        "Он",
        "сказал:",
        "да».",
        "Нет",
        "25",
        "рублей.",
        "Ушёл.",
    ]
    assert said(marks, text, "sentence") == [
        "Он сказал: «да».",
        "Нет — 25 рублей.",
        "Ушёл.",
    ]


@pytest.mark.parametrize(
    "second",
    [
        "“Two,” he said.",
        '"Two," he said.',
        "«Два», — сказал он.",
        "(Two) left.",
        "— Два.",
        "Two left.",
    ],
)
def test_a_paragraph_is_heard_before_whatever_opens_the_next(second: str) -> None:
    text = f"One came home. Then it was dark.\n\n{second}"
    marks = speak(text).marks
    assert said(marks, text, "sentence") == ["One came home.", "Then it was dark.", second]
    words = [mark for mark in marks if mark.kind == "word"]
    ends = next(mark.stop_ms for mark in words if text[mark.start : mark.stop] == "dark.")
    begins = next(mark.start_ms for mark in words if mark.start > text.index("\n"))
    assert begins - ends == pytest.approx(900, abs=150)


def test_a_paragraph_lasts_as_long_as_the_rate_says() -> None:
    one, two = "Nine boats came.", "Nine boats came.\n\nNine boats came."
    hurried = replace(ENGLISH, rate_pct=50)
    pause_ms = duration_ms(speak(two, hurried)) - 2 * duration_ms(speak(one, hurried))
    assert pause_ms == pytest.approx(600, abs=60)


def test_sentences_begin_with_their_quotation_mark() -> None:
    text = "One came. “Two left,” he said. (Three stayed.) Four went."
    assert said(speak(text).marks, text, "sentence") == [
        "One came.",
        "“Two left,” he said.",
        "(Three stayed.)",
        "Four went.",
    ]


def test_only_texts_of_several_paragraphs_have_a_key_of_their_own() -> None:
    backend = make(Settings())
    assert backend.prepare("One came.\nTwo left.", ENGLISH) == ""
    assert backend.prepare("One came.\n\n* * *\n\n", ENGLISH) == ""
    assert backend.prepare("One came.\n\nTwo left.", ENGLISH)


def test_marks_count_characters_outside_the_basic_plane_once() -> None:
    text = "The \U0001f600 cat sat. \U00020000 Then it left."
    words = said(speak(text).marks, text, "word")
    assert words[:3] == ["The", "cat", "sat."]
    assert words[-3:] == ["Then", "it", "left."]


@pytest.mark.parametrize(
    ("changed", "longer"),
    [({"rate_pct": -40}, True), ({"rate_pct": 100}, False), ({"rate_pct": 900}, False)],
)
def test_rate_changes_the_length(changed: dict[str, int], longer: bool) -> None:
    text = "The ferry left at noon with nobody aboard."
    usual, other = speak(text), speak(text, replace(ENGLISH, **changed))  # type: ignore[arg-type]  # int fields only
    assert (duration_ms(other) > 1.2 * duration_ms(usual)) is longer


def test_pitch_and_volume_change_the_sound() -> None:
    text = "A man and all men sang."
    usual = speak(text)
    loud = speak(text, replace(ENGLISH, volume_pct=-60))
    high = speak(text, replace(ENGLISH, pitch_hz=40))
    assert _mean_level(loud) < 0.6 * _mean_level(usual)
    assert _crossings(high) > _crossings(usual)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("go [[h@loU]] on", "go h@loU on"),
        ("<voice name='ru'>stay</voice>", "voice name='ru' stay /voice"),
        ("one\x01130s two", "one 130s two"),
        ("one\x00two three", "one two three"),
        ("_*yes*_ ***", "yes"),
    ],
)
def test_marks_of_other_languages_are_not_obeyed(text: str, like: str) -> None:
    spoken, expected = speak(text), speak(like)
    assert duration_ms(spoken) == pytest.approx(duration_ms(expected), rel=0.35)


@pytest.mark.parametrize(
    ("id_", "suggestion"),
    [
        ("english", ""),
        ("en-ukk", 'Did you mean "'),
        ("ruu", 'Did you mean "ru"?'),
        ("ru+../../x", 'Did you mean "ru+f3"?'),
        ("", ""),
    ],
)
def test_unknown_voices_are_refused(id_: str, suggestion: str) -> None:
    with pytest.raises(BackendRefused) as caught:
        speak("Hello", replace(ENGLISH, id=id_))
    assert caught.value.failure is Failure.MISCONFIGURED
    assert suggestion in str(caught.value)


@pytest.mark.parametrize(
    "id_", ["en-us", "EN-US", "en_US", "en-us+f3", "ru+m3", "yue-Latn-jyutping"]
)
def test_ways_to_name_a_voice(id_: str) -> None:
    assert speak("Hello", replace(ENGLISH, id=id_)).audio


def test_a_missing_library_is_told_with_its_mend() -> None:
    def missing() -> EspeakEngine:
        raise BackendRefused("The offline voices are not installed.", Failure.MISCONFIGURED)

    health = asyncio.run(EspeakBackend(engine=missing).health())
    assert not health.usable
    assert health.fix == 'pip install "tts-book[offline]"'


def test_a_library_that_cannot_be_loaded_is_refused(tmp_path: object) -> None:
    with pytest.raises(BackendRefused, match="cannot be loaded"):
        EspeakEngine(f"{tmp_path}/none.so", f"{tmp_path}")


def test_data_behind_a_long_path_is_refused() -> None:
    with pytest.raises(BackendRefused, match="shorter path"):
        EspeakEngine("unused", "/long" * 40)


def test_a_long_text_keeps_its_marks_in_step() -> None:
    text = "Nine boats came home, one by one, and the tenth did not. " * 40
    speech = speak(text)
    check_marks(speech.marks, text, duration_ms(speech))
    starts = [mark.start_ms for mark in speech.marks if mark.kind == "sentence"]
    assert len(starts) == 40
    assert all(2_000 < later - earlier < 6_000 for earlier, later in pairwise(starts))


def _samples(speech: Speech) -> list[int]:
    return [
        int.from_bytes(speech.audio[at : at + 2], "little", signed=True)
        for at in range(0, len(speech.audio), 2)
    ]


def _mean_level(speech: Speech) -> float:
    samples = _samples(speech)
    return sum(map(abs, samples)) / len(samples)


def _crossings(speech: Speech) -> int:
    samples = _samples(speech)
    return sum((earlier < 0) != (later < 0) for earlier, later in pairwise(samples))
