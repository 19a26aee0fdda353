"""The words of the Edge protocol: what is sent, and how an answer's frames are read. Pure.

Two text frames go out (configuration, SSML); text frames (headers, blank line, JSON) and binary
frames (a 16-bit header length, headers, sound) come back. Times on the wire are ticks of 100 ns.
"""

from __future__ import annotations

import html
import json
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from xml.sax.saxutils import escape

from tts_book.backends import VoiceInfo
from tts_book.model import Voice

OUTPUT_FORMAT = "audio-24khz-48kbitrate-mono-mp3"
TICKS_PER_MS = 10_000
# The browser cuts at 4,096 bytes; with Chinese or a slow voice that nears the 600 s cap.
MOST_TEXT_BYTES = 3_500

# Combining grave and acute: printed stress, which the voices at best ignore.
_STRESS_MARKS = ("\N{COMBINING GRAVE ACCENT}", "\N{COMBINING ACUTE ACCENT}")
_UNSPEAKABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]"
    "|[" + "".join(f"{chr(p * 65536 + 65534)}{chr(p * 65536 + 65535)}" for p in range(17)) + "]"
)
_SHORT_NAME = re.compile(r"(?P<locale>[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)+)-(?P<name>[\w:]+Neural)")
_LONG_NAME = re.compile(
    r"Microsoft Server Speech Text to Speech Voice \((?P<locale>[\w-]+), ?(?P<name>[\w:]+)\)"
)


@dataclass(frozen=True, slots=True)
class VoiceName:
    """A voice of the service, taken apart: "ru-RU" and "DmitryNeural"."""

    locale: str
    name: str

    @property
    def short(self) -> str:
        """As people write it: ru-RU-DmitryNeural."""
        return f"{self.locale}-{self.name}"

    @property
    def full(self) -> str:
        """As the service wants it in SSML."""
        return f"Microsoft Server Speech Text to Speech Voice ({self.locale}, {self.name})"


def parse_voice_name(voice_id: str) -> VoiceName | None:
    """The voice that `voice_id`, short or full, names; None if it has neither shape."""
    match = _SHORT_NAME.fullmatch(voice_id) or _LONG_NAME.fullmatch(voice_id)
    return VoiceName(match["locale"], match["name"]) if match else None


def clean_text(text: str) -> str:
    """`text` in NFC, without printed stress; what XML or the service cannot bear is a space."""
    composed = unicodedata.normalize("NFC", _UNSPEAKABLE.sub(" ", text))
    for mark in _STRESS_MARKS:
        composed = composed.replace(mark, "")
    return composed


def count_bytes(text: str) -> int:
    """Size of `text` as the service counts it: UTF-8 after XML escaping."""
    return len(escape(text).encode())


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def timestamp(unix_s: float) -> str:
    """A date as the browser writes it."""
    at = time.gmtime(unix_s)
    day = f"{_DAYS[at.tm_wday]} {_MONTHS[at.tm_mon - 1]} {at.tm_mday:02} {at.tm_year}"
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{day} {clock} GMT+0000 (Coordinated Universal Time)"


def format_config(stamp: str, *, sentences: bool) -> str:
    """The first frame: output format, word marks, and sentence marks where wanted."""
    marks = {
        "sentenceBoundaryEnabled": "true" if sentences else "false",
        "wordBoundaryEnabled": "true",
    }
    audio = {"metadataoptions": marks, "outputFormat": OUTPUT_FORMAT}
    body = json.dumps({"context": {"synthesis": {"audio": audio}}}, separators=(",", ":"))
    return (
        f"X-Timestamp:{stamp}\r\nContent-Type:application/json; charset=utf-8\r\n"
        f"Path:speech.config\r\n\r\n{body}\r\n"
    )


def ssml(text: str, name: VoiceName, voice: Voice) -> str:
    """Speakable `text` as SSML. One voice, one prosody: the service refuses all else."""
    return (
        "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='en-US'>"
        f"<voice name='{name.full}'>"
        f"<prosody pitch='{voice.pitch_hz:+d}Hz' rate='{voice.rate_pct:+d}%'"
        f" volume='{voice.volume_pct:+d}%'>"
        f"{escape(text)}</prosody></voice></speak>"
    )


