"""Bytes into text: a mark, strict UTF-8, UTF-16 by its shape, else a guess over the whole file."""

from __future__ import annotations

import codecs
import difflib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tts_book.errors import UserError

MOST_BYTES = 512 * 1024 * 1024
"""The largest file that is read: a hundred times the longest novel."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding it was in, and a remark if that was guessed or broken."""

    text: str
    encoding: str
    notice: str = ""


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"ID3", "MP3 sound"),
    (0, b"OggS", "Ogg sound"),
    (0, b"fLaC", "FLAC sound"),
    (0, b"RIFF", "WAV, AVI or WebP media"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ", "an xz archive"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"AT&TFORM", "a DjVu document"),
    (0, b"\xd0\xcf\x11\xe0", "an old Word document (.doc)"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"\xca\xfe\xba\xbe", "a program"),
    (4, b"ftyp", "MP4 media"),
    (60, b"BOOKMOBI", "a Kindle book (.mobi, .azw)"),
)
_USUAL = (
    "windows-1251", "koi8-r", "cp866", "windows-1252", "utf-8", "utf-16", "utf-16-le",
    "utf-16-be", "cp1251", "cp1252", "cp1250", "windows-1250", "iso-8859-1", "iso-8859-2",
    "iso-8859-5", "iso-8859-15", "latin-1", "mac-cyrillic", "koi8-u", "cp855", "cp850", "cp437",
    "gb18030", "big5", "shift-jis", "euc-jp", "euc-kr",
)  # fmt: skip
_MP3_HEADS = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
_GUESSED_OVER = 2 * 1024 * 1024  # bytes given to the detector
_PIECE = 64 * 1024
_FEW_CONTROLS = 0.03
_SURELY_LETTERS = 8
_NAMES = {"utf-8": "UTF-8", "utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE"}


def load_file(path: Path) -> bytes:
    """The bytes of a file. Raises UserError for what cannot be read, with the reason."""
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder: use `tts-book batch {path}` for all its texts")
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} is larger than 512 MB: cut it into volumes")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: check the name{_near(path)}") from None
    except PermissionError:
        raise UserError(f"{path} may not be read: change its permissions") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def decode_text(data: bytes, name: str, encoding: str = "") -> Decoded:
    """The text in `data`; `encoding` overrides every guess.

    Raises UserError for what is empty, not text, or in no known encoding.
    """
    if not data.strip():
        raise UserError(f"{name} is empty: there is nothing to read aloud")
    decoded = _decode_as_given(data, name, encoding) if encoding else _decode_as_found(data, name)
    if not decoded.text.strip("\ufeff\x00 \t\r\n"):
        raise UserError(f"{name} holds only blanks: there is nothing to read aloud")
    return decoded


def identify_file(data: bytes) -> str:
    """What a file that is no text is, by its first bytes; empty if they say nothing."""
    found = (what for at, head, what in _KINDS if data[at : at + len(head)] == head)
    return next(found, "MP3 sound" if data[:2] in _MP3_HEADS and b"\x00" in data[:4096] else "")


def _near(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, 1, 0.7)
    return f' (did you mean "{near[0]}"?)' if near else ""


def find_codec(encoding: str) -> codecs.CodecInfo:
    """The codec called `encoding`. Raises UserError where there is none of that name."""
    try:
        return codecs.lookup(encoding)
    except LookupError:
        near = difflib.get_close_matches(encoding.lower(), _USUAL, 1, 0.5)
        hint = f'did you mean "{near[0]}"?' if near else f"try {', '.join(_USUAL[:4])}"
        raise UserError(f'--encoding "{encoding}" is not known: {hint}') from None


def _decode_as_given(data: bytes, name: str, encoding: str) -> Decoded:
    known = find_codec(encoding)
    try:
        text = data.decode(encoding)
    except LookupError:  # a codec of bytes, such as base64
        raise UserError(f'--encoding "{encoding}" is not known as an encoding of text') from None
    except UnicodeError as error:
        where = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise UserError(
            f"{name} is not in {encoding}{where}: leave --encoding out to let it be found"
        ) from None
    if _looks_utf8(data, text, known.name):
        raise UserError(
            f"{name} is valid UTF-8, not {encoding}: leave --encoding out to let it be found"
        )
    return Decoded(text.removeprefix("\ufeff"), known.name)


def _looks_utf8(data: bytes, text: str, encoding: str) -> bool:
    """Whether bytes that mean `text` in an encoding are certainly UTF-8: what is written in another
    is no valid UTF-8 by chance for more than a few letters."""
    if b"\0" in data:
        return False
    try:
        plain = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    wide = encoding.startswith(("utf-16", "utf-32"))
    return plain != text and (wide or sum(c > "\x7f" for c in plain) >= _SURELY_LETTERS)


