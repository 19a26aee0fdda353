"""Piper voices that can be fetched: their index, finding one in it by name, and fetching it: the
licence first, then whole files or none."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tts_book.backends.download import (
    Downloader,
    OnProgress,
    RemoteFile,
    Wire,
    find_store_url,
    free_bytes_of,
    open_binary,
    open_wire,
    part_of,
    report_unwritable,
    unavailable,
)
from tts_book.backends.piper.voices import read_local_voice
from tts_book.errors import BackendUnavailable, UserError
from tts_book.text.language_tags import normalize_tag

_SUGGESTIONS = 3
# The language and more; also as older names are written.
_LOOKS_LIKE_A_VOICE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,})?-\S+")
_KEY = re.compile(r"\w[\w-]{0,99}")


@dataclass(frozen=True, slots=True)
class StoreVoice:
    """A voice in the store. Paths are relative to the store's address."""

    key: str
    language: str
    quality: str
    speakers: int
    model_path: str
    model_bytes: int
    model_md5: str
    card_path: str
    aliases: tuple[str, ...] = ()

    @property
    def config_path(self) -> str:
        """The settings lie beside the model."""
        return f"{self.model_path}.json"


Index = Mapping[str, StoreVoice]


def read_index(loaded: object) -> dict[str, StoreVoice]:
    """Voices by key from the parsed `voices.json`. Entries that are not understood are left out;
    raises ValueError where nothing is."""
    if not isinstance(loaded, dict):
        raise ValueError("it is not a table of voices")
    voices = {key: voice for key, entry in loaded.items() if (voice := _voice(key, entry))}
    if not voices:
        raise ValueError("it lists no voice")
    return voices


def _voice(key: str, entry: object) -> StoreVoice | None:
    files = _table(entry, "files")
    path = next((path for path in files if PurePosixPath(path).name == f"{key}.onnx"), "")
    size, md5 = _table(files, path).get("size_bytes"), _table(files, path).get("md5_digest")
    # The key becomes a file's name.
    if not (_KEY.fullmatch(key) and isinstance(size, int) and size > 0 and isinstance(md5, str)):
        return None
    language = _table(entry, "language").get("code")
    speakers = _table(entry).get("num_speakers")
    aliases = _table(entry).get("aliases")
    return StoreVoice(
        key,
        normalize_tag(language) if isinstance(language, str) else "und",
        str(_table(entry).get("quality", "")),
        speakers if isinstance(speakers, int) else 1,
        path,
        size,
        md5.lower(),
        next((path for path in files if PurePosixPath(path).name == "MODEL_CARD"), ""),
        tuple(map(str, aliases)) if isinstance(aliases, list) else (),
    )


def _table(value: object, key: str | None = None) -> dict[str, object]:
    inner = value if key is None else value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def find_voice(name: str, index: Index) -> StoreVoice:
    """The voice called `name`, also by an old name of it. Raises UserError with the nearest."""
    if name in index:
        return index[name]
    names = {alias.lower(): voice for voice in index.values() for alias in voice.aliases}
    names |= {key.lower(): voice for key, voice in index.items()}
    wanted = name.strip().lower()
    if wanted in names:
        return names[wanted]
    near = suggest_voices(wanted, index)
    if not near:
        languages = ", ".join(sorted({key.partition("-")[0] for key in index}))
        raise UserError(f'There is no Piper voice "{name}" to fetch. Languages: {languages}.')
    hint = " or ".join(f'"{key}"' for key in near)
    raise UserError(f'There is no Piper voice "{name}" to fetch. Did you mean {hint}?')


def suggest_voices(wanted: str, index: Index) -> list[str]:
    """Keys that are meant by part of a name, by a language, or by a misspelt name; best first."""
    wanted = wanted.lower().replace("-", "_")
    known = {key.lower().replace("-", "_"): key for key in index}
    exact = [key for low, key in known.items() if wanted and f"_{wanted}_" in f"_{low}_"]
    near = [known[low] for low in get_close_matches(wanted, known, _SUGGESTIONS, cutoff=0.6)]
    return list(dict.fromkeys([*exact, *near]))[:_SUGGESTIONS]


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
        voice = self._find_voice(name)
        model = folder / f"{voice.key}.onnx"
        config = folder / f"{voice.key}.onnx.json"
        remote = RemoteFile(voice.model_path, voice.model_bytes, "md5", voice.model_md5)
        if read_local_voice(model, config) and remote.is_whole(model):
            return model
        card = self.card(voice)
        if not agree(voice, card):
            raise UserError(f"The voice {voice.key} was not fetched.")
        with report_unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            part = self._files.fetch_part(remote, model, f"The voice {voice.key}", on_progress)
            self._settings(voice, config)
            if card:
                _write_whole(folder / f"{voice.key}.MODEL_CARD", card)
            os.replace(part, model)  # noqa: PTH105  # the same on every system, also over a file
        return model

    def _find_voice(self, name: str) -> StoreVoice:
        try:
            index = self.index()
        except BackendUnavailable as error:
            if _LOOKS_LIKE_A_VOICE.fullmatch(name):
                raise
            raise UserError(
                f'"{name}" is not the name of a Piper voice: these look like '
                f'"ru_RU-dmitri-medium". They cannot be listed now: {error}'
            ) from error
        return find_voice(name, index)

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
    url = find_store_url(environ, URL_VARIABLE, DEFAULT_URL)
    return PiperStore(open_wire(environ, proxy), url)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _write_whole(path: Path, text: str) -> None:
    _write(part_of(path), text)
    os.replace(part_of(path), path)  # noqa: PTH105  # the same on every system, also over a file
