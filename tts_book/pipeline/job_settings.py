"""Options into the settings of a run: all that can be checked before a book is read."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts_book import backends
from tts_book.config.toml_file import suggest
from tts_book.config.voices import Config, load_voices, parse_change
from tts_book.errors import UserError
from tts_book.output.audiobookshelf import read_cover
from tts_book.output.settings import (
    LOUDNESS_LUFS,
    SHELF,
    OutputSettings,
    parse_captions,
    parse_formats,
    parse_loudness,
)
from tts_book.pipeline.options import (
    NO_COVER,
    FilePath,
    Options,
    ReadingOptions,
    Surroundings,
    check_choices,
    check_ear,
    hide_password,
)
from tts_book.pipeline.selection import parse_selection
from tts_book.pipeline.voice_selection import AUTO, VoiceRequest
from tts_book.synthesis.cluster_access import ClusterAddress, parse_address
from tts_book.text.language_tags import parse_language_tag

if TYPE_CHECKING:
    from tts_book.model import Cover
    from tts_book.readers import ReadOptions

_LOG = logging.getLogger("tts_book.job")
# A scheme or a port at least: a bare word is mistyped.
_PROXY = re.compile(r"(?:https?|socks[45][ah]?)://[^\s/]+/?|[^\s/]+:\d+/?")


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What options and surroundings decide for all books of a run, each file read once."""

    at: Surroundings
    options: Options
    config: Config
    voice: VoiceRequest
    output: OutputSettings
    cluster: ClusterAddress | None
    cover: Cover | Literal["none"] | None
    """The picture that was given, "none" for none, None for the book's own."""

    def reading_options(self) -> ReadOptions:
        """How a source is read. Raises UserError."""
        return parse_reading_options(self.options)

    @property
    def cache_dir(self) -> Path:
        """The folder of the spoken chunks."""
        return self.at.resolve_path(self.options.cache or self.at.cache_dir)


def read_settings(at: Surroundings, options: Options) -> JobSettings:
    """The settings that these options make. Raises UserError for a wrong value, and for mistakes in
    voices.toml: all that can be known before a book is read."""
    config = load_config(at, options.voices, options.own_backends)
    _check_reading(options)
    _check_voice(options, config)
    _check_parts(options)
    return JobSettings(
        at,
        options,
        config,
        parse_voice_options(options),
        parse_output_options(options, at),
        parse_cluster_options(options, at),
        _load_cover(at, options),
    )


def load_config(
    at: Surroundings, voices: FilePath | None, own: Sequence[backends.Backend] = ()
) -> Config:
    """voices.toml, as it is looked for; it may name the backends in `own`, too."""
    known = dict.fromkeys((*backends.names(), *(backend.name for backend in own)))
    path = None if voices is None else at.resolve_path(voices)
    config = load_voices(path, cwd=at.cwd, config_dir=at.config_dir, backends=tuple(known))
    _LOG.debug("voices: %s", config.path)
    return config


def parse_reading_options(options: ReadingOptions) -> ReadOptions:
    """How a source is read. Raises UserError."""
    from tts_book.readers import ReadOptions

    check_choices(options)
    return ReadOptions(
        encoding=options.encoding,
        language=options.language,
        title=options.title,
        author=options.author,
        split=options.split,  # type: ignore[arg-type]  # checked above
        everything=options.everything,
        notes=options.notes,  # type: ignore[arg-type]  # checked above
        chapters=options.chapters,
        code=options.code,  # type: ignore[arg-type]  # checked above
        urls=options.urls,  # type: ignore[arg-type]  # checked above
    )


def parse_voice_options(options: Options) -> VoiceRequest:
    """The voice that was asked for. Raises UserError for changes out of range."""
    return VoiceRequest(
        voice=options.voice,
        backend=options.backend_name,
        rate_pct=None if options.rate == "" else parse_change("rate", options.rate),
        pitch_hz=None if options.pitch == "" else parse_change("pitch", options.pitch),
        volume_pct=None if options.volume == "" else parse_change("volume", options.volume),
        wait=options.wait,
    )


def parse_output_options(options: Options, at: Surroundings) -> OutputSettings:
    """What becomes of the spoken book. Raises UserError."""
    out = None if options.output is None else at.resolve_path(options.output)
    lufs = LOUDNESS_LUFS if options.loudness == "" else parse_loudness(str(options.loudness))
    formats, companions = parse_formats(options.format, out)
    return OutputSettings(
        out=out,
        formats=formats,
        companions=companions,
        loudness_lufs=lufs,
        captions=parse_captions(options.captions),
        shelved=options.layout == SHELF,
        force=options.force,
        cores=os.cpu_count() or 1,
    )


def parse_cluster_options(options: Options, at: Surroundings) -> ClusterAddress | None:
    """The cluster that speaks, if one does. Raises UserError."""
    if not options.cluster:
        return None
    if options.own_backends:
        raise UserError("A backend given as an object speaks in this process: name one instead.")
    return parse_cluster_address(options.cluster, options, at)


def parse_cluster_address(address: str, options: Options, at: Surroundings) -> ClusterAddress:
    """The address of a scheduler and the certificates for it. Raises UserError."""
    folder = options.tls or at.environ.get("TTS_BOOK_TLS")
    certificates = at.resolve_path(folder) if folder else None
    return parse_address(address, certificates, insecure=options.insecure)


def _load_cover(at: Surroundings, options: Options) -> Cover | Literal["none"] | None:
    if options.cover is None:
        return None
    return "none" if str(options.cover) == NO_COVER else read_cover(at.resolve_path(options.cover))


def _check_reading(options: Options) -> None:
    check_choices(options)
    check_ear(options)
    if options.language:
        parse_language_tag(options.language)
    if options.encoding:
        from tts_book.readers.decoding import find_codec

        find_codec(options.encoding)
    if options.chapters:
        from tts_book.readers.book import ChapterPattern

        ChapterPattern(options.chapters)


def _check_voice(options: Options, config: Config) -> None:
    name = options.backend_name
    if name != AUTO and name not in config.backends:
        raise UserError(f'There is no backend "{name}".{suggest(name, config.backends)}')
    if options.voice:
        config.resolve(options.voice, name)
    if options.proxy and not _PROXY.fullmatch(options.proxy):
        raise UserError(
            f'--proxy "{hide_password(options.proxy)}" is not a proxy: write http://HOST:PORT'
        )


def _check_parts(options: Options) -> None:
    if options.cache is not None and Path(options.cache).is_file():
        raise UserError(f"--cache {options.cache} is a file: name a folder.")
    only = parse_selection(str(options.only), "--only")
    parse_selection(str(options.redo), "--redo")
    if options.share and options.no_cache:
        raise UserError("--share divides the work by the cache folder: leave --no-cache out.")
    if options.share and options.redo != "":
        raise UserError("--redo speaks a part again, and on one machine only: leave --share out.")
    if only and (options.start != "" or options.stop != ""):
        raise UserError("--from and --to make an excerpt: leave --only out.")
    if options.year and not re.search(r"(?<!\d)\d{4}(?!\d)", str(options.year)):
        raise UserError(f'--year "{options.year}" is not a year: write four digits.')
