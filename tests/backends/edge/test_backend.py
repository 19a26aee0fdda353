"""The online backend against the simulated service, over real TLS on this machine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from tests import leaping, tones
from tests.backends.edge import sound as edge_sound
from tests.backends.edge.faults import FAULTS, Fault, Mixture, script
from tests.backends.edge.simulator import EdgeSimulator
from tts_book.backends import Backend, Settings
from tts_book.backends.contract import BackendContract, check_marks
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
)
from tts_book.model import Speech, Voice

T = TypeVar("T")

RUSSIAN = Voice("reader", "edge", "ru-RU-DmitryNeural", language="ru")
ENGLISH = Voice("reader", "edge", "en-US-AvaMultilingualNeural", language="en")
TEXT = (
    "Старый мост скрипел, но держался. В 1812 году по нему прошли трое: мельник, его сын и "
    "чужой человек с фонарём!\n\nНикто из них не вернулся к утру — так рассказывала бабушка. "
    "Река поднялась выше перил & унесла доски <все до одной>. Осталась только свая."
)


def backend_of(service: EdgeSimulator, environ: dict[str, str] | None = None) -> EdgeBackend:
    return EdgeBackend(
        Settings(environ=environ or {}),
        speech_url=service.wss_url,
        voices_url=service.voices_url,
        tls=service.ssl_context,
    )


def against(service: EdgeSimulator, work: Callable[[EdgeBackend], Awaitable[T]]) -> T:
    """Runs `work` with a backend that knows only this service."""

    async def run() -> T:
        async with service:
            backend = backend_of(service)
            try:
                return await work(backend)
            finally:
                await backend.aclose()

    return leaping.run(run())


def heard(audio: bytes) -> list[str]:
    return [word.code for word in tones.read(tones.play(audio))]


def whole(speech: Speech, text: str = TEXT, voice: Voice = RUSSIAN) -> bool:
    """Whether this is all that the service has to say of the text, byte for byte (that its bytes
    hold every word is tested once, by ear)."""
    return speech.audio == edge_sound.say(text, voice.id, 1 + voice.rate_pct / 100).audio


def speak(service: EdgeSimulator, text: str = TEXT, voice: Voice = RUSSIAN) -> Speech:
    return against(service, lambda backend: backend.speak(text, voice))


def fine(error: BackendError) -> None:
    """The message is one line that anybody may see."""
    told = str(error)
    assert "\n" not in told
    assert told.endswith((".", "?", "!"))
    assert "Sec-MS-GEC" not in told
    assert "TrustedClientToken" not in told
    assert "://127" not in told


def failing(service: EdgeSimulator, text: str = TEXT, voice: Voice = RUSSIAN) -> BackendError:
    with pytest.raises(BackendError) as caught:
        against(service, lambda backend: backend.speak(text, voice))
    fine(caught.value)
    return caught.value


class TestContract(BackendContract):
    voice = ENGLISH

    def using(self, work: Callable[[Backend], Awaitable[T]]) -> T:
        return against(EdgeSimulator(), work)

    def backend(self) -> Backend:
        return EdgeBackend(Settings(environ={}))


KINDS: dict[Failure, type[BackendError]] = {
    Failure.TRANSIENT: BackendUnavailable,
    Failure.OVERLOAD: BackendUnavailable,
    Failure.INCOMPLETE: BackendIncomplete,
    Failure.NO_AUDIO: BackendIncomplete,
    Failure.BAD_REQUEST: BackendRefused,
    Failure.TOO_LONG: BackendRefused,
    Failure.REFUSED: BackendRefused,
    Failure.MISCONFIGURED: BackendRefused,
}
# After these no other chunk can fare better.
STOPPING = {Failure.REFUSED, Failure.MISCONFIGURED}
HARMLESS = [fault for fault in FAULTS if fault.expect == "whole"]
HARMFUL = [fault for fault in FAULTS if fault.expect != "whole"]


@pytest.mark.parametrize("voice", [RUSSIAN, ENGLISH, replace(RUSSIAN, rate_pct=-40, pitch_hz=-9)])
def test_every_word_in_order(voice: Voice) -> None:
    speech = speak(EdgeSimulator(), voice=voice)
    assert heard(speech.audio) == tones.codes(TEXT)
    assert whole(speech, voice=voice)
    assert speech.doubts == ()


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault.name)
def test_what_does_no_harm(fault: Fault) -> None:
    service = EdgeSimulator(script(then=fault))
    text = "Только свая, да 3 чайки." if fault.name == "size_1" else TEXT
    speech = speak(service, text)
    assert whole(speech, text)
    check_marks(speech.marks, text, len(speech.audio) / 6)
    assert service.statistics.faults[fault.name] >= 1
    assert service.statistics.speeches == 1


@pytest.mark.parametrize("fault", HARMFUL, ids=lambda fault: fault.name)
def test_what_is_noticed(fault: Fault) -> None:
    """The failure has its class, and the next request goes well."""

    async def twice(backend: EdgeBackend) -> tuple[BackendError, Speech]:
        with pytest.raises(BackendError) as caught:
            await backend.speak(TEXT, RUSSIAN)
        return caught.value, await backend.speak(TEXT, RUSSIAN)

    service = EdgeSimulator(script(fault))
    error, after = against(service, twice)
    fine(error)
    assert error.failure is fault.expect
    assert type(error) is KINDS[error.failure]
    assert error.stops_run == (error.failure in STOPPING)
    assert service.statistics.faults[fault.name] >= 1 or fault.stage == "door"
    assert whole(after)


def test_retry_after_is_told() -> None:
    seconds = failing(EdgeSimulator(script("http_429_wait")))
    date = failing(EdgeSimulator(script("http_503_date")))
    assert isinstance(seconds, BackendUnavailable)
    assert isinstance(date, BackendUnavailable)
    assert seconds.retry_after_s == 7
    assert date.retry_after_s is not None
    assert date.retry_after_s > 1e9


@pytest.mark.parametrize("skew_s", [-86_400.0, -1_000.0, 700.0, 3e8])
def test_a_wrong_clock_is_set_right_once(skew_s: float) -> None:
    service = EdgeSimulator(skew_s=skew_s)

    async def several(backend: EdgeBackend) -> list[Speech]:
        first = await asyncio.gather(*(backend.speak(TEXT, RUSSIAN) for _ in range(3)))
        health = await backend.health()
        assert "clock" in health.detail
        return [*first, await backend.speak(TEXT, RUSSIAN)]

    for speech in against(service, several):
        assert whole(speech)
    assert service.statistics.refusals[403] == 3


def test_a_refusal_without_a_date_is_final() -> None:
    service = EdgeSimulator(skew_s=5_000, bare_403=True)
    assert failing(service).failure is Failure.REFUSED
    assert service.statistics.speeches == 1


def test_a_region_is_refused_for_good() -> None:
    service = EdgeSimulator(script(then="http_403"), skew_s=90.0)
    error = failing(service)
    assert error.failure is Failure.REFUSED
    assert error.stops_run
    assert "--proxy" in str(error)
    assert service.statistics.speeches == 2


def test_words_alone_where_both_marks_are_refused() -> None:
    service = EdgeSimulator(boundaries="words")

    async def twice(backend: EdgeBackend) -> tuple[Speech, Speech]:
        return await backend.speak(TEXT, RUSSIAN), await backend.speak(TEXT, RUSSIAN)

    for speech in against(service, twice):
        assert whole(speech)
        said = [TEXT[m.start : m.stop] for m in speech.marks if m.kind == "sentence"]
        assert said[0] == "Старый мост скрипел, но держался."
        assert len(said) == 5
    assert service.statistics.speeches == 3


def test_marks_name_the_words_of_the_text() -> None:
    speech = speak(EdgeSimulator())
    words = [TEXT[mark.start : mark.stop] for mark in speech.marks if mark.kind == "word"]
    assert words[:6] == ["Старый", "мост", "скрипел", "но", "держался", "В"]
    sentences = [mark for mark in speech.marks if mark.kind == "sentence"]
    assert TEXT[sentences[-1].start : sentences[-1].stop] == "Осталась только свая"
    assert all(a.stop_ms <= b.start_ms for a, b in itertools.pairwise(sentences))


def test_stress_is_not_sent_and_marks_still_fit() -> None:
    text = "За\u0301мок стоит, а замо\u0301к закрыт \x0b крепко."
    service = EdgeSimulator()
    speech = speak(service, text)
    assert service.statistics.texts == ["Замок стоит, а замок закрыт   крепко."]
    words = [text[mark.start : mark.stop] for mark in speech.marks if mark.kind == "word"]
    assert words == ["За\u0301мок", "стоит", "а", "замо\u0301к", "закрыт", "крепко"]


def test_one_request_holds_so_much() -> None:
    service = EdgeSimulator()
    assert failing(service, "Слово. " * 320).failure is Failure.TOO_LONG
    assert service.statistics.connections == 0


@pytest.mark.parametrize("voice_id", ["ru-RU-DmitriNeural", "Dmitry", "ru_RU-DmitryNeural"])
def test_an_unknown_voice_is_named_with_its_like(voice_id: str) -> None:
    error = failing(EdgeSimulator(), voice=replace(RUSSIAN, id=voice_id))
    assert error.failure is Failure.MISCONFIGURED
    assert error.stops_run
    assert "ru-RU-DmitryNeural" in str(error)


def test_all_who_misspell_a_voice_at_once_get_its_like() -> None:
    service = EdgeSimulator()

    async def work(backend: EdgeBackend) -> list[str]:
        misspelt = replace(RUSSIAN, id="Dmitry")
        asked = (backend.speak(TEXT, misspelt) for _ in range(3))
        return [str(error) for error in await asyncio.gather(*asked, return_exceptions=True)]

    for message in against(service, work):
        assert "ru-RU-DmitryNeural" in message
    assert service.statistics.lists == 1


@pytest.mark.parametrize(
    "voice_id",
    [
        "Microsoft Server Speech Text to Speech Voice (ru-RU, DmitryNeural)",
        "iu-Cans-CA-SiqiniqNeural",
        "zh-CN-liaoning-XiaobeiNeural",
    ],
)
def test_every_form_of_a_name_is_understood(voice_id: str) -> None:
    speech = speak(EdgeSimulator(), "Раз, два, три.", replace(RUSSIAN, id=voice_id))
    assert heard(speech.audio) == tones.codes("Раз, два, три.")


def test_nothing_is_left_open_when_the_user_leaves() -> None:
    async def leave(backend: EdgeBackend) -> None:
        task = asyncio.create_task(backend.speak(TEXT, RUSSIAN))
        await asyncio.sleep(0.1)  # into the silence
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    against(EdgeSimulator(script(then="silent_midway")), leave)


def test_wrong_replies_are_never_taken_for_whole() -> None:
    """A storm: whatever is accepted, also of the doubtful kind, holds every word in order."""
    shares = {
        fault.name: 0.7 / len(FAULTS)
        for fault in FAULTS
        if fault.name not in ("http_401", "slow_handshake", "mute")
    }
    service = EdgeSimulator(Mixture(shares, seed=11))

    async def many(backend: EdgeBackend) -> int:
        accepted = 0
        for number in range(40):
            text = f"Строка {number}: дождь шёл третий день, и дорога стала рекой. {TEXT}"
            try:
                speech = await backend.speak(text, RUSSIAN)
            except BackendError:
                continue
            assert whole(speech, text), service.statistics.faults
            accepted += 1
        return accepted

    assert against(service, many) > 12


def test_a_backend_outlives_an_event_loop() -> None:
    made: list[EdgeBackend] = []

    async def once(port: int) -> int:
        async with EdgeSimulator(port=port) as service:
            made.append(made[0] if made else backend_of(service))
            assert whole(await made[-1].speak(TEXT, RUSSIAN))
            if port:
                await made[-1].aclose()
            return service.port

    leaping.run(once(leaping.run(once(0))))
    assert made[0] is made[1]
