"""Fetches Piper voices: the licence first, then whole files or none."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from tts_book.backends.download import (
    Downloader,
    OnProgress,
    RemoteFile,
    Wire,
    free_bytes_of,
    open_binary,
    open_wire,
    part_of,
    unavailable,
)
from tts_book.backends.piper.catalog import Index, StoreVoice, find_voice, read_index
from tts_book.backends.piper.voices import read_local_voice
from tts_book.errors import UserError

DEFAULT_URL = "https://huggingface.co/rhasspy/piper-voices/resolve/main/"
URL_VARIABLE = "TTS_BOOK_PIPER_URL"

Agree = Callable[[StoreVoice, str], bool]


class PiperStore:
    """Voices at an address. `sleep`, `free_bytes` and `open_file` stand for clock and disk."""

    def __init__(
        self,
        wire: Wire,
        url: str = DEFAULT_URL,
        *,
        sleep: Callable[[float], None] = time.sleep,
        free_bytes: Callable[[Path], int] = free_bytes_of,
        open_file: Callable[[Path, str], BinaryIO] = open_binary,
    ) -> None:
        self._files = Downloader(wire, url, sleep=sleep, free_bytes=free_bytes, open_file=open_file)

    def index(self) -> Index:
        """All voices of the store. Raises BackendUnavailable or UserError."""
        text = self._files.read_text("voices.json")
        try:
            return read_index(json.loads(text))
        except (ValueError, RecursionError) as error:
            url = self._files.url
            raise unavailable(f"{url}voices.json is not an index of voices: {error}") from error

    def card(self, voice: StoreVoice) -> str:
        """What the makers of `voice` say of it, with its licence."""
        return self._files.read_text(voice.card_path) if voice.card_path else ""

    def install(
        self, name: str, folder: Path, *, agree: Agree, on_progress: OnProgress | None = None
    ) -> Path:
        """Fetches the voice `name` into `folder` and gives the model's path.

        `agree` is shown the voice and its card before anything is written, and can say no;
        `on_progress` is told the bytes that are there and their sum. Raises UserError for a name
        that is not in the store, a no, and a folder that cannot be written; BackendUnavailable
        where the store cannot be reached or sends something else.
        """
        voice = find_voice(name, self.index())
        model = folder / f"{voice.key}.onnx"
        config = folder / f"{voice.key}.onnx.json"
        remote = RemoteFile(voice.model_path, voice.model_bytes, "md5", voice.model_md5)
        if read_local_voice(model, config) and remote.is_whole(model):
            return model
        card = self.card(voice)
        if not agree(voice, card):
            raise UserError(f"The voice {voice.key} was not fetched.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = self._files.fetch_part(remote, model, f"The voice {voice.key}", on_progress)
            self._settings(voice, config)
            if card:
                _write_whole(folder / f"{voice.key}.MODEL_CARD", card)
            os.replace(part, model)  # noqa: PTH105  # the same on every system, also over a file
        except OSError as error:
            raise UserError(
                f"Cannot write to {folder}: {error.strerror or error}. Partial downloads are kept; "
                "the same command resumes them."
            ) from error
        return model

    def _settings(self, voice: StoreVoice, config: Path) -> None:
        part = part_of(config)
        _write(part, self._files.read_text(voice.config_path))
        if read_local_voice(config.with_suffix(""), part) is None:
            part.unlink()
            raise unavailable(f"The settings of {voice.key} came damaged")
        os.replace(part, config)  # noqa: PTH105  # as above


def open_store(environ: Mapping[str, str], proxy: str = "") -> PiperStore:
    """The store at `$TTS_BOOK_PIPER_URL`, or the official one. Raises UserError for an address or
    a proxy that is not HTTP's."""
    url = environ.get(URL_VARIABLE, "").strip() or DEFAULT_URL
    if not url.startswith(("http://", "https://")):
        raise UserError(f'{URL_VARIABLE} is "{url}": give an address with https:// before it.')
    return PiperStore(open_wire(environ, proxy), url)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _write_whole(path: Path, text: str) -> None:
    _write(part_of(path), text)
    os.replace(part_of(path), path)  # noqa: PTH105  # the same on every system, also over a file
