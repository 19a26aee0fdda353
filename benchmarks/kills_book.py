"""A small book of many small chunks, so that a kill seldom finds it finished."""

from __future__ import annotations

import random
import struct
import zlib

CHAPTERS, SCENES = 8, 10
# Short words fill the sound more than long ones: so the first chapters are louder than the rest,
# and the gain that fits the book is not theirs.
_SHORT = ("an", "ox", "sat", "by", "us", "in", "fog", "so", "we", "ran", "on", "to", "inn", "cat")
_LONG = ("underneath-the-lighthouse", "yesterday's-whispering", "grandmother-remembered")
_OFTEN = "Nobody answered at all."  # the same words in every chapter are spoken once

# What is read by three voices: the narrator's is that of the command line.
CASTS = {
    "en": 'male = "en-US-GuyNeural"\nfemale = "en-GB-SoniaNeural"\n',
    "ru": 'male = "ru-RU-SvetlanaNeural"\nfemale = "en-US-AvaMultilingualNeural"\n',
}
_HEADINGS = {"en": "Chapter", "ru": "Глава"}
_TALK = {
    "en": (
        "“Boat {chapter} is late, {scene},” said Mr. Harker. “Ring again.”",
        "“I rang {scene} times, {chapter},” said Mrs. Lowe.",
        "Fog {chapter} came in by gate {scene}.",
    ),
    "ru": (
        "— Лодка {chapter} опоздала, {scene}, — сказал он. — Звони ещё.",
        "— Я звонила {scene} раз, {chapter}, — сказала Вера.",
        "Туман {chapter} вошёл в ворота {scene}.",
    ),
}


def text() -> str:
    """The same every time, no two scenes alike but one in each chapter."""
    chance = random.Random(12)
    parts = []
    for chapter in range(1, CHAPTERS + 1):
        scenes = [_scene(chance, chapter, scene) for scene in range(1, SCENES)]
        parts.append(f"Chapter {chapter}\n\n" + "\n\n* * *\n\n".join([*scenes, _OFTEN]))
    return "\n\n".join(parts) + "\n"


def talk(language: str) -> str:
    """Replies of two speakers and what is told between them, no two paragraphs alike."""
    paragraphs = _TALK[language]
    parts = []
    for chapter in range(1, CHAPTERS + 1):
        numbered = (
            paragraph.format(chapter=chapter, scene=scene)
            for scene in range(1, SCENES // 2)
            for paragraph in paragraphs
        )
        parts.append(f"{_HEADINGS[language]} {chapter}\n\n" + "\n\n".join(numbered))
    return "\n\n".join(parts) + "\n"


def _scene(chance: random.Random, chapter: int, scene: int) -> str:
    loud = chapter <= CHAPTERS // 3
    words = chance.choices(_SHORT, k=4) if loud else chance.choices(_LONG, k=1)
    return f"{' '.join(words).capitalize()}, {chapter} and {scene}."


def voices() -> str:
    """Short pauses, so that the whole book is soon encoded."""
    return "[pauses]\nsentence = 100\nparagraph = 100\nheading = 200\nscene = 200\nchapter = 300\n"


def cover() -> bytes:
    """A picture of one grey dot."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\x00\x80")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