def _decode_as_found(data: bytes, name: str) -> Decoded:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            notice = (
                "" if encoding == "utf-8" else f"{name}: read as {_said(encoding)}, by its mark"
            )
            return Decoded(text, encoding, notice)
    if kind := identify_file(data):
        raise UserError(f"{name} is {kind}, not a text: {_advice(kind)}")
    for way in (_as_utf16, _as_utf8, _as_guessed):
        decoded = way(data, name)
        if decoded is not None:
            return decoded
    raise UserError(f"{name} is in no known encoding: name it with --encoding")


def _advice(kind: str) -> str:
    if "document" in kind or "book" in kind:
        return "save it as .txt, .epub or .fb2 first"
    return "give a text file"


def _said(encoding: str) -> str:
    return _NAMES.get(encoding, encoding.lower())


def _as_utf16(data: bytes, name: str) -> Decoded | None:
    """UTF-16 without a mark: every other byte is one of a few, and some are zero."""
    if b"\x00" not in data:
        return None
    for encoding, high in (("utf-16-le", 1), ("utf-16-be", 0)):
        half, other = data[high::2][:_PIECE], data[1 - high :: 2][:_PIECE]
        common = sum(count for _, count in Counter(half).most_common(3))
        if half and common >= 0.8 * len(half) and half.count(0) > 5 * other.count(0):
            text = data[: len(data) // 2 * 2].decode(encoding, "replace")
            return Decoded(text, encoding, f"{name}: read as {_said(encoding)} (guessed)")
    if sum(data.count(ord(c)) for c in _CONTROLS) <= _FEW_CONTROLS * len(data):
        return None  # a text that was damaged
    guessed = _as_guessed(data, name)
    if guessed is not None and guessed.encoding.lower().startswith("utf"):
        return guessed
    raise UserError(f"{name} is a binary file, not a text: give a text file")


def _as_utf8(data: bytes, name: str) -> Decoded | None:
    try:
        return _if_text(data.decode("utf-8"), name, "utf-8")
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(map(text.count, _letters_beyond_ascii(text)))
    if broken * 50 > whole:
        return None
    return Decoded(text, "utf-8", f"{name}: UTF-8 with {broken} broken characters, left out")


def _letters_beyond_ascii(text: str) -> set[str]:
    return {c for c in set(text) if c > "\x7f" and c != "\ufffd"}


def _if_text(text: str, name: str, encoding: str, notice: str = "") -> Decoded:
    odd = sum(text.count(control) for control in _CONTROLS)  # Ctrl-C comes in between
    if odd > 0.05 * len(text):
        raise UserError(f"{name} is a binary file, not a text: give a text file")
    return Decoded(text, encoding, notice)


_CONTROLS = [chr(code) for code in range(32) if chr(code) not in "\t\n\v\f\r\x1a\x1b"]


def _as_guessed(data: bytes, name: str) -> Decoded | None:
    encoding = _guess(_spread(data))
    if not encoding:
        return None
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError):
        return None
    notice = f"{name}: read as {_said(encoding)} (guessed)"
    return _if_text(text, name, encoding.lower(), "" if encoding == "ascii" else notice)


def _guess(sample: bytes) -> str:
    """The detector's guess, and what it is known to get wrong set right."""
    if not _PUNCTUATED.search(sample):
        return "windows-1252"
    encoding = _detector(sample)
    if encoding.lower() in _WESTERN:
        # No Western word has four letters beyond ASCII in a row: these must be another script's,
        # in a book that quotes a lot of French.
        words = _FOREIGN.findall(sample)
        if sum(map(len, words)) > 0.02 * len(sample) or len(words) > 20:
            return _detector(b" ".join(words)) or encoding
    if encoding.lower() == "maccyrillic":
        mac, windows = (_russian(sample, name) for name in ("mac_cyrillic", "windows-1251"))
        if windows > 1.5 * mac or not _MAC_ONLY.search(sample):
            return "windows-1251"
    return encoding


_WESTERN = ("windows-1252", "iso-8859-1", "iso-8859-15", "macroman")
_FOREIGN = re.compile(rb"[\xc0-\xff]{4,}")
# Anything but Windows' typographic quotes, dashes and spaces beyond ASCII.
_PUNCTUATED = re.compile(rb"[^\x00-\x7f\x82\x84\x85\x91-\x97\xa0\xa7\xa9\xab\xad\xb0\xb7\xbb]")
# A capital in this encoding, or a small ya, which is Windows' capital one, inside a word.
_MAC_ONLY = re.compile(rb"[\x80-\x9f]|[\x80-\xff]\xdf")


def _russian(sample: bytes, encoding: str) -> int:
    return sum("А" <= letter <= "я" for letter in sample.decode(encoding, "replace"))


def _detector(sample: bytes) -> str:
    from chardet import detect

    return detect(sample).get("encoding") or ""


def _spread(data: bytes) -> bytes:
    if len(data) <= _GUESSED_OVER:
        return data
    pieces = _GUESSED_OVER // _PIECE
    step = len(data) // pieces // 2 * 2
    return b"".join(data[at * step : at * step + _PIECE] for at in range(pieces))
