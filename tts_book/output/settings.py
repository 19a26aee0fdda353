"""Settings for the files of a book: loudness, formats, and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tts_book.errors import UserError
from tts_book.output.paths import CAPTIONS, CHAPTERS, COMPANIONS, LONGEST_MS, WHOLE

LOUDNESS_LUFS = -19.0
SHELF = "audiobookshelf"
# Names that can only mean files.
_OTHER_SOUND = frozenset(
    (".wav", ".flac", ".aac", ".ogg", ".oga", ".m4a", ".mp4", ".wma", ".aiff", ".aif", ".webm")
)
_NO_SOUND = frozenset(
    (
        ".txt",
        ".md",
        ".html",
        ".htm",
        ".epub",
        ".fb2",
        ".pdf",
        ".docx",
        ".srt",
        ".vtt",
        ".lrc",
        ".json",
    )
)
LOUDEST_LUFS, SOFTEST_LUFS = -9.0, -40.0


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Where a book goes and how it is finished.

    `out` is the folder or file that was named (None: the working directory). `loudness_lufs` None
    leaves the sound as it came. `shelved` books go into Author/Series/Title, with their facts and
    their cover beside them. `force` overwrites any file, and rebuilds those that are up to date.
    `cores` is how many chapters are encoded at once. `companions` show the book: page, epub. A
    longer book than `longest_ms` becomes several files.
    """

    out: Path | None = None
    formats: tuple[str, ...] = (CHAPTERS,)
    loudness_lufs: float | None = LOUDNESS_LUFS
    captions: tuple[str, ...] = ()
    shelved: bool = False
    force: bool = False
    cores: int = 1
    companions: tuple[str, ...] = ()
    longest_ms: int = LONGEST_MS


def parse_loudness(text: str) -> float | None:
    """What --loudness asks for: LUFS, or None for "off". Raises UserError."""
    if text.strip().lower() == "off":
        return None
    number = text.strip().upper().removesuffix("LUFS").strip().replace("−", "-")
    try:
        lufs = float(number)
    except ValueError:
        lufs = 0.0
    if not SOFTEST_LUFS <= lufs <= LOUDEST_LUFS:
        raise UserError(
            f'--loudness "{text}" is not a loudness: give LUFS from {SOFTEST_LUFS:.0f} to '
            f"{LOUDEST_LUFS:.0f} (audiobooks have -23 to -18), or off."
        )
    return lufs


def parse_formats(text: str, out: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What --format asks for, in order, each once: audio, and companions of it. Where no audio is
    named, the name of the file that -o asks for decides, and else it is a file for each chapter.
    Raises UserError."""
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    known = (CHAPTERS, *WHOLE, *COMPANIONS)
    for name in wanted:
        if name not in known:
            raise UserError(f'--format "{name}" is not known: {", ".join(known)}.')
    named = out.suffix.lower() if out is not None and not out.is_dir() else ""
    if named in _OTHER_SOUND:
        raise UserError(
            f"-o {out}: {named[1:].upper()} files are not written. Name an .mp3, .m4b or .opus "
            "file, or a folder."
        )
    if named in _NO_SOUND:
        beside = " Pages and EPUBs are written beside the audio, with --format page,epub."
        raise UserError(
            f"-o {out} is no audio file: name an .mp3, .m4b or .opus file, or a folder."
            f"{beside if named in COMPANIONS.values() else ''}"
        )
    usual = next((f for f in ("m4b", "opus") if named == WHOLE[f]), CHAPTERS)
    audio = tuple(name for name in wanted if name not in COMPANIONS)
    return audio or (usual,), tuple(name for name in wanted if name in COMPANIONS)


def parse_captions(text: str) -> tuple[str, ...]:
    """What --captions asks for, each once. Raises UserError."""
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for name in wanted:
        if name not in CAPTIONS:
            raise UserError(f'--captions "{name}" is not known: {", ".join(CAPTIONS)}.')
    return wanted
