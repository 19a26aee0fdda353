"""The cast of a book: which voices read it, and who was found to speak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tts_book.events import format_count, format_number

if TYPE_CHECKING:
    from tts_book.config.voices import Config
    from tts_book.pipeline.casting import SpeakerFound
    from tts_book.pipeline.jobs import BookJob
    from tts_book.pipeline.source import BookRequest

LEAST_UTTERANCES = 3
_NAMED = 5  # speakers without words
_SHOWN = 100  # characters of an example


def describe_cast(job: BookJob) -> Iterator[str]:
    """The voices of a book's roles, and what they cost."""
    from tts_book.pipeline.casting import role_name
    from tts_book.text.chunker import plan_book

    cast = job.request.cast
    if cast is None:
        return
    voices = (job.cast, *job.voices.values(), *job.readers.values())
    for role in dict.fromkeys(role for _, role in job.readers):
        names = dict.fromkeys(
            its.voice.name for (_, each), its in job.readers.items() if each == role
        )
        share = sum(chunk.role == role for chunk in job.plan.chunks)
        yield f"{role_name(role)} by {', '.join(names)}: {format_count(share, 'chunk')}"
    heard = {role for _, role in job.readers}
    silent = [name for name in cast.speakers if name not in heard]
    if silent:
        more = f" and {format_number(len(silent) - _NAMED)} more" if len(silent) > _NAMED else ""
        yield f"nothing is said by {', '.join(silent[:_NAMED])}{more}: plan --cast lists who speaks"
    fallback = list(dict.fromkeys(name for its in voices for name in its.voice.fallback))
    if job.readers and fallback:
        yield f"no fallback ({', '.join(fallback)}): with a cast, a book waits for its voices"
    usual = len(plan_book(job.request.book).chunks)
    source = f"cast from {cast.path}" if cast.path else "cast"
    number = format_count(len(job.plan.chunks), "chunk")
    yield f"{source}: {number}, {format_number(usual)} with one voice; short ones take longer"


def list_speakers(requests: Sequence[BookRequest], config: Config) -> Iterator[str]:
    """Who was found to speak in each book, as lines of a cast.toml."""
    from tts_book.pipeline.casting import find_speakers

    for request in requests:
        found, rules = find_speakers(request.book)
        unknown = rules.pop("none", 0)
        by_rule = ", ".join(f"{rule} {format_number(count)}" for rule, count in rules.most_common())
        spoken = format_count(rules.total() + unknown, "utterance")
        yield f"# {_shorten(request.book.title)}: {spoken}"
        yield f"# ascribed by {by_rule or 'no rule'}; to nobody {format_number(unknown)}"
        voices = config.candidates(request.book.language)
        yield f"narrator = {_quote(voices[0].name if voices else '')}"
        named = [each for each in found if each.utterances >= LEAST_UTTERANCES]
        for each in named:
            alike = [voice.name for voice in voices if voice.gender == each.gender != ""]
            yield from _list_speaker(each, (alike or [voice.name for voice in voices] or [""])[0])
        if len(named) < len(found):
            more = format_count(len(found) - len(named), "more name")
            yield f"\n# {more} with fewer than {LEAST_UTTERANCES} utterances"


def _list_speaker(each: SpeakerFound, voice: str) -> Iterator[str]:
    gender = f", {each.gender}" if each.gender else ""
    yield f"\n[speakers.{_quote(each.name)}]"
    yield f"voice = {_quote(voice)}  # {format_count(each.utterances, 'utterance')}{gender}"
    yield from (f"# {_shorten(example)}" for example in each.examples)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _shorten(text: str) -> str:
    plain = "".join(character for character in text if character.isprintable())
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"
