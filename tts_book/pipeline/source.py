"""A source of a run: its bytes are read once, and both its fingerprint and its book made of them.

A command that is given again over finished books needs the bytes and the manifest's last line only,
so that running it over a whole library costs next to nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book import __version__
from tts_book.config.cast import Cast, load_casts
from tts_book.config.pronunciations import load_pronunciations
from tts_book.errors import UserError
from tts_book.model import Book
from tts_book.output import audiobookshelf
from tts_book.output.companions import find_companions, is_own
from tts_book.output.manifest import find_finished_files, manifests_for_stem, place_manifest
from tts_book.output.paths import COMPANIONS
from tts_book.pipeline.casting import add_voices, find_marked_role
from tts_book.pipeline.options import NO_CAST, format_rerun_command, result_options
from tts_book.text.dialogue.roles import MarkedSpan, RoleSpan, take_voice_marks
from tts_book.text.pronunciation import Pronunciations
from tts_book.text.spoken_text import Readings

if TYPE_CHECKING:
    from tts_book.pipeline.job_settings import JobSettings

_LOG = logging.getLogger("tts_book.job")


@dataclass(frozen=True, slots=True)
class BookRequest:
    """A book to convert: what its files are called after, and where it was read (None: stdin).
    `fingerprint` is that of source and options, by which a second run knows that nothing has
    changed; "" where there is none. `readings` is how it is said, `recorded` whether the run leaves
    a manifest of it. `command`, given in the folder `cwd`, converts it again. `cache` is the folder
    of its entries, None where they are not kept. `marked` are stretches of its chapters, by their
    numbers, whose roles are marked in the text. `records` is where the manifest is wanted."""

    book: Book
    stem: str
    source: Path | None
    fingerprint: str = ""
    readings: Readings = field(default_factory=Readings)
    recorded: bool = True
    command: str = ""
    cwd: Path | None = None
    cache: Path | None = None
    cast: Cast | None = None
    marked: Mapping[int, tuple[RoleSpan, ...]] = field(default_factory=dict)
    records: str = ""


def make_request(
    settings: JobSettings, book: Book, source: Path | None, stem: str, fingerprint: str = ""
) -> BookRequest:
    """A request for a book that is read already. Raises UserError for a list of pronunciations
    or a cast with mistakes, and for a cover that cannot be used."""
    words, casts = _load_words(settings, source), _load_casts(settings, source)
    return _build_request(settings, book, source, stem, words, casts, fingerprint)


def _build_request(
    settings: JobSettings,
    book: Book,
    source: Path | None,
    stem: str,
    words: Pronunciations,
    casts: Sequence[Cast],
    fingerprint: str,
) -> BookRequest:
    at, options = settings.at, settings.options
    book = audiobookshelf.add_facts(book, settings.cover, options.series, str(options.year))
    cast = _choose_cast(settings, casts, book)
    marked: dict[int, tuple[RoleSpan, ...]] = {}
    if options.voice_marks:
        book, marks = take_voice_marks(book)
        cast = cast or (Cast() if marks else None)
        marked = {n: _find_marked_roles(settings, cast, spans) for n, spans in marks.items()}
    return BookRequest(
        book,
        stem,
        source,
        fingerprint,
        Readings(words),
        command="" if source is None else format_rerun_command(options, source, at.cwd),
        cwd=at.cwd,
        cache=None if options.no_cache else settings.cache_dir.absolute(),
        cast=cast,
        marked=marked,
        records=options.records,
    )


def _find_marked_roles(
    settings: JobSettings, cast: Cast | None, spans: Sequence[MarkedSpan]
) -> tuple[RoleSpan, ...]:
    found = []
    for span in spans:
        try:
            role = find_marked_role(cast or Cast(), settings.config, span.name)
        except UserError as error:
            raise UserError(f"{span.place}: [voice:{span.name}]: {error}") from None
        found.append(RoleSpan(span.start, span.stop, role))
    return tuple(found)


def _load_casts(settings: JobSettings, source: Path | None) -> tuple[Cast, ...]:
    """The casts that the book may have, the first that is for it wins: --cast, cast.toml beside the
    source, those of the config folder and of voices.toml. Raises UserError."""
    at, given = settings.at, settings.options.cast
    if str(given) == NO_CAST:
        return ()
    beside = () if source is None else (source if source.is_dir() else source.parent,)
    path = None if given is None else at.resolve_path(given)
    casts = load_casts(path, beside, at.config_dir)
    return (*casts, settings.config.cast) if settings.config.cast else casts


def _choose_cast(settings: JobSettings, casts: Sequence[Cast], book: Book) -> Cast | None:
    """Who reads the book, if anybody but one voice; with --voice-for laid over it. Raises
    UserError for a voice that is not known."""
    cast = next((cast for cast in casts if cast.is_for(book.series, book.author)), None)
    places = cast.places if cast else {}
    cast = add_voices(cast, settings.options.voice_for)
    for name in cast.voices if cast else ():
        try:
            settings.config.resolve(name)
        except UserError as error:
            raise UserError(f"{places.get(name, '--voice-for')}: {error}") from None
    return cast


def _load_words(settings: JobSettings, source: Path | None) -> Pronunciations:
    """The list of pronunciations that was given, or the one beside the source or voices.toml."""
    at, given = settings.at, settings.options.pronounce
    beside = () if source is None else (source if source.is_dir() else source.parent,)
    path = None if given is None else at.resolve_path(given)
    words = load_pronunciations(path, (*beside, at.cwd, at.config_dir))
    _LOG.debug("pronunciations: %s", words.path or "none")
    return words


@dataclass(frozen=True, slots=True)
class BookSource:
    """A text, an e-book or a folder of texts, its files as they were read. `fingerprint` is as in
    `BookRequest`."""

    settings: JobSettings
    path: Path
    is_folder: bool
    files: Mapping[Path, bytes | UserError]
    words: Pronunciations
    casts: tuple[Cast, ...]
    fingerprint: str

    @property
    def stem(self) -> str:
        """What the book's files are called after."""
        return self.path.resolve().name if self.is_folder else self.path.stem

    def find_finished(self) -> tuple[Path, ...]:
        """The files of a whole run over the same bytes with the same options, if they are as that
        run left them; none otherwise."""
        if not self.fingerprint or self.settings.output.force:
            return ()
        kinds = self.settings.output.companions
        for place in manifests_for_stem(self.settings.output.out, self.settings.at.cwd, self.stem):
            if place_manifest(place, self.settings.options.records) != place:
                continue  # it is to be moved
            files = find_finished_files(place, self.fingerprint)
            shown = find_companions(place, kinds) if files else None
            if shown is not None:
                return (*files, *shown)
        return ()

    def parse(self) -> tuple[BookRequest, tuple[tuple[Path, str], ...]]:
        """The book, and the files of a folder that could not be read, with the reasons. Raises
        UserError."""
        from tts_book import readers

        options = self.settings.reading_options()
        if self.is_folder:
            found = readers.read_folder(self.path, options, self._load, list(self.files))
            book, unread = found.book, found.unread
        else:
            book, unread = readers.read(self.path, options, self._load), ()
        fingerprint = "" if unread else self.fingerprint
        request = _build_request(
            self.settings, book, self.path, self.stem, self.words, self.casts, fingerprint
        )
        return request, unread

    def _load(self, path: Path) -> bytes:
        data = self.files[path]
        if isinstance(data, UserError):
            raise data
        return data


