"""Fetches Piper voices: the licence first, then whole files or none.

What has come is kept in a `.part` file and goes on where it stopped. A model is named only when
its size and its MD5 sum are those of the index; its settings only when they can be read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from tts_book.backends.piper.catalog import Index, StoreVoice, find, read_index
from tts_book.backends.piper.voices import local_voice
from tts_book.errors import BackendUnavailable, Failure, UserError

_TIMEOUT_S = 30.0
_LONGEST_TEXT_BYTES = 32 << 20
_RANGE = re.compile(r"bytes (\d+)-")
_HEALING = frozenset({408, 416, 425, 429, 500, 502, 503, 504})


class Dropped(Exception):
    """The store did not send what was asked for. `final`: another try would not help."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class DownloadReply:
    """A body that begins at byte `start` of the file; a context manager that closes it."""

    def __init__(self, response: HTTPResponse, url: str) -> None:
        self._response = response
        self._url = url
        where = _RANGE.match(response.headers.get("Content-Range", ""))
        self.start = int(where[1]) if response.status == 206 and where else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the connection."""
        self._response.close()

    def read(self, most_bytes: int) -> bytes:
        """The next bytes; none at the end. Raises Dropped."""
        try:
            return self._response.read(most_bytes)
        except (OSError, HTTPException) as error:
            raise Dropped(f"{self._url}: {_reason(error)}") from error


class Wire:
    """Gets files over HTTP. Certificates are those of the system and of certifi together."""

    def __init__(self, opener: OpenerDirector, timeout_s: float = _TIMEOUT_S) -> None:
        self._opener = opener
        self._timeout_s = timeout_s

    def get(self, url: str, start: int = 0) -> DownloadReply:
        """The file from byte `start`; a server that knows no ranges sends it from its beginning,
        as `Reply.start` tells. Raises Dropped."""
        headers = {"User-Agent": "tts-book", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            response = self._opener.open(Request(url, headers=headers), timeout=self._timeout_s)
        except HTTPError as error:
            error.close()
            raise Dropped(
                f"{url}: HTTP {error.code} {error.reason}", final=error.code not in _HEALING
            ) from error
        except (OSError, HTTPException) as error:
            final = isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)
            raise Dropped(f"{url}: {_reason(error)}", final=final) from error
        reply = DownloadReply(response, url)
        if reply.start not in (0, start):
            reply.close()
            raise Dropped(f"{url}: another part came than was asked for", final=True)
        return reply

    def text(self, url: str) -> str:
        """A small UTF-8 file as a whole. Raises Dropped."""
        with self.get(url) as reply:
            data = b""
            while block := reply.read(_LONGEST_TEXT_BYTES):
                data += block
                if len(data) > _LONGEST_TEXT_BYTES:
                    raise Dropped(f"{url} is far too long", final=True)
        return data.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    return str(reason).strip() or type(reason).__name__


def wire(proxy: str = "") -> Wire:
    """Through `proxy` (a URL), or where it is "" through the system's own. Raises UserError for a
    proxy that HTTP cannot use."""
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        host = proxy.rpartition("@")[2]  # without its password
        raise UserError(f'Voices cannot be fetched through the proxy "{host}": give an http one.')
    proxies = {"http": proxy, "https": proxy} if proxy else None
    context = ssl.create_default_context()
    context.load_verify_locations(_certifi())
    return Wire(build_opener(ProxyHandler(proxies), HTTPSHandler(context=context)))


def _certifi() -> str:
    import certifi

    return certifi.where()


DEFAULT_URL = "https://huggingface.co/rhasspy/piper-voices/resolve/main/"
URL_VARIABLE = "TTS_BOOK_PIPER_URL"

_WAITS_S = (1.0, 2.0, 4.0, 8.0)
# Less than this in one try counts as no progress.
_PROGRESS_BYTES = 1 << 16
_READ_BYTES = 1 << 18
_SPARE_BYTES = 1 << 20

OnProgress = Callable[[int, int], None]
Agree = Callable[[StoreVoice, str], bool]


def _open(path: Path, mode: str) -> BinaryIO:
    return path.open(mode)  # type: ignore[return-value]  # modes here are binary


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class PiperStore:
    """Voices at an address. `sleep`, `free_bytes` and `open_file` stand for clock and disk."""

    def __init__(
        self,
        wire: Wire,
        url: str = DEFAULT_URL,
        *,
        sleep: Callable[[float], None] = time.sleep,
        free_bytes: Callable[[Path], int] = _free_bytes,
        open_file: Callable[[Path, str], BinaryIO] = _open,
    ) -> None:
        self._wire = wire
        self._url = url.rstrip("/") + "/"
        self._sleep = sleep
        self._free_bytes = free_bytes
        self._open_file = open_file

    def index(self) -> Index:
        """All voices of the store. Raises BackendUnavailable or UserError."""
        text = self._text("voices.json")
        try:
            return read_index(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise _unavailable(f"{self._url}voices.json is no index of voices: {error}") from error

    def card(self, voice: StoreVoice) -> str:
        """What the makers of `voice` say of it, with its licence."""
        return self._text(voice.card_path) if voice.card_path else ""

    def install(
        self, name: str, folder: Path, *, agree: Agree, on_progress: OnProgress | None = None
    ) -> Path:
        """Fetches the voice `name` into `folder` and gives the model's path.

        `agree` is shown the voice and its card before anything is written, and can say no;
        `on_progress` is told the bytes that are there and their sum. Raises UserError for a name
        that is not in the store, a no, and a folder that cannot be written; BackendUnavailable
        where the store cannot be reached or sends something else.
        """
        voice = find(name, self.index())
        model = folder / f"{voice.key}.onnx"
        config = folder / f"{voice.key}.onnx.json"
        if local_voice(model, config) and _is_whole(model, voice):
            return model
        card = self.card(voice)
        if not agree(voice, card):
            raise UserError(f"The voice {voice.key} was not fetched.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = self._model_part(voice, model, on_progress or _ignore)
            self._settings(voice, config)
            if card:
                _write_whole(folder / f"{voice.key}.MODEL_CARD", card)
            os.replace(part, model)  # noqa: PTH105  # the same on every system, also over a file
        except OSError as error:
            raise UserError(
                f"Cannot write to {folder}: {error.strerror or error}. What has come is kept; "
                "the same command goes on from there."
            ) from error
        return model

    def _settings(self, voice: StoreVoice, config: Path) -> None:
        part = _part(config)
        _write(part, self._text(voice.config_path))
        if local_voice(config.with_suffix(""), part) is None:
            part.unlink()
            raise _unavailable(f"The settings of {voice.key} came damaged")
        os.replace(part, config)  # noqa: PTH105  # as above

    def _model_part(self, voice: StoreVoice, model: Path, on_progress: OnProgress) -> Path:
        """The model, whole and checked, in its `.part` file."""
        part = _part(model)
        resumed = _size(part) > 0
        self._complete(voice, part, on_progress)
        if _is_whole(part, voice):
            return part
        part.unlink()
        if resumed:
            # The beginning may have been of an older model, or of another try.
            self._complete(voice, part, on_progress)
            if _is_whole(part, voice):
                return part
            part.unlink()
        raise _unavailable(f"{voice.key} came damaged: its MD5 sum is not that of the index")

    def _complete(self, voice: StoreVoice, part: Path, on_progress: OnProgress) -> None:
        if _size(part) > voice.model_bytes:
            part.unlink()
        missing = voice.model_bytes - _size(part)
        free = self._free_bytes(part.parent)
        if free < missing + _SPARE_BYTES:
            raise UserError(
                f"The voice {voice.key} needs {missing / 1e6:.0f} MB more in {part.parent}, "
                f"and {free / 1e6:.0f} MB are free. Make room, or name another folder."
            )
        failures = 0
        while _size(part) < voice.model_bytes:
            before = _size(part)
            try:
                self._take(voice, part, on_progress)
            except Dropped as error:
                failures = 0 if _size(part) - before >= _PROGRESS_BYTES else failures + 1
                if error.final or failures > len(_WAITS_S):
                    raise _unavailable(str(error)) from error
                self._sleep(_WAITS_S[max(failures - 1, 0)])

    def _take(self, voice: StoreVoice, part: Path, on_progress: OnProgress) -> None:
        """One request: from where `part` stops to its end, or to where the connection drops."""
        with self._wire.get(self._address(voice.model_path), _size(part)) as reply:
            done = reply.start
            with self._open_file(part, "ab" if done else "wb") as file:
                while block := reply.read(_READ_BYTES):
                    done += len(block)
                    if done > voice.model_bytes:
                        raise Dropped(f"{voice.key} is longer than its index says", final=True)
                    file.write(block)
                    on_progress(done, voice.model_bytes)
                file.flush()
                os.fsync(file.fileno())
        if done < voice.model_bytes:
            raise Dropped(f"{voice.key} stopped at {done} of {voice.model_bytes} bytes")

    def _text(self, path: str) -> str:
        for wait_s in (*_WAITS_S, None):
            try:
                return self._wire.text(self._address(path))
            except Dropped as error:
                if error.final or wait_s is None:
                    raise _unavailable(str(error)) from error
                self._sleep(wait_s)
        raise AssertionError("the last wait is None")

    def _address(self, path: str) -> str:
        return self._url + quote(path)


def open_store(environ: Mapping[str, str], proxy: str = "") -> PiperStore:
    """The store at `$TTS_BOOK_PIPER_URL`, or the official one. Raises UserError for an address or
    a proxy that is not HTTP's."""
    url = environ.get(URL_VARIABLE, "").strip() or DEFAULT_URL
    if not url.startswith(("http://", "https://")):
        raise UserError(f'{URL_VARIABLE} is "{url}": give an address with https:// before it.')
    return PiperStore(wire(proxy), url)


def _unavailable(what: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"{what}. What has come is kept; the same command goes on from there.", Failure.TRANSIENT
    )


def _ignore(done: int, total: int) -> None:
    pass


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _write_whole(path: Path, text: str) -> None:
    _write(_part(path), text)
    os.replace(_part(path), path)  # noqa: PTH105  # the same on every system, also over a file


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_whole(path: Path, voice: StoreVoice) -> bool:
    if _size(path) != voice.model_bytes:
        return False
    sum_ = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            sum_.update(block)
    return sum_.hexdigest() == voice.model_md5
