"""cast.toml: which voice reads the narrator, the dialogue, and speakers by name.

    narrator = "dmitry"
    dialogue = "svetlana"      # or: male = "...", female = "..."
    tags = "narrator"          # who reads the author's words inside a reply: narrator or speaker

    [speakers."Раскольников"]
    voice = "ruslan"
    names = ["Родя", "Родион"]

    [chapters]
    "3-5" = "svetlana"

`series` or `author` in the config folder's file name the books it is for. The same may stand in
`[cast]` of voices.toml, for all books.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tts_book.config.toml_file import (
    Check,
    Mistake,
    Note,
    TomlFile,
    Where,
    describe,
    dotted,
    name_list,
    one_of,
    parse_toml,
    raise_mistakes,
    read_limited,
    read_table,
    suggest,
    table,
    text,
)
from tts_book.errors import UserError

FILE_NAME = "cast.toml"
NARRATOR, DIALOGUE, MALE, FEMALE = "narrator", "dialogue", "male", "female"
_MOST_BYTES = 1024 * 1024
_CHAPTERS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
ROLES = (NARRATOR, DIALOGUE, MALE, FEMALE)


def _name(value: object) -> str:
    """A name, which goes to the terminal and into files as it is."""
    name = text(value)
    if name.isprintable():
        return name
    raise ValueError("must be a name of characters that can be seen.")


def _names(value: object) -> tuple[str, ...]:
    return tuple(_name(each) for each in name_list(value))


_TOP_KEYS: dict[str, Check] = {
    **dict.fromkeys(ROLES, _name),
    "tags": one_of("narrator", "speaker"),
    "series": text,
    "author": text,
    "speakers": table("speakers"),
    "chapters": table("chapters"),
}
_SPEAKER_KEYS: dict[str, Check] = {
    "voice": _name,
    "names": _names,
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
    the voice that narrates them. `series` and `author`: of books that it is for, "" for any.
    `places` are those of voices in the file, as messages name them."""

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
    places: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def is_for(self, series: str, author: str) -> bool:
        """Whether it is for a book of this series and author."""
        wanted = ((self.series, series), (self.author, author))
        return all(not mine or mine.casefold() == its.casefold() for mine, its in wanted)

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
            fold_name(name): speaker
            for speaker, its in self.speakers.items()
            for name in (speaker, *its.names)
        }

    @property
    def genders(self) -> dict[str, str]:
        """The genders that the file gives."""
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


def fold_name(name: str) -> str:
    """A speaker's name as it is compared."""
    return name.casefold().replace(".", "")


def load_casts(given: Path | None, beside: Sequence[Path], config_dir: Path) -> tuple[Cast, ...]:
    """The cast in `given`, else beside the book, for any book; else that of the config folder, if
    it names its series or author. Raises UserError with one line for each mistake in it."""
    for path in [given] if given else [folder / FILE_NAME for folder in beside]:
        cast = _load_cast(path)
        if cast is not None:
            return (replace(cast, series="", author=""),)
    if given:
        raise UserError(f"There is no cast {given}.")
    cast = _load_cast(config_dir / FILE_NAME)
    return (cast,) if cast is not None and (cast.series or cast.author) else ()


def _load_cast(path: Path) -> Cast | None:
    data = read_limited(path, path, _MOST_BYTES)
    if data is None:
        return None
    toml = parse_toml(data)
    noted: list[tuple[Where, str]] = []
    cast = read_cast(toml, (), path, lambda where, what: noted.append((where, what)))
    mistakes = [Mistake(toml.line_of(where), what) for where, what in noted]
    raise_mistakes([*toml.mistakes, *mistakes], path)
    return cast


def read_cast(toml: TomlFile, where: Where, path: Path, note: Note) -> Cast:
    """The cast in a file, or in the table of it at `where`. Mistakes are noted."""
    table_ = toml.table
    for key in where:
        found = table_.get(str(key))
        table_ = found if isinstance(found, dict) else {}
    top: dict[str, Any] = read_table(table_, where, _TOP_KEYS, note, _unknown)
    entries = top.pop("speakers", {})
    speakers = {
        name: _read_speaker((*where, "speakers", name), value, note)
        for name, value in entries.items()
    }
    _check_names(speakers, (*where, "speakers"), note)
    chapters = tuple(_read_chapters(top.pop("chapters", {}), (*where, "chapters"), note))
    return Cast(
        **top,
        speakers=speakers,
        chapters=chapters,
        path=path,
        places=_find_places(toml, table_, where, path),
    )


def _find_places(
    toml: TomlFile, value: Mapping[str, object], where: Where, path: Path
) -> dict[str, str]:
    """Where each text in a table first stands."""
    found: dict[str, str] = {}
    for key, its in value.items():
        if isinstance(its, dict):
            found = _find_places(toml, its, (*where, key), path) | found
        elif isinstance(its, str):
            found.setdefault(its.strip(), f"{path}:{toml.line_of((*where, key))}")
    return found


def _unknown(key: str, value: object) -> str:
    if isinstance(value, dict):
        return f'unknown table [{key}]. Did you mean [speakers."{key}"]?'
    return f'unknown key "{key}".{suggest(key, _TOP_KEYS)}'


def _read_speaker(where: Where, value: object, note: Note) -> Speaker:
    def unknown(key: str, _: object) -> str:
        return f'unknown key "{key}" in [{dotted(where)}].{suggest(key, _SPEAKER_KEYS)}'

    its: dict[str, Any] = read_table(value, where, _SPEAKER_KEYS, note, unknown)
    if isinstance(value, dict) and "voice" not in value:
        note(where, f'[{dotted(where)}] has no voice: write voice = "NAME".')
    return Speaker(its.get("voice", ""), its.get("names", ()), its.get("gender", ""))


def _check_names(speakers: Mapping[str, Speaker], where: Where, note: Note) -> None:
    """Notes names that nobody can be called by, and those of two speakers."""
    known: dict[str, str] = {}
    for name, speaker in speakers.items():
        for each in dict.fromkeys((name, *speaker.names)):
            owner = known.setdefault(fold_name(each), name)
            if not each.strip() or not each.isprintable():
                note((*where, name), "a speaker's name must be of characters that can be seen.")
            elif each.casefold() in ROLES:
                note((*where, name), f'"{each}" is a role, not a speaker: {each} = "NAME".')
            elif owner != name:
                note((*where, name), f'"{each}" is a name of "{owner}", too: leave one of them.')


def _read_chapters(
    entries: Mapping[str, object], where: Where, note: Note
) -> Iterator[tuple[int, int, str]]:
    taken: list[tuple[int, int, str]] = []
    for key, value in entries.items():
        span = _CHAPTERS.fullmatch(key)
        first, last = (int(span[1]), int(span[2] or span[1])) if span else (0, 0)
        if not 0 < first <= last:
            note((*where, key), f'"{key}" names no chapters: write "3" or "3-5".')
            continue
        twice = next((other for a, b, other in taken if first <= b and a <= last), None)
        if twice is not None:
            note((*where, key), f'"{key}" and "{twice}" share chapters: each has one narrator.')
            continue
        taken.append((first, last, key))
        try:
            yield first, last, _name(value)
        except ValueError:
            what = f"{dotted((*where, key))} must be a voice, not {describe(value)}."
            note((*where, key), what)