def format_ssml_message(request_id: str, stamp: str, body: str) -> str:
    """The second frame. The Z after the timestamp is the browser's own slip, kept on purpose."""
    return (
        f"X-RequestId:{request_id}\r\nContent-Type:application/ssml+xml\r\n"
        f"X-Timestamp:{stamp}Z\r\nPath:ssml\r\n\r\n{body}"
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """A received frame. Header names are lower case; `body` is JSON text or sound."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.headers.get("path", "").lower()

    def belongs_to(self, request_id: str) -> bool:
        """Whether it answers the request; one without an id is taken for ours."""
        return self.headers.get("x-requestid", request_id).lower() == request_id.lower()


@lru_cache(maxsize=64)  # the messages of a turn, some thousands, have the same few headers
def _headers(block: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for line in block.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def parse_text_frame(message: str) -> Frame:
    """A text frame. One without a blank line has headers only."""
    head, _, body = message.partition("\r\n\r\n")
    return Frame(_headers(head), body.encode())


def parse_binary_frame(message: bytes) -> Frame | None:
    """A binary frame, or None where its header length cannot be true."""
    length = int.from_bytes(message[:2], "big")
    if len(message) < 2 or length + 2 > len(message):
        return None
    return Frame(_headers(message[2 : 2 + length].decode("latin-1")), message[2 + length :])


@dataclass(frozen=True, slots=True)
class Boundary:
    """A word or sentence as the service reports it; ticks from the start of the sound."""

    kind: Literal["word", "sentence"]
    start: int
    stop: int
    text: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """One metadata message. `total` is the length of all sound in ticks, where it is given."""

    boundaries: tuple[Boundary, ...] = ()
    total: int | None = None


_KINDS: dict[str, Literal["word", "sentence"]] = {
    "wordboundary": "word",
    "sentenceboundary": "sentence",
}


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and abs(value) < 2**62 else 0


def _boundary(kind: Literal["word", "sentence"], data: dict[str, object]) -> Boundary:
    said = data.get("text", data.get("Text"))
    text = said.get("Text", said.get("text", "")) if isinstance(said, dict) else ""
    start = _whole(data.get("Offset"))
    return Boundary(kind, start, start + _whole(data.get("Duration")), html.unescape(str(text)))


def parse_metadata(body: bytes) -> Metadata | None:
    """Everything in a metadata message; unknown types are passed over, None is no JSON."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    items = told.get("Metadata") if isinstance(told, dict) else None
    if not isinstance(items, list):
        return None
    found: list[Boundary] = []
    total: int | None = None
    for item in items:
        data = item.get("Data") if isinstance(item, dict) else None
        if not isinstance(data, dict):
            continue
        kind = str(item.get("Type", "")).lower()
        if kind in _KINDS:
            found.append(_boundary(_KINDS[kind], data))
        elif kind == "sessionend":
            total = _whole(data.get("Offset")) or None
    return Metadata(tuple(found), total)


_GENDERS = ("male", "female")


def parse_voice_list(body: bytes) -> tuple[VoiceInfo, ...]:
    """The voices in the service's JSON; entries without a name are skipped. Raises ValueError."""
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("The list of voices came incomplete") from error
    voices = tuple(_voices_in(listed)) if isinstance(listed, list) else ()
    if not voices:
        raise ValueError("The list of voices came empty")
    return voices


def _voices_in(listed: list[object]) -> Iterator[VoiceInfo]:
    for voice in listed:
        if not isinstance(voice, dict) or not isinstance(voice.get("ShortName"), str):
            continue
        name = str(voice["ShortName"])
        language = str(voice.get("Locale") or name.rpartition("-")[0])
        gender = str(voice.get("Gender", "")).lower()
        tag = voice.get("VoiceTag")
        traits = tag.get("VoicePersonalities") if isinstance(tag, dict) else None
        note = ", ".join(map(str, traits)) if isinstance(traits, list) else ""
        yield VoiceInfo("edge", name, language, gender if gender in _GENDERS else "", note)