def open_source(settings: JobSettings, path: Path) -> BookSource:
    """A source with the bytes of its files. One that cannot be read is reported when it is parsed.
    Raises UserError for a list of pronunciations or a cast with mistakes."""
    from tts_book.readers.decoding import load_file

    is_folder, texts = path.is_dir(), [path]
    if is_folder:
        from tts_book.readers.folder import texts_in

        texts = find_in_folder(settings, path, texts_in)
    files = {text: _load_or_fail(load_file, text) for text in texts}
    words, casts = _load_words(settings, path), _load_casts(settings, path)
    fingerprint = _make_fingerprint(settings, files, words, casts)
    return BookSource(settings, path, is_folder, files, words, casts, fingerprint)


def find_in_folder(
    settings: JobSettings, folder: Path, find: Callable[..., list[Path]]
) -> list[Path]:
    """What `find` finds in a folder of sources: nothing that tts-book wrote there. Raises
    UserError."""
    out = settings.output.out
    place = None if out is None or out.resolve() == folder.resolve() else out.resolve()

    def is_output(path: Path) -> bool:
        if place is not None and path.resolve() == place:
            return True
        if path.suffix.lower() not in COMPANIONS.values() or not path.is_file():
            return False
        return is_own(path)

    return find(folder, recursive=not settings.options.no_recursive, leave_out=is_output)


def _load_or_fail(load: Callable[[Path], bytes], path: Path) -> bytes | UserError:
    try:
        return load(path)
    except UserError as error:
        return error


def _make_fingerprint(
    settings: JobSettings,
    files: Mapping[Path, bytes | UserError],
    words: Pronunciations,
    casts: Sequence[Cast],
) -> str:
    """Of everything that could change the result: this program, the options, voices.toml, the
    pronunciations, the casts, the cover, and the bytes of the source. "" where only a part is asked
    for, and where a file cannot be read."""
    if settings.options.is_partial:
        return ""
    deciding = (result_options(settings.options), settings.config, words, casts, settings.cover)
    digest = hashlib.sha256(f"{__version__}\n{deciding!r}\n".encode("utf-8", "surrogatepass"))
    for path, data in files.items():
        if isinstance(data, UserError):
            return ""
        digest.update(f"\n{path}\n".encode("utf-8", "surrogatepass"))
        digest.update(data)
    return digest.hexdigest()
