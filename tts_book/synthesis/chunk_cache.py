"""Spoken chunks on disk, named by what was said and how.

An entry is one file, `KEY.mp3`: the MP3 frames first (so that any player plays it), then a JSON
record of what was said and what was found out about the sound, then a footer that ties both
together with a checksum. It is written at once or not at all; a damaged one counts as absent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tts_book.backends import Backend, Preparing
from tts_book.errors import UserError
from tts_book.model import Doubt, Entry, Mark, Sound, Voice
from tts_book.synthesis.atomic import open_replacing
from tts_book.synthesis.claims import SUFFIX

# Goes into every key: a change of the entry's form must not meet old entries.
FORM = "1"
_FOOTER = struct.Struct(">QII8s")  # frames bytes, record bytes, CRC-32 of both, magic
_MAGIC = b"ttsbook1"
_RECORD_MOST_BYTES = 64 * 1024 * 1024
# Somebody may be deleting the cache at this moment.
_TRIES = 5


def key_of(fingerprint: str, voice: Voice, spoken: str, prepared: str = "") -> str:
    """The name of what is said and how: never of where it is or what the voice is called.
    `prepared` is what the backend makes of `spoken`, where it rewrites texts."""
    said = json.dumps(
        [
            FORM,
            voice.backend,
            fingerprint,
            voice.id,
            voice.language,
            voice.rate_pct,
            voice.pitch_hz,
            voice.volume_pct,
            spoken,
            *([prepared] if prepared else ()),
        ],
        ensure_ascii=True,
    )
    return hashlib.sha256(said.encode("ascii")).hexdigest()


def make_key(backend: Backend, voice: Voice, spoken: str, fingerprint: str | None = None) -> str:
    """The key of a text spoken by this backend, whose `fingerprint` of the voice may be known."""
    fingerprint = backend.fingerprint(voice) if fingerprint is None else fingerprint
    prepared = backend.prepare(spoken, voice) if isinstance(backend, Preparing) else ""
    return key_of(fingerprint, voice, spoken, prepared)


class ChunkCache:
    """Entries below `folder`, which is made when the first one is put."""

    def __init__(
        self,
        folder: Path,
        replace: Callable[[Path, Path], None] = os.replace,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = folder
        self._replace, self._sleep = replace, sleep

    def path(self, key: str) -> Path:
        """Where the entry of that key is or would be."""
        return self.folder / key[:2] / f"{key}.mp3"

    def claim_path(self, key: str) -> Path:
        """Where a run says that it is making the entry of that key (`synthesis.claims`)."""
        return self.path(key).with_suffix(SUFFIX)

    def has(self, key: str) -> bool:
        """Whether there is an entry, damaged or not: cheap, for counting."""
        with contextlib.suppress(OSError):  # a folder that may not be entered
            return self.path(key).is_file()
        return False

    def get(self, key: str) -> Entry | None:
        """The entry, or None if it is absent or damaged (its checksum is always checked)."""
        path = self.path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        _mark_used(path)
        return _parse_entry(path, data)

    def take(self, key: str) -> str | None:
        """Distinguishes the entry from others of the same words (`Entry.take`), None without an
        entry. Reads its last bytes only: a damage before them is not seen."""
        path = self.path(key)
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(-_FOOTER.size, os.SEEK_END)
                footer = file.read()
        except OSError:
            return None
        _mark_used(path)
        return _take_of(footer) if footer.endswith(_MAGIC) else None

    def put(
        self,
        key: str,
        frames: bytes,
        sound: Sound,
        marks: tuple[Mark, ...],
        about: Mapping[str, str],
        *,
        doubts: tuple[Doubt, ...] = (),
        attempts: int = 1,
        again: bool = False,
    ) -> Entry:
        """Writes an entry, whole or not at all. What another run has put there meanwhile stays,
        since a file may just be joined of it, unless it is spoken `again`. Raises UserError if the
        disk does not take it."""
        there = self.get(key) if not again and self.has(key) else None
        if there is not None:
            return there
        path = self.path(key)
        entry = Entry(path, len(frames), sound, marks, dict(about), doubts, attempts)
        record = json.dumps(_make_record(entry), ensure_ascii=False).encode()
        check = zlib.crc32(record, zlib.crc32(frames))
        footer = _FOOTER.pack(len(frames), len(record), check, _MAGIC)
        with self.report_failure():
            self._write(path, frames + record + footer)
        return dataclasses.replace(entry, take=_take_of(footer))

    def _write(self, path: Path, data: bytes) -> None:
        for again in range(_TRIES):
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)  # no entry, whoever put it there
                with open_replacing(path, self._replace, self._sleep) as file:
                    file.write(data)
                return
            except FileNotFoundError:
                if again == _TRIES - 1:
                    raise

    def drop(self, key: str) -> None:
        """Takes an entry away if it is damaged. It counts as absent in any case."""
        path = self.path(key)
        with contextlib.suppress(OSError):
            if _parse_entry(path, path.read_bytes()) is None:
                path.unlink()

    def try_out(self) -> None:
        """Raises UserError where nothing can be put: better before the first word than after."""
        with self.report_failure():
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()

    @contextlib.contextmanager
    def report_failure(self) -> Iterator[None]:
        """Raises UserError where the folder does not take a file."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise UserError(
                f"The cache folder {self.folder} cannot be written: {error.strerror}. "
                f"{'Make room, or name' if full else 'Name'} another with --cache DIR, or keep "
                "nothing with --no-cache."
            ) from error

    def sweep(self, older_than_s: float, now_s: float) -> None:
        """Removes unfinished files that a killed run left behind."""
        for path in self.folder.glob("*/.*.part"):
            with contextlib.suppress(OSError):
                if now_s - path.stat().st_mtime > older_than_s:
                    path.unlink()


