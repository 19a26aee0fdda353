"""doctor --online: every step with its figures, the one that fails by name, and no secret."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests import leaping
from tests.backends.edge.faults import script
from tests.backends.edge.service import Pace
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.socks import SocksProxy
from tests.backends.edge.test_endpoint import Proxy
from tests.backends.edge.test_wire_log import leaks, proxied
from tests.cli.test_commands import Desk
from tts_book.backends import DiagnosisStep, Settings
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.cli.commands.doctor import doctor
from tts_book.cli.options import CommandOptions
from tts_book.model import Voice

RUSSIAN = Voice("", "edge", "ru-RU-DmitryNeural", language="ru")
GERMAN = Voice("", "edge", "de-DE-KatjaNeural", language="de")
NAMES = ["edge-tts", "name", "TLS", "handshake", "speech", "marks", "sound"]


def steps(
    service: EdgeSimulator, voice: Voice = RUSSIAN, proxy: str = "", url: str = ""
) -> list[DiagnosisStep]:
    async def run() -> list[DiagnosisStep]:
        async with service:
            backend = EdgeBackend(
                Settings(environ={}, proxy=proxy),
                speech_url=url or service.wss_url,
                voices_url=service.voices_url,
                tls=service.ssl_context,
            )
            try:
                return [step async for step in backend.diagnose(voice)]
            finally:
                await backend.aclose()

    return leaping.run(run())


def found(taken: list[DiagnosisStep], name: str) -> str:
    return next(step.found for step in taken if step.name == name)


def test_every_step_shows_its_figures() -> None:
    service = EdgeSimulator(pace=Pace(0.4, 0.1, 0.3, 90.0), clock=leaping.clock)
    taken = steps(service)
    assert [step.name for step in taken] == NAMES
    assert all(step.well for step in taken)
    assert re.search(r"^7\.\d.*token version .*your own relay at 127", found(taken, "edge-tts"))
    assert re.search(r"1 IPv4, 0 IPv6 addresses", found(taken, "name"))
    assert re.search(r"TLSv1\.\d, certificate by trustme .* until 3000", found(taken, "TLS"))
    assert re.search(r"^accepted after 0\.[45]", found(taken, "handshake"))
    speech = r"^ru-RU-DmitryNeural: first message after 0\.1\d s, first sound after 0\.3\d s, all"
    assert re.search(speech, found(taken, "speech"))
    assert re.search(r"^11 of 11 words, 1 sentences, in order; the first \d+ ms before the sound",
                     found(taken, "marks"))  # fmt: skip
    assert re.search(r"^MP3, 24,000 Hz, mono, 48 kbit/s, 5\.\d+ s, silence of \d+ ms before",
                     found(taken, "sound"))  # fmt: skip
    assert service.statistics.turns == 1
    assert service.statistics.lists == 0


def test_a_voice_of_another_language_is_not_given_english() -> None:
    assert "AvaMultilingual" in found(steps(EdgeSimulator(), GERMAN), "speech")


FAILING = [
    ("mute", "TLS", "in time", "network"),
    ("reset_in_tls", "TLS", "dropped", ""),
    ("http_403", "handshake", "403", "edge-tts"),
    ("http_503", "handshake", "503", ""),
    ("http_404", "handshake", "moved or changed", "edge-tts"),
    ("silent_socket", "speech", "No answer began", ""),
    ("silent_midway", "speech", "Nothing came for", ""),
    ("close_1011", "speech", "1011", ""),
    ("no_audio", "speech", "without sound", "another voice"),
    ("1007_voice", "speech", "voice", "tts-book voices"),
]


@pytest.mark.parametrize(("fault", "name", "said", "fix"), FAILING)
def test_the_step_that_fails_is_named(fault: str, name: str, said: str, fix: str) -> None:
    *before, last = steps(EdgeSimulator(script(then=fault)) if name == "TLS"
                          else EdgeSimulator(script(None, then=fault)))  # fmt: skip
    assert all(step.well for step in before)
    assert not last.well
    assert last.name == name
    assert said in last.found
    assert fix in last.fix


def test_a_name_that_does_not_exist() -> None:
    taken = steps(EdgeSimulator(), url="wss://nowhere.invalid/edge/v1")
    assert [step.name for step in taken] == ["edge-tts", "name"]
    assert "cannot be looked up" in taken[-1].found
    assert "socks5h" in taken[-1].fix


ODD = [
    ("no_marks", "marks", "0 of 11 words, 0 sentences: replies can be checked by length"),
    ("no_sentences", "marks", "11 of 11 words, 0 sentences"),
    ("cut_frame", "sound", "s, silence of"),
]


@pytest.mark.parametrize(("fault", "name", "said"), ODD)
def test_what_a_service_does_differently_is_shown(fault: str, name: str, said: str) -> None:
    taken = steps(EdgeSimulator(script(None, then=fault)))
    assert said in found(taken, name)


def test_a_service_that_refuses_both_kinds_of_marks() -> None:
    marks = found(steps(EdgeSimulator(boundaries="words")), "marks")
    assert marks.startswith("11 of 11 words, 0 sentences (both kinds at once are refused)")


def test_a_wrong_clock_is_shown() -> None:
    shown = found(steps(EdgeSimulator(skew_s=7_200)), "handshake")
    assert re.search(r"this computer's clock is 7,\d+ s behind the service's", shown)


@pytest.mark.parametrize("scheme", ["http", "socks5h", "socks5"])
def test_no_secret_is_shown_through_a_proxy(scheme: str) -> None:
    service = EdgeSimulator()
    taken: list[DiagnosisStep] = []

    async def run(stack: contextlib.AsyncExitStack) -> None:
        await stack.enter_async_context(service)
        if scheme == "http":
            proxy = proxied(await stack.enter_async_context(Proxy().open()))
        else:
            login = ("reader", "secret-of-ours")
            address = await stack.enter_async_context(SocksProxy(login=login).open())
            proxy = f"{scheme}://{':'.join(login)}@{address}"
        backend = EdgeBackend(
            Settings(environ={}, proxy=proxy),
            speech_url=f"{service.wss_url}?key=ourownkey",
            tls=service.ssl_context,
        )
        stack.push_async_callback(backend.aclose)
        taken.extend([step async for step in backend.diagnose(RUSSIAN)])

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await run(stack)

    leaping.run(main())
    output = "\n".join(f"{step.found} {step.fix}" for step in taken)
    assert all(step.well for step in taken), output
    assert f"({scheme})" in found(taken, "proxy")
    assert ("looked up by the proxy" in output) is (scheme != "socks5")
    assert not leaks(service.secrets, output)
    assert "secret-of-ours" not in output
    assert "ourownkey" not in output


@pytest.mark.parametrize(("fault", "code"), [(None, 0), ("http_403", 1)])
def test_the_command_prints_lines_to_be_shown_to_others(
    fault: str | None, code: int, tmp_path: Path
) -> None:
    at = Desk(tmp_path)

    async def run() -> int:
        async with EdgeSimulator(script(None, then=fault)) as service:
            certificates = at.write("trusted.pem", service.authority_pem)
            here = replace(at.here(), environ=service.environ(str(certificates)))
            return await doctor(here, CommandOptions(language="ru"), online=True)

    assert at.run(run()) == code
    lines = at.out.getvalue().splitlines()
    assert lines[0].startswith("ok   tts-book: ")
    assert [line.split()[1] for line in lines[2:]] == [
        f"{name}:" for name in NAMES[: 4 if fault else None]
    ]
    assert lines[-1].startswith("FAIL handshake: " if fault else "ok   sound: ")
