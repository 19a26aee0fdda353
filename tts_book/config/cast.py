"""cast.toml: which voice reads the narrator, the dialogue, and speakers by name.

    narrator = "dmitry"
    dialogue = "svetlana"      # or: male = "...", female = "..."
    tags = "narrator"          # who reads the author's words inside a reply: narrator or speaker

    [speakers."Раскольников"]
    voice = "ruslan"
    names = ["Родя", "Родион"]

    [chapters]
    "3-5" = "svetlana"

`series` or `author` in the config folder's file name the books it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tts_book.config.schema import (
    Check,
    Note,
    describe,
    name_list,
    one_of,
    read_table,
    suggest,
    table,
    text,
)
from tts_book.config.toml_file import Mistake, Where, parse_toml, raise_mistakes, read_limited
from tts_book.errors import UserError

FILE_NAME = "cast.toml"
NARRATOR, DIALOGUE, MALE, FEMALE = "narrator", "dialogue", "male", "female"
_MOST_BYTES = 1024 * 1024
_CHAPTERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_TOP_KEYS: dict[str, Check] = {
    "narrator": text,
    "dialogue": text,
    "male": text,
    "female": text,
    "tags": one_of("narrator", "speaker"),
    "series": text,
    "author": text,
    "speakers": table("speakers"),
    "chapters": table("chapters"),
}
_SPEAKER_KEYS: dict[str, Check] = {
    "voice": text,
    "names": name_list,
    "gender": one_of("male", "female"),
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who speaks in a book: the name of the voice, other names, and the gender."""

    voice: str
    names: tuple[str, ...] = ()
    gender: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """Names of voices by role; "" where a role has none of its own. `chapters` are first, last and
    the voice that narrates them."""

    narrator: str = ""
    dialogue: str = ""
    male: str = ""
    female: str = ""
    tags: str = NARRATOR
    series: str = ""
    author: str = ""
    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    chapters: tuple[tuple[int, int, str], ...] = ()
    path: Path | None = None

    def voice_of(self, role: str) -> str:
        """The name of a role's voice, "" for the narrator's."""
        if role in self.speakers:
            return self.speakers[role].voice
        if role in (MALE, FEMALE):
            return (self.male if role == MALE else self.female) or self.dialogue
        return self.dialogue if role == DIALOGUE else ""

    def role_of(self, speaker: str, gender: str) -> str:
        """The role of a reply by what is known of who says it; "" for the narrator's, if it has
        no voice of its own."""
        if speaker in self.speakers:
            return speaker
        if gender in (MALE, FEMALE) and (self.male if gender == MALE else self.female):
            return gender
        return DIALOGUE if self.dialogue else ""

    def narrator_of(self, chapter: int) -> str:
        """The name of the voice that narrates a chapter, "" for the usual one."""
        return next((v for a, b, v in self.chapters if a <= chapter <= b), self.narrator)

    @property
    def aliases(self) -> dict[str, str]:
        """Speakers by every name of theirs, case-folded."""
        return {
            name.casefold().replace(".", ""): speaker
            for speaker, its in self.speakers.items()
            for name in (speaker, *its.names)
        }

    @property
    def genders(self) -> dict[str, str]:
        """The genders that the file tells."""
        return {speaker: its.gender for speaker, its in self.speakers.items() if its.gender}

    @property
    def voices(self) -> tuple[str, ...]:
        """Every voice that is named, each once."""
        named = (
            self.narrator,
            self.dialogue,
            self.male,
            self.female,
            *(its.voice for its in self.speakers.values()),
            *(voice for _, _, voice in self.chapters),
        )
        return tuple(dict.fromkeys(filter(None, named)))


def load_cast(
    given: Path | None, beside: Sequence[Path], config_dir: Path, *, series: str, author: str
) -> Cast | None:
    """The cast in `given`, else beside the book, else in the config folder if that is for this
    series or author. Raises UserError with one line for each mistake in it."""
    folders = (*beside, config_dir)
    for path in [given] if given else [folder / FILE_NAME for folder in folders]:
        data = read_limited(path, path, _MOST_BYTES)
        if data is None:
            continue
        cast = _read(data, path)
        if path is not given and path.parent == config_dir and not _is_for(cast, series, author):
            continue
        return cast
    if given:
        raise UserError(f"There is no cast {given}.")
    return None


def _is_for(cast: Cast, series: str, author: str) -> bool:
    wanted = [(cast.series, series), (cast.author, author)]
    asked = [(theirs.casefold(), its.casefold()) for theirs, its in wanted if theirs]
    return bool(asked) and all(theirs == its for theirs, its in asked)


def _read(data: bytes, path: Path) -> Cast:
    toml = parse_toml(data)
    noted: list[tuple[Where, str]] = []

    def note(where: Where, what: str) -> None:
        noted.append((where, what))

    top: dict[str, Any] = read_table(toml.table, (), _TOP_KEYS, note, _unknown)
    speakers = {
        name: _speaker(name, value, note) for name, value in top.pop("speakers", {}).items()
    }
    chapters = tuple(_chapters(top.pop("chapters", {}), note))
    mistakes = [Mistake(toml.line_of(where), what) for where, what in noted]
    raise_mistakes([*toml.mistakes, *mistakes], path)
    return Cast(**top, speakers=speakers, chapters=chapters, path=path)


def _unknown(key: str, value: object) -> str:
    if isinstance(value, dict):
        return f'unknown table [{key}]. Did you mean [speakers."{key}"]?'
    return f'unknown key "{key}".{suggest(key, _TOP_KEYS)}'


def _speaker(name: str, value: object, note: Note) -> Speaker:
    def unknown(key: str, _: object) -> str:
        return f'unknown key "{key}" in [speakers.{name}].{suggest(key, _SPEAKER_KEYS)}'

    where: Where = ("speakers", name)
    its: dict[str, Any] = read_table(value, where, _SPEAKER_KEYS, note, unknown)
    if isinstance(value, dict) and "voice" not in value:
        note(where, f'[speakers.{name}] has no voice: write voice = "NAME".')
    names = tuple(map(str, its.get("names", ())))
    return Speaker(its.get("voice", ""), names, its.get("gender", ""))


def _chapters(entries: Mapping[str, object], note: Note) -> list[tuple[int, int, str]]:
    found = []
    for key, voice in entries.items():
        span = _CHAPTERS.fullmatch(key)
        if span is None:
            note(("chapters", key), f'"{key}" names no chapters: write "3" or "3-5".')
        elif not isinstance(voice, str) or not voice.strip():
            note(("chapters", key), f"chapters.{key} must be a voice, not {describe(voice)}.")
        else:
            found.append((int(span[1]), int(span[2] or span[1]), voice))
    return found
