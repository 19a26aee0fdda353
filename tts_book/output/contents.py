"""What a written file holds, apart: its sound in stretches, its tags, chapter marks and captions.

The manifest keeps hashes of them, so that it can be told later which of these was changed, where,
and whether a person edited a tag or sound is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from tts_book.audio import containers, mp3_files
from tts_book.audio.file_tags import read_tags
from tts_book.errors import AudioError
from tts_book.output.paths import SUFFIX

STRETCH_MS = 30_000
_HEX = 8  # digits of a stretch's checksum
_TIMES = re.compile(r"^(?:[\d:]+[,.]\d+ --> [\d:]+[,.]\d+|\[[\d:]+\.\d+\])", re.MULTILINE)


def describe_contents(path: Path, captions: Iterable[Path] = ()) -> dict[str, Any]:
    """What the manifest keeps of an audio file and the captions beside it. Raises AudioError and
    OSError where it cannot be read."""
    return {
        "sound": describe_sound(path),
        "tags": describe_tags(path),
        "marks": describe_marks(path),
        "captions": {each.name: describe_captions(each) for each in captions},
    }


def describe_sound(path: Path) -> dict[str, str]:
    """Hashes of the encoded sound, whatever tags stand around it: of all, and a checksum for each
    stretch of STRETCH_MS."""
    whole = hashlib.sha256()
    stretches = []
    for stretch in _read_stretches(path):
        check = 0
        for part in stretch:
            whole.update(part)
            check = crc32(part, check)
        stretches.append(f"{check:0{_HEX}x}")
    return {"all": whole.hexdigest(), "stretches": "".join(stretches)}


def _read_stretches(path: Path) -> Iterator[Iterable[bytes]]:
    if path.suffix.lower() != SUFFIX:
        codec = containers.AAC if path.suffix.lower() == ".m4b" else containers.OPUS
        yield from containers.read_packets(path, round(STRETCH_MS / codec.packet_ms))
        return
    try:
        with path.open("rb") as file:
            found = mp3_files.find_frames(file)
            size = found.form.frames_in(STRETCH_MS) * found.form.frame_bytes
            for at in range(found.sound_at, found.stop, size):
                file.seek(at)
                yield (file.read(min(size, found.stop - at)),)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


def describe_tags(path: Path) -> dict[str, str]:
    """The tags by name, the cover as a hash."""
    tags = read_tags(path)
    cover = hashlib.sha256(tags.cover.data).hexdigest() if tags.cover else ""
    plain = asdict(replace(tags, cover=None))
    return {name: str(value or "") for name, value in plain.items()} | {"cover": cover}


def describe_marks(path: Path) -> list[list[int | str]]:
    """The chapter marks: start and title."""
    return [[mark.start_ms, mark.title] for mark in containers.probe(path).chapters]


def describe_captions(path: Path) -> dict[str, str]:
    """Hashes of a file of captions: of its times, and of all."""
    text = path.read_text("utf-8", errors="replace")
    times = "\n".join(_TIMES.findall(text))
    return {
        "times": hashlib.sha256(times.encode()).hexdigest(),
        "all": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    }


def find_changed_stretches(known: dict[str, str], now: dict[str, str]) -> list[int]:
    """When the stretches begin whose sound is not what it was, in ms; those that are missing, or
    too many, count as changed."""
    if known["all"] == now["all"]:
        return []
    before, after = (_split(each["stretches"]) for each in (known, now))
    most = max(len(before), len(after))
    pairs = zip(_filled(before, most), _filled(after, most), strict=True)
    return [n * STRETCH_MS for n, (one, other) in enumerate(pairs) if one != other] or [0]


def _split(checks: str) -> list[str]:
    return [checks[at : at + _HEX] for at in range(0, len(checks), _HEX)]


def _filled(checks: Sequence[str], length: int) -> list[str]:
    return [*checks, *[""] * (length - len(checks))]