def _mark_used(path: Path) -> None:
    """The longest unused entries are pruned first."""
    with contextlib.suppress(OSError):  # a cache that can only be read is good enough
        os.utime(path)


def read_entry(path: Path, take: str) -> tuple[Entry, memoryview] | None:
    """The entry in this file with its frames, None if it is another recording now, or damaged.
    Raises OSError."""
    data = path.read_bytes()
    entry = _parse_entry(path, data) if data.endswith(bytes.fromhex(take) + _MAGIC) else None
    return None if entry is None else (entry, memoryview(data)[: entry.frames_bytes])


def _make_record(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.path.stem,
        "about": entry.about,
        "sound": dataclasses.asdict(entry.sound),
        "marks": [[m.kind, m.start_ms, m.stop_ms, m.start, m.stop] for m in entry.marks],
        "doubts": [doubt.packed for doubt in entry.doubts],
        "attempts": entry.attempts,
    }


def _parse_entry(path: Path, data: bytes) -> Entry | None:
    frames_bytes = _frames_bytes(data)
    if frames_bytes is None:
        return None
    record = json.loads(data[frames_bytes : -_FOOTER.size])
    if record.get("key", path.stem) != path.stem:
        return None  # a copy of another one
    return Entry(
        path,
        frames_bytes,
        _parse_sound(record["sound"]),
        tuple(Mark(*mark) for mark in record["marks"]),
        record["about"],
        tuple(map(Doubt.unpack, record["doubts"])),
        record["attempts"],
        _take_of(data[-_FOOTER.size :]),
    )


def _frames_bytes(data: bytes) -> int | None:
    """How many bytes of an entry are frames, None if it is not whole."""
    if len(data) < _FOOTER.size:
        return None
    frames_bytes, record_bytes, check, magic = _FOOTER.unpack_from(data, len(data) - _FOOTER.size)
    whole = frames_bytes + record_bytes + _FOOTER.size == len(data)
    if magic != _MAGIC or not whole or record_bytes > _RECORD_MOST_BYTES:
        return None
    if zlib.crc32(memoryview(data)[: -_FOOTER.size]) != check:
        return None
    return int(frames_bytes)


def _take_of(footer: bytes) -> str:
    return footer[: -len(_MAGIC)].hex()


def _parse_sound(known: dict[str, Any]) -> Sound:
    """JSON has lists where the value has tuples. An entry of another version may know more."""
    names = {each.name for each in dataclasses.fields(Sound)}
    return Sound(**{name: _to_tuples(value) for name, value in known.items() if name in names})


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value
