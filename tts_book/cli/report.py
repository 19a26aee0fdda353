"""What a run says before and after: plans, voices, casts and results as lines of text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.cli.voice_list import describe_voice
from tts_book.events import JobDone, format_count, format_duration, format_number, format_share
from tts_book.model import Book, DoubtKind, Skip
from tts_book.text.language_tags import describe_language

if TYPE_CHECKING:
    from tts_book.config.voices import Config
    from tts_book.pipeline.casting import SpeakerFound
    from tts_book.pipeline.jobs import BookJob
    from tts_book.pipeline.run import Result
    from tts_book.pipeline.source import BookRequest
    from tts_book.synthesis.chunk_cache import ChunkCache


_SHOWN = 60  # characters of what was left out


def list_skipped(book: Book) -> Iterator[str]:
    """Every piece left out with its place, size and reason, then the sums."""
    from tts_book.readers.book import count_by_reason, count_ink

    yield book.title
    for chapter in book.chapters:
        for skip in chapter.skips:
            if size := count_ink(skip.text):
                place = chapter.origin.source.place(skip.start)
                yield f"{place}\t{format_number(size)}\t{skip.reason}\t{_shown(skip)}"
    for reason, size in count_by_reason(_all(book)).items():
        yield f"  {format_number(size):>9}  {reason}"
    yield f"  {_sum(book)}"


def list_skipped_json(book: Book) -> Iterator[str]:
    """The same as JSON: a line for each piece with its whole text, then one with the sums."""
    from tts_book.readers.book import count_ink

    for chapter in book.chapters:
        for skip in chapter.skips:
            place = str(chapter.origin.source.place(skip.start))
            size = count_ink(skip.text)
            entry = {"place": place, "characters": size, "reason": skip.reason, "text": skip.text}
            yield json.dumps(entry, ensure_ascii=False)
    yield json.dumps({"book": book.title, **asdict(book.ledger)}, ensure_ascii=False)


def skipped_summary(book: Book) -> str:
    """One line: what was left out, the most first; empty if it is nothing."""
    from tts_book.readers.book import count_by_reason

    found = count_by_reason(_all(book))
    return ", ".join(f"{reason} {format_number(size)}" for reason, size in found.items())


def _all(book: Book) -> Iterator[Skip]:
    return (skip for chapter in book.chapters for skip in chapter.skips)


def _sum(book: Book) -> str:
    ledger = book.ledger
    spoken, skipped = format_number(ledger.spoken), format_number(ledger.skipped)
    sides = f"{spoken} spoken + {skipped} left out"
    if ledger.adds_up:
        return f"{sides} = all {format_number(ledger.source)} non-blank characters of the source"
    missing = format_number(abs(ledger.source - ledger.spoken - ledger.skipped))
    return (
        f"{sides}, but the source has {format_number(ledger.source)}: {missing} are unaccounted for"
    )


def _shown(skip: Skip) -> str:
    text = " ".join(skip.text[: 4 * _SHOWN].split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def describe_voices(jobs: Sequence[BookJob]) -> Iterator[str]:
    """Who speaks each book, and why."""
    for job in jobs:
        title, voice = job.request.book.title, job.cast.voice
        yield f"{title}: voice {describe_voice(voice)}; {job.cast.why}"
        yield from (f"{title}: {line}" for line in _other_voices(job))
        yield from (f"{title}: {line}" for line in describe_cast(job))
        yield from _pronunciations(job)
        if job.excerpt:
            yield f"an excerpt: {_excerpt(job)}"


def _other_voices(job: BookJob) -> Iterator[str]:
    for language, chosen in job.voices.items():
        voice = describe_voice(chosen.voice)
        yield f"in {describe_language(language)} voice {voice}; {chosen.why}"


def _pronunciations(job: BookJob) -> Iterator[str]:
    """Which list of pronunciations is in use, and how much it and numbers in words change."""
    from tts_book.text.spoken_text import find_differences

    path, changed = job.request.readings.pronunciations.path, find_differences(job.plan)
    if path or changed:
        share = format_share(changed, len(job.plan.chunks), "chunks")
        words = f"pronunciations from {path}; " if path else ""
        yield f"{words}{share} said otherwise than written"


def _excerpt(job: BookJob) -> str:
    chunks = [chunk for chunk in job.plan.chunks if job.asks_for(chunk)]
    first, last = (
        f"{chunk.chapter}/{chunk.number} at "
        f"{job.request.book.chapters[chunk.chapter - 1].origin.place(chunk.start)}"
        for chunk in (chunks[0], chunks[-1])
    )
    return f"from chunk {first} to the end of {last}"


def describe_plan(jobs: Sequence[BookJob], cache: ChunkCache) -> Iterator[str]:
    """Chapters with chunks, characters and estimated length; a total for each book."""
    from tts_book.pipeline.plan_view import view_plan

    for job in jobs:
        book, its = job.request.book, view_plan(job, cache)
        yield f"{book.title}" + (f", {book.author}" if book.author else "")
        yield f"  language {book.language}; voice {describe_voice(its.voice)}; {its.why}"
        yield from (f"  {line}" for line in _other_voices(job))
        width = len(str(len(book.chapters)))
        unread = {chapter.number: chapter.unread for chapter in book.chapters}
        for chapter in its.chapters:
            if reason := unread[chapter.number]:
                yield f"  {chapter.number:>{width}}  not read: {chapter.title}: {reason}"
                continue
            yield (
                f"  {chapter.number:>{width}}  {format_duration(chapter.estimated_ms):>8}  "
                f"{format_count(len(chapter.chunks), 'chunk'):>11}  "
                f"{format_count(chapter.characters, 'character'):>18}  {chapter.title}"
            )
        yield (
            f"  in all: {format_count(len(its.chapters), 'chapter')}, "
            f"{format_count(len(its.chunks), 'chunk')} "
            f"({format_number(sum(chunk.cached for chunk in its.chunks))} spoken already), "
            f"{format_number(its.characters)} characters, "
            f"about {format_duration(its.estimated_ms)} of sound"
        )
        yield from (f"  {line}" for line in _pronunciations(job))
        if left := skipped_summary(book):
            yield f"  left out: {left} (characters; `tts-book plan --skipped` shows them)"
        if job.excerpt:
            yield f"  an excerpt: {_excerpt(job)}"
        first, last = job.layout.files[0], job.layout.files[-1]
        yield f"  to {first}" + (f" … {last.name}" if last != first else "")


def list_redone(jobs: Sequence[BookJob]) -> Iterator[str]:
    """Every place where words stand that are spoken again."""
    for job in jobs:
        for chunk, key in zip(job.plan.chunks, job.keys, strict=True):
            if key in job.redo:
                place = job.request.book.chapters[chunk.chapter - 1].origin.place(chunk.start)
                words = " ".join(chunk.text.split())[:60]
                yield f"spoken again: {chunk.chapter}/{chunk.number} at {place}: “{words}”"


def explain_jobs(jobs: Sequence[BookJob], cache: ChunkCache) -> Iterator[str]:
    """Why each chunk that is not in the cache has to be spoken, and what is in doubt about the
    others."""
    from tts_book.pipeline.plan_view import explain_chunks, explain_doubts

    for job in jobs:
        spoken = list(explain_chunks(job, cache))
        for chunk, reason in spoken:
            place = job.request.book.chapters[chunk.chapter - 1].origin.place(chunk.start)
            yield f"{chunk.chapter}/{chunk.number} at {place}: {reason}"
        for chunk, doubt in explain_doubts(job, cache):
            yield f"{chunk.chapter}/{chunk.number} at {doubt.place}: {doubt}"
        yield f"{format_share(len(spoken), len(job.plan.chunks), 'chunks')} to be spoken"


def list_plan_json(jobs: Sequence[BookJob], cache: ChunkCache) -> Iterator[str]:
    """A line of JSON for each chunk, in order, with its place, key and file."""
    from tts_book.pipeline.plan_view import view_plan

    for its in (view_plan(job, cache) for job in jobs):
        for chapter in its.chapters:
            for chunk in chapter.chunks:
                line = {
                    "book": its.book.title,
                    "language": its.book.language,
                    "voice": chunk.voice,
                    "backend": its.voice.backend,
                    "role": chunk.role,
                    "chapter": chunk.chapter,
                    "title": chapter.title,
                    "chunk": chunk.number,
                    "place": str(chunk.place),
                    "after": chunk.after.value,
                    "text": chunk.text,
                    "spoken": chunk.spoken,
                    "key": chunk.key,
                    "cached": chunk.cached,
                    "file": str(chapter.path),
                }
                yield json.dumps(line, ensure_ascii=False)


def list_chunks(jobs: Sequence[BookJob]) -> Iterator[str]:
    """Every chunk: its number, its place in the source, what follows it, who reads it where that
    is not one voice, its text on one line."""
    from tts_book.pipeline.casting import role_name

    for job in jobs:
        for chunk in job.plan.chunks:
            chapter = job.request.book.chapters[chunk.chapter - 1]
            place = chapter.origin.place(chunk.start)
            text = " ".join(chunk.spoken.split())
            role = f"\t{role_name(chunk.role)}" if job.readers else ""
            yield f"{chunk.chapter}/{chunk.number}\t{place}\t{chunk.after.value}{role}\t{text}"


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


def list_speakers_json(requests: Sequence[BookRequest]) -> Iterator[str]:
    """A line of JSON for each speaker that was found."""
    from tts_book.pipeline.casting import find_speakers

    for request in requests:
        for each in find_speakers(request.book)[0]:
            line = {
                "book": request.book.title,
                "speaker": each.name,
                "gender": each.gender,
                "utterances": each.utterances,
                "examples": list(each.examples),
            }
            yield json.dumps(line, ensure_ascii=False)


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


MOST_LINES = 5


def summarize_run(
    done: Result, stale: Sequence[Path], command: str, *, quiet: bool
) -> Iterator[str]:
    """The last lines of a run: what may want a look, what is missing, then what was done. `stale`
    are files of earlier runs that are still there."""
    if not quiet:
        yield from _odd(done, stale)
    yield from _missing_sound(done)
    if done.guessed_captions and not quiet:
        yield "captions: no times of words came with the sound; those of sentences are estimated"
    if done.done.reason:
        yield done.done.reason
    for lost in done.books_lost:
        yield f"Not written: {lost.path}: {lost.reason}"
    if done.lost:
        yield _missing(done, command)
    if not quiet:
        yield _metrics(done)


# What is said of doubts, and what helps; {} is how many there are.
_SAID = {
    DoubtKind.UNSPOKEN: (
        "Not spoken by this voice: {}. Give them a pronunciation in pronounce.toml, or choose a "
        "multilingual voice (tts-book voices)"
    ),
    DoubtKind.UNDETERMINED: (
        "Cannot be determined whether this voice speaks them, since nothing but sound came: {}. "
        "Listen there, or choose a multilingual voice"
    ),
    DoubtKind.ODD: "Sounds odd and is complete: {}",
    DoubtKind.MARKS: "Marks that do not fit, checked by length and silence only: {}",
}
_MOST_PLACES = 20


def _doubts(done: Result) -> Iterator[str]:
    """What is in doubt, a paragraph for each kind, with the places."""
    for kind, said in _SAID.items():
        found = [d for event in done.doubts for d in event.doubts if d.kind is kind]
        if not found:
            continue
        unit = "place" if kind in (DoubtKind.ODD, DoubtKind.MARKS) else "passage"
        yield f"{said.format(format_count(len(found), unit))}:"
        places: dict[str, list[str]] = {}
        for doubt in found:
            places.setdefault(doubt.what, []).append(doubt.place)
        for what, at in list(places.items())[:_MOST_PLACES]:
            more = f" and {len(at) - 2} more" if len(at) > 2 else ""
            yield f"  {what}: {', '.join(at[:2])}{more}"
        if len(places) > _MOST_PLACES:
            yield f"  … and {len(places) - _MOST_PLACES} others; all are in the record"


def _missing_sound(done: Result) -> Iterator[str]:
    """Where sound may be missing: every place, because somebody has to listen there."""
    for event in done.doubts:
        for doubt in event.doubts:
            if doubt.kind is DoubtKind.SOUND:
                chunk = f"{event.chapter}/{event.chunk}"
                yield (
                    f"Sound may be missing: {event.place} (chunk {chunk}): {doubt.what}. "
                    f"Listen, or speak it again with --redo {chunk}"
                )


def _odd(done: Result, stale: Sequence[Path]) -> Iterator[str]:
    for voice, note in dict.fromkeys((noted.voice, noted.note) for noted in done.notes):
        yield f"{voice}: {note}"
    yield from _doubts(done)
    yield from _some(
        "from an earlier run; it no longer belongs to any chapter (see --clean)", stale
    )
    for off in done.off_target:
        off_db = off.loudness_lufs - off.target_lufs
        yield (
            f"loudness: {off.voice} is at {off.loudness_lufs:.1f} LUFS, {abs(off_db):.1f} dB "
            f"{'above' if off_db > 0 else 'below'} the target: more would distort it; ask for less "
            "with --loudness"
        )
    yield from _some(
        "captions of an earlier run, which may not fit any more (--captions rebuilds them)",
        done.outdated,
    )


def _some(what: str, paths: Sequence[Path]) -> Iterator[str]:
    for path in paths[:MOST_LINES]:
        yield f"{what}: {path}"
    more = len(paths) - MOST_LINES
    if more > 0:
        yield f"… and {format_count(more, 'more file')}"


def _missing(done: Result, command: str) -> str:
    names = ", ".join(
        f"{event.book} {event.chapter} ({event.title})" for event in done.lost[:MOST_LINES]
    )
    more = f" and {len(done.lost) - MOST_LINES} more" if len(done.lost) > MOST_LINES else ""
    from tts_book.pipeline.chapter_speaker import ONLY

    if all(event.reason.startswith(ONLY) for event in done.lost):
        on = "without --only the same command speaks the rest, and writes what is whole then"
        return f"Not written: {names}{more}. What was asked for is spoken and kept; {on}."
    return (
        f"Not written: {names}{more}. All that was spoken is kept: the same command speaks only "
        f"what is missing: {command}"
    )


def _metrics(done: Result) -> str:
    end = done.done
    parts = [
        f"{format_count(end.chapters_done - end.chapters_kept, 'chapter')} written"
        + (f", {format_number(end.chapters_kept)} left as before" if end.chapters_kept else "")
        + f", {format_number(end.chapters_lost)} missing",
        f"{format_count(end.chunks_spoken, 'chunk')} spoken, "
        f"{format_number(end.chunks_cached)} from the cache, "
        f"{format_number(end.chunks_failed)} failed",
        format_count(end.requests, "request")
        + "".join(f", {count} retried ({name})" for name, count in end.retries.items()),
        f"{format_count(end.characters_spoken, 'character')}",
        f"{format_duration(end.sound_ms)} of sound in "
        f"{format_duration(end.wall_s * 1_000)}{_speed(end)}",
    ]
    return "; ".join(parts)


def _speed(end: JobDone) -> str:
    """Shown for runs that spoke all of it: what is in the cache takes no time."""
    if end.chunks_cached or not end.chunks_spoken or end.wall_s <= 0:
        return ""
    return f" ({end.sound_ms / 1_000 / end.wall_s:.0f}× real time)"
