"""What is said on the wire, logged frame by frame, and never a secret among it."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import aiohttp
import pytest
from edge_tts import constants

from tests import leaping
from tests.backends.edge.faults import NAMED, Faults, script
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_backend import RUSSIAN, TEXT
from tests.backends.edge.test_endpoint import Proxy
from tests.cli.test_commands import Desk
from tts_book.backends import Settings
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.backends.edge.wire_log import (
    HIDDEN,
    LOGGER,
    MOST_BODY_CHARACTERS,
    Secrets,
    WireLog,
    find_url_secrets,
    shorten,
)
from tts_book.cli.commands import convert
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import open_log
from tts_book.errors import BackendError

TOKEN = constants.TRUSTED_CLIENT_TOKEN


PASSWORD = "p@ss-wörd/1 +2"
NAME = "reader of ours"


@dataclass(frozen=True)
class Line:
    """A line of the log, taken apart."""

    of: str
    since_ms: int
    text: str


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        of, since, text = record.getMessage().split(" ", 2)
        self.seen.append(Line(of, int(since.removeprefix("+")), text.removeprefix("ms ")))


@contextmanager
def log_lines(level: int = logging.DEBUG) -> Iterator[list[Line]]:
    """Every line that is logged about the wire meanwhile."""
    lines, before = _Lines(), LOGGER.level
    LOGGER.addHandler(lines)
    LOGGER.setLevel(level)
    try:
        yield lines.seen
    finally:
        LOGGER.setLevel(before)
        LOGGER.removeHandler(lines)


def spellings(secret: str) -> set[str]:
    coded = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {secret, *coded, *(value.lower() for value in coded)}


def proxied(url: str) -> str:
    return url.replace("://", f"://{quote(NAME, safe='')}:{quote(PASSWORD, safe='')}@")


def told(
    service: EdgeSimulator, *texts: str, through: Proxy | None = None
) -> tuple[list[Line], list[BackendError]]:
    """All lines about some requests at once, and how they failed, if they did."""

    async def run() -> list[BackendError]:
        async with service, (through or Proxy()).open() as url:
            proxy = proxied(url) if through else ""
            backend = EdgeBackend(
                Settings(environ={}, proxy=proxy),
                speech_url=service.wss_url,
                voices_url=service.voices_url,
                tls=service.ssl_context,
            )
            try:
                spoken = (backend.speak(text, RUSSIAN) for text in texts or (TEXT,))
                answers = await asyncio.gather(*spoken, return_exceptions=True)
            finally:
                await backend.aclose()
            return [answer for answer in answers if isinstance(answer, BackendError)]

    with log_lines() as lines:
        return lines, leaping.run(run())


CONVERSATIONS: dict[str, tuple[str, ...]] = {
    "": (
        "> GET wss://127.0.0.1",
        "connected",
        "< 101 Switching Protocols [Date: ",
        "> speech.config [X-Timestamp: ",
        "> ssml [X-RequestId: ",
        "< turn.start ",
        '< audio.metadata [Content-Type: application/json; charset=utf-8] {"Metadata": [{"Type"',
        " bytes in each of ",
        "< audio 0 bytes",
        "< turn.end ",
        "the answer has ended: ",
        "judged: all is well",
        "closed, code 1000",
    ),
    "http_503": ("< 503 Service Unavailable [", "WSServerHandshakeError", "failed (overload)"),
    "http_429_wait": ("< 429 Too Many Requests [", "failed (overload)"),
    "refused": ("> GET wss://", "aiohttp.Client", "failed (transient)"),
    "mute": ("> GET wss://", "TimeoutError", "failed (transient): No answer in time"),
    "silent_socket": ("> ssml", "failed (transient): No answer began within 27 s"),
    "silent_midway": ("< turn.start", "< audio 720", "failed (transient): Nothing came for"),
    "reset_midway": ("< turn.start", "the connection is ", "failed (transient)"),
    "close_1011": ("< audio 720", "< close 1011 internal error", "failed (transient)"),
    "close_1000": ("< close 1000 without a reason", "judged: the connection was closed"),
    "no_audio": ("< turn.end", "the answer has ended: 0 bytes", "> GET https://", "18 voices"),
    "hole": ("< turn.end", "judged: no sound for "),
    "bad_json": ("< audio.metadata", "< turn.end", "1 unreadable frames"),
    "wrong_length": ("bytes that are no frame", "1 broken frames"),
    "foreign_turn": ("X-RequestId: ", "the answer has ended"),
}
HEALED = ("", "bad_json", "foreign_turn")


@pytest.mark.parametrize("fault", CONVERSATIONS)
def test_a_conversation_is_told_in_its_order(fault: str) -> None:
    notes, failed = told(EdgeSimulator(script(fault or None)))
    rest = iter(note.text for note in notes)
    for wanted in CONVERSATIONS[fault]:
        assert any(wanted in text for text in rest), f"not told, or not at its place: {wanted}"
    assert bool(failed) is (fault not in HEALED)


def test_a_clock_that_is_corrected_is_told() -> None:
    notes, failed = told(EdgeSimulator(skew_s=7_200))
    assert not failed
    assert any("s from ours: asking again with its time" in note.text for note in notes)


def test_the_text_that_is_sent_is_told_whole() -> None:
    notes, _ = told(EdgeSimulator(), "Мост скрипел & держался.")
    sent = next(note.text for note in notes if note.text.startswith("> ssml"))
    assert sent.endswith("'>Мост скрипел &amp; держался.</prosody></voice></speak>")


def test_every_note_says_which_request_it_is_about() -> None:
    notes, _ = told(EdgeSimulator(), "Первый мост скрипел.", "Второй мост стоял.")
    sent = {note.of: note.text for note in notes if note.text.startswith("> ssml")}
    assert len(sent) == 2
    for request, text in sent.items():
        about = [note for note in notes if note.of == request]
        assert f"X-RequestId: {request}" in text
        assert sum("the answer has ended" in note.text for note in about) == 1
        since = [note.since_ms for note in about]
        assert since == sorted(since)


# Frames of one conversation, by hand


def heard_by_hand(*moments: tuple[float, aiohttp.WSMessage]) -> list[str]:
    """What is told of messages that come at these seconds."""
    now_s = [0.0]
    with log_lines() as lines:
        log = WireLog(clock=lambda: now_s[0])
        log.begin("7" * 32)
        for at_s, message in moments:
            now_s[0] = at_s
            log.log_received(message)
        log.note("over")
    return [line.text for line in lines]


def sound(size: int, more: str = "") -> aiohttp.WSMessage:
    head = f"X-RequestId:{'7' * 32}\r\nPath:audio\r\n{more}".encode()
    frame = len(head).to_bytes(2, "big") + head + bytes(size)
    return aiohttp.WSMessage(aiohttp.WSMsgType.BINARY, frame, None)


def text(path: str, body: str = "{}") -> aiohttp.WSMessage:
    frame = f"X-RequestId:{'7' * 32}\r\nPath:{path}\r\n\r\n{body}"
    return aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, frame, None)


def test_frames_of_sound_are_told_together_although_marks_come_between() -> None:
    told = heard_by_hand(
        (0.1, sound(720)), (0.15, text("audio.metadata")), (0.2, sound(720)), (0.3, sound(288))
    )
    assert told == [
        "< audio.metadata [] {}",
        "< audio 288 to 720 bytes in each of 3 frames, 1,728 together, the first at +100 ms []",
        "over",
    ]


def test_sound_that_falters_is_told_when_it_comes() -> None:
    told = heard_by_hand((0.1, sound(720)), (0.5, sound(720)), (0.6, text("turn.end")))
    assert told == ["< audio 720 bytes []", "< audio 720 bytes []", "< turn.end [] {}", "over"]


def test_sound_with_other_headers_is_told_apart() -> None:
    told = heard_by_hand((0.1, sound(720)), (0.1, sound(0, "X-More:1\r\n")))
    assert told == ["< audio 720 bytes []", "< audio 0 bytes [x-more: 1]", "over"]


BODIES = [
    ("{}", "{}"),
    ('{\r\n  "a": [\r\n    1\r\n  ]\r\n}', '{"a": [1]}'),
    ("x" * MOST_BODY_CHARACTERS, "x" * MOST_BODY_CHARACTERS),
    ("x" * 2_001, "x" * 2_000 + " … (2,001 characters in all)"),
    (" \n" * 1_000_000, " … (2,000,000 characters in all)"),
    ("y" * 4_000_000, "y" * 2_000 + " … (4,000,000 characters in all)"),
]


@pytest.mark.parametrize(("body", "shown"), BODIES, ids=lambda body: body[:9])
def test_a_body_is_one_line_of_bounded_length(body: str, shown: str) -> None:
    assert shorten(body) == shown


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_nothing_is_built_that_is_not_logged(level: int) -> None:
    def secrets() -> Secrets:
        raise AssertionError("nothing needs to be redacted")

    with log_lines(level) as lines:
        log = WireLog(secrets)
        log.log_sent("Path:ssml\r\n\r\n<speak/>")
        log.log_received(sound(720))
        log.note("over")
    assert lines == []
    assert not vars(log)["_sound"]


# Never a secret


def leaks(secrets: set[str], output: str) -> set[str]:
    """The secrets that stand in `output`, in any spelling."""
    basic = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
    every = {*secrets, TOKEN, PASSWORD, NAME, basic}
    return {s for s in every for spelled in spellings(s) if spelled.lower() in output.lower()}


def converted(at: Desk, service: EdgeSimulator, request: CommandOptions) -> str:
    """A whole conversion through a proxy with the log at its most talkative: all that it wrote."""

    async def run() -> int:
        async with service, Proxy().open() as url:
            certificates = at.write("trusted.pem", service.authority_pem)
            environ = service.environ(str(certificates)) | {"HTTPS_PROXY": proxied(url)}
            with open_log(replace(at.here(), environ=environ), "debug") as here:
                return await convert.convert(here, request, ["letters.txt"])

    at.write("letters.txt", "Первое письмо пришло утром.\n\nВторое письмо пришло вечером.\n")
    at.run(run())
    records = "".join(path.read_text("utf-8") for path in at.folder.glob("*.jsonl"))
    return at.out.getvalue() + at.err.getvalue() + records


ECHO = replace(NAMED["close_4000"], reason=f"not welcome: {TOKEN.lower()}")
TALKATIVE = replace(NAMED["http_500"], headers=(("Server", TOKEN), ("X-Echo", TOKEN)), body=TOKEN)


@pytest.mark.parametrize(
    ("skew_s", "faults"),
    [(0.0, script()), (4_000.0, script()), (0.0, script(TALKATIVE, ECHO, then=None)),
     (0.0, script(None, "http_403", then="http_403"))],
    ids=["calm", "wrong clock", "echoes", "turned away"],
)  # fmt: skip
def test_no_secret_is_told(skew_s: float, faults: Faults, tmp_path: Path) -> None:
    service = EdgeSimulator(faults, skew_s=skew_s)
    output = converted(
        Desk(tmp_path), service, CommandOptions(voice="ru-RU-DmitryNeural", language="ru")
    )
    assert f"TrustedClientToken={HIDDEN}&ConnectionId=" in output
    assert "through the proxy 127.0.0.1:" in output
    assert "> ssml" in output or "failed (refused)" in output
    assert len(service.secrets) > 4
    assert not leaks(service.secrets, output)


REFUSALS = ["http_403", "http_401", "http_503", "front_page"]


@pytest.mark.parametrize("fault", REFUSALS)
@pytest.mark.parametrize("through", [None, "", "407 Name and password, please"])
def test_no_traceback_holds_a_secret(fault: str, through: str | None) -> None:
    service = EdgeSimulator(script(then=fault), skew_s=4_000)
    proxy = None if through is None else Proxy(through)
    notes, (error,) = told(service, through=proxy)
    shown = "".join(traceback.format_exception(error))
    assert "Foreign: aiohttp." in shown
    assert not leaks(service.secrets, shown + "".join(note.text for note in notes))


HIDING: list[tuple[Callable[[], Secrets], str, str]] = [
    (lambda: Secrets(), "nothing is hidden", "nothing is hidden"),
    (lambda: Secrets(["", "abc"]), "abc is too short", "abc is too short"),
    (lambda: Secrets(["ABCDEF"]), "abcdef, ABCDEF", f"{HIDDEN}, {HIDDEN}"),
    (lambda: Secrets(["a/b c"]), "a%2Fb%20c a/b%20c a%2Fb+c", " ".join([HIDDEN] * 3)),
    (lambda: Secrets(["a%2Fbcd"]), "a/bcd", HIDDEN),
    (lambda: Secrets(find_url_secrets("http://h:1?key=mykey&k=2")), "mykey", HIDDEN),
    (lambda: Secrets(find_url_secrets("user:secret@h:1")), "user secret h", f"{HIDDEN} {HIDDEN} h"),
    (lambda: Secrets(find_url_secrets("http://host.example:3128")), "host.example", "host.example"),
]  # fmt: skip


@pytest.mark.parametrize(("secrets", "text", "shown"), HIDING)
def test_secrets_are_hidden_in_every_spelling(
    secrets: Callable[[], Secrets], text: str, shown: str
) -> None:
    assert secrets().redact(text) == shown
