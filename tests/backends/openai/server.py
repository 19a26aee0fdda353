"""A loopback server that speaks as OpenAI's does, around any engine, and fails as real ones do."""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

RATE_HZ = 24_000
MS_PER_LETTER = 60
WORD_GAP_MS, SENTENCE_GAP_MS, TAIL_MS = 40, 300, 120
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Engine:
    """Turns a text into 16-bit mono samples, and tells when each word is heard."""

    speak: Callable[[str, float], tuple[bytes, int, list[dict[str, object]]]]


@lru_cache(maxsize=64)
def _tone(ms: int, rate_hz: int) -> bytes:
    t = np.arange(rate_hz * ms // 1_000)
    rise = np.minimum(1, np.minimum(t, t[::-1]) / (rate_hz * 0.008))
    return (9_000 * rise * np.sin(2 * np.pi * 220 * t / rate_hz)).astype("<i2").tobytes()


def hum(text: str, speed: float, rate_hz: int = RATE_HZ) -> tuple[bytes, int, list[dict[str, Any]]]:
    """A hum for each word, as long as its letters: fast, and always the same."""
    sound = bytearray(bytes(2 * (rate_hz * 30 // 1_000)))
    words: list[dict[str, Any]] = []
    for found in _WORD.finditer(text):
        letters = sum(map(str.isalnum, found[0]))
        if not letters:
            continue
        begin_s = len(sound) / 2 / rate_hz
        sound += _tone(round(letters * MS_PER_LETTER / speed), rate_hz)
        end_s = len(sound) / 2 / rate_hz
        words.append({"word": found[0], "start_time": begin_s, "end_time": end_s})
        gap_ms = SENTENCE_GAP_MS if found[0].rstrip('"”’)')[-1:] in ".!?…" else WORD_GAP_MS
        sound += bytes(2 * (rate_hz * round(gap_ms / speed) // 1_000))
    return bytes(sound + bytes(2 * (rate_hz * TAIL_MS // 1_000))), rate_hz, words


def wav(pcm: bytes, rate_hz: int, data_bytes: int | None = None) -> bytes:
    """A WAV file, whose length field says `data_bytes` instead of the truth if that is given."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(pcm)
    made = bytearray(file.getvalue())
    if data_bytes is not None:
        struct.pack_into("<I", made, 4, min(data_bytes + 36, 0xFFFFFFFF))
        struct.pack_into("<I", made, 40, data_bytes)
    return bytes(made)


@dataclass
class Answer:
    """What goes over the wire. `sent_bytes`: the connection is cut after so many of them."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None
    hangs: bool = False


Fault = Callable[["Answer", bytes, int], Answer]


def refuses(status: int, body: object = b"", **headers: str) -> Fault:
    """Answers `status`, with a body (bytes, or what becomes JSON)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer, pcm, rate_hz: Answer(status, data, named)


def sounds(change: Callable[[bytes, int], tuple[bytes, int]]) -> Fault:
    """Sends changed samples, as a WAV file that is whole."""
    return lambda answer, pcm, rate_hz: Answer(body=wav(*change(pcm, rate_hz)))


def sends(make: Callable[[bytes, int], bytes]) -> Fault:
    """Sends other bytes."""
    return lambda answer, pcm, rate_hz: Answer(body=make(pcm, rate_hz))


def cut_at(share: float) -> Fault:
    """Drops the connection after this share of the bytes."""
    return lambda answer, pcm, rate_hz: Answer(
        body=answer.body, sent_bytes=int(share * len(answer.body))
    )


def hangs() -> Fault:
    """Sends nothing until the server closes."""
    return lambda answer, pcm, rate_hz: Answer(hangs=True)


def cut_in_speech(pcm: bytes, rate_hz: int) -> tuple[bytes, int]:
    """The first half, up to a place where somebody is speaking."""
    samples = np.abs(np.frombuffer(pcm, "<i2").astype(int))
    window = rate_hz // 20
    at = len(samples) // 2
    while samples[at - window : at].min(initial=0) < 0 or samples[at - 240 : at].max() < 6_000:
        at += 120
    return pcm[: 2 * at], rate_hz


def silent(pcm: bytes, rate_hz: int) -> tuple[bytes, int]:
    """As long, and nothing in it."""
    return bytes(len(pcm)), rate_hz


def with_a_hole(pcm: bytes, rate_hz: int) -> tuple[bytes, int]:
    """Six seconds of silence in the middle."""
    at = len(pcm) // 4 * 2
    return pcm[:at] + bytes(12 * rate_hz) + pcm[at:], rate_hz


def half_missing(pcm: bytes, rate_hz: int) -> tuple[bytes, int]:
    """Only the first third, then a proper end."""
    return pcm[: len(pcm) // 6 * 2] + bytes(rate_hz // 2), rate_hz


@dataclass
class Script:
    """How the server behaves: `faults` are used up one by one, `always` stays; `asked` are the
    paths and bodies that came. `voices` None: there is no list."""

    speak: Callable[[str, float], tuple[bytes, int, list[dict[str, Any]]]] = hum
    faults: list[Fault | None] = field(default_factory=list)
    always: Fault | None = None
    captions: str = ""  # "": none; "json"; "header"; "raw": the sound alone
    voices: object = field(default_factory=lambda: {"voices": ["af_heart", "af_bella", "bm_lewis"]})
    known: tuple[str, ...] = ("af_heart", "af_bella", "bm_lewis")
    key: str = ""
    most_characters: int = 100_000
    encode: Callable[[bytes, int], bytes] = wav
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: dict[str, str], sent: dict[str, Any]) -> Answer:
        """The answer to a request."""
        with self.lock:
            self.asked.append((path, sent))
            self.headers.append(headers)
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            said = {"error": {"message": f"Incorrect API key: {headers.get('authorization')}"}}
            return refuses(401, said)(Answer(), b"", 0)
        if path == "/v1/models":
            return Answer(body=json.dumps({"data": [{"id": "kokoro"}]}).encode())
        if path == "/v1/audio/voices" and self.voices is not None:
            return Answer(body=json.dumps(self.voices).encode())
        if path.startswith("/dev/timestamps/"):
            return Answer(body=json.dumps(self.timestamps[path.rpartition("/")[2]]).encode())
        speaks = path == "/v1/audio/speech" or (path == "/dev/captioned_speech" and self.captions)
        return self.spoken(path, sent) if speaks else Answer(404, b'{"detail": "Not Found"}')

    timestamps: dict[str, object] = field(default_factory=dict)

    def spoken(self, path: str, sent: dict[str, Any]) -> Answer:
        """The answer to a request for speech."""
        if sent["voice"] not in self.known:
            said = {"detail": {"error": "validation_error", "message": "Voice not found: x"}}
            return Answer(400, json.dumps(said).encode())
        if len(sent["input"]) > self.most_characters:
            said = {"error": {"message": f"input is too long: at most {self.most_characters}"}}
            return Answer(400, json.dumps(said).encode())
        pcm, rate_hz, words = self.speak(sent["input"], float(sent.get("speed", 1)))
        answer = Answer(body=self.encode(pcm, rate_hz))
        with self.lock:
            fault = self.faults.pop(0) if self.faults else self.always
        if fault is not None:
            answer = fault(answer, pcm, rate_hz)
        if path == "/dev/captioned_speech" and answer.status == 200 and not answer.hangs:
            if self.captions == "json":
                audio = base64.b64encode(answer.body).decode()
                answer.body = json.dumps({"audio": audio, "timestamps": words}).encode()
            elif self.captions == "header":
                self.timestamps["t1"] = words
                answer.headers["X-Timestamps-Path"] = "t1"
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        self._send(self.script.answer(self.path, self._headers(), {}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(self.script.answer(self.path, self._headers(), json.loads(body)))

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _send(self, answer: Answer) -> None:
        if answer.hangs:
            self.script.closing.wait(20)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: answer.sent_bytes])
        if answer.sent_bytes is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Tests read their own output."""


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """The address of a running server."""
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        script.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
