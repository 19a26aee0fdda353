"""Silence that a test lets through, chunk by chunk: for workers of a cluster, which are other
processes. Each chunk is announced to the test's own `Studio`, with the process that speaks it."""

from __future__ import annotations

import asyncio
import json
import os
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tts_book.backends import Limits, Settings
from tts_book.backends.silent import SilentBackend
from tts_book.errors import BackendUnavailable, misconfigured
from tts_book.model import Speech, Voice

PORT, SOUND, ONLINE = "HELD_STUDIO_PORT", "HELD_SOUND", "HELD_ONLINE"
NAME = "held"


class HeldBackend(SilentBackend):
    """Asks the studio before it speaks."""

    name = NAME

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._port, self._sound = int(environ[PORT]), environ.get(SOUND, "")
        self.limits = Limits(start=4, most=4, online=ONLINE in environ)

    def fingerprint(self, voice: Voice) -> str:
        return f"held {self._sound}"

    async def speak(self, text: str, voice: Voice) -> Speech:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(json.dumps([text, os.getpid()]).encode() + b"\n")
            match await reader.readline():
                case b"":
                    raise BackendUnavailable("the studio is closed")
                case b"again\n":
                    raise BackendUnavailable("the studio is busy")
                case b"gone\n":
                    raise misconfigured("the studio is sold")
        finally:
            writer.close()
        return await super().speak(text, voice)


def make(settings: Settings) -> HeldBackend:
    return HeldBackend(settings.environ)


def install(folder: Path) -> Path:
    """Makes a folder that names this backend to whoever has it on the path."""
    about = folder / "held-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: held\nVersion: 1.0\n", "utf-8")
    entry = f"[tts_book.backends]\n{NAME} = {__name__}:make\n"
    (about / "entry_points.txt").write_text(entry, "utf-8")
    return folder


class Studio(socketserver.ThreadingTCPServer):
    """Hears of every chunk, and lets it through when `rule` returns, which it may do never; what it
    returns is "again" for a try that fails, "gone" for the end of the service."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.asked: list[tuple[str, int]] = []
        self.rule: Callable[[int, str, int], str | None] = lambda number, text, process: None
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        return {PORT: str(self.server_address[1])}

    def note(self, text: str, process: int) -> int:
        with self._lock:
            self.asked.append((text, process))
            return len(self.asked)


class _Visit(socketserver.StreamRequestHandler):
    server: Studio

    def handle(self) -> None:
        text, process = json.loads(self.rfile.readline())
        answer = self.server.rule(self.server.note(text, process), text, process)
        self.wfile.write(f"{answer or ''}\n".encode())
