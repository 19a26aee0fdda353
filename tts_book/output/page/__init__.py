"""A page that reads along: the text of a book beside its audio, opened from a file, without a
server or a network.

The text is HTML, a span for each sentence; times stand in a JSON block, so that ten hours of book
load at once. `page.js` does the rest. Nothing in a book is trusted: text is escaped, and a content
security policy lets the page run its own script only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from tts_book.errors import UserError
from tts_book.events import quote_command
from tts_book.model import Break
from tts_book.output.paths import relative_path
from tts_book.output.readalong import LeftOut, ReadAlong, TimedChapter, TimedSentence
from tts_book.synthesis import atomic
from tts_book.text.language_tags import primary_language

# Browsers decode a data URI at once and whole: one hour takes Firefox four seconds.
MOST_INLINE_MS = 3_600_000
_MIME = {".mp3": "audio/mpeg", ".m4b": "audio/mp4", ".opus": "audio/ogg"}
_SPEEDS = ("0.75", "0.9", "1", "1.1", "1.25", "1.5", "1.75", "2")
_RIGHT_TO_LEFT = {"ar", "fa", "he", "ur", "ps", "yi", "ug", "sd", "ckb", "dv"}


def write_page(book: ReadAlong, path: Path, *, inline_audio: bool = False) -> Path:
    """Writes the page of a written book; its links lead from `path` to the audio files. Raises
    UserError where there is nothing to show, audio for a single file is too long, or the disk
    does not take it."""
    page = _Page(book, path.parent, inline_audio)
    sections = list(page.sections())
    if not page.data["chapters"]:
        raise UserError(f"{book.path} names no chapter that is written: convert the book first.")
    with (
        atomic.replace_file(path) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.write(page.document(sections))
    return path


@dataclass(slots=True)
class _Page:
    book: ReadAlong
    folder: Path
    inline_audio: bool
    data: dict[str, Any] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    sound: list[str] = field(default_factory=list)
    audio_ms: int = 0

    def __post_init__(self) -> None:
        self.data = {
            "id": hashlib.sha256(f"{self.book.title}\0{self.book.path.name}".encode()).hexdigest()[
                :16
            ],
            "command": self._command(),
            "words": self._labels,
            "places": [],
            "said": {},
            "chapters": [],
        }

    @property
    def _labels(self) -> dict[str, str]:
        by_language: dict[str, dict[str, str]] = json.loads(_asset("labels.json"))
        return by_language.get(primary_language(self.book.language), by_language["en"])

    def _command(self) -> str:
        """The command of the book for a terminal in the page's folder."""
        if not self.book.command or self.book.home is None:
            return self.book.command
        way = relative_path(self.book.home, self.folder)
        go = "" if way == "." else f"cd {quote_command([way])} && "
        return f"{go}{self.book.command}"

    def sections(self) -> Iterator[str]:
        """The chapters as HTML, in order; `data` grows with them."""
        left_out = self.book.left_out()
        number = 0
        for chapter in self.book.chapters():
            sentences = [s for paragraph in chapter.paragraphs for s in paragraph.sentences]
            if not sentences:
                continue
            self._take_sound(chapter)
            self.titles.append(chapter.title)
            self.data["chapters"].append(self._times(chapter, sentences))
            self.data["places"] += [str(sentence.place) for sentence in sentences]
            self.data["said"] |= {
                number + at: sentence.said for at, sentence in enumerate(sentences) if sentence.said
            }
            # What belongs to no chapter (an imprint, a contents list) is shown in the first.
            here = {chapter.number} if number else {0, chapter.number}
            skips = [skip for skip in left_out if skip.chapter in here]
            yield self._section(chapter, number, skips)
            number += len(sentences)

    def _take_sound(self, chapter: TimedChapter) -> None:
        if not self.inline_audio:
            return
        self.audio_ms += chapter.duration_ms
        if self.audio_ms > MOST_INLINE_MS:
            raise UserError(
                f"{self.book.title} is longer than an hour, too long for --inline-audio: browsers "
                "stall on such a page. Leave the option out and keep the page beside its audio."
            )
        data = base64.b64encode(chapter.file.read_bytes()).decode("ascii")
        self.sound.append(f"data:{_mime(chapter.file)};base64,{data}")

    def _times(self, chapter: TimedChapter, sentences: list[TimedSentence]) -> dict[str, Any]:
        first: dict[int, int] = {}
        for at, sentence in enumerate(sentences):
            first.setdefault(sentence.chunk, at)
        path = relative_path(chapter.file, self.folder)
        stands_for = f" --voice {quote_command([chapter.voice])} --backend {chapter.backend}"
        return {
            "n": chapter.number,
            "f": quote(path),
            "p": path,
            "o": stands_for if chapter.voice != self.book.voice else "",
            "b": chapter.start_ms,
            "s": [sentence.start_ms for sentence in sentences],
            "w": [_words(sentence) for sentence in sentences],
            "k": [
                [
                    first[story.number],
                    story.number,
                    story.attempts,
                    int(story.estimated),
                    story.doubts,
                ]
                for story in chapter.chunks
                if story.number in first
            ],
        }

    def _section(self, chapter: TimedChapter, number: int, skips: list[LeftOut]) -> str:
        made = [f'<section aria-label="{_escaped(chapter.title)}">']
        for at, paragraph in enumerate(chapter.paragraphs):
            tag = ("h2" if at == 0 else "h3") if paragraph.heading else "p"
            kind = ' class="scene"' if paragraph.after is Break.SCENE else ""
            spans = []
            for sentence in paragraph.sentences:
                spans.append(
                    f'<span class="s" id="s{number}" tabindex="-1">{_escaped(sentence.text)}</span>'
                )
                number += 1
            made.append(f'<{tag}{kind} dir="auto">{" ".join(spans)}</{tag}>')
        if skips:
            made.append(f'<div class="panel"><b>{self._labels["left_out"]}</b><ul>')
            made += [
                f'<li dir="auto"><span class="where">{_escaped(str(skip.place))}: '
                f"{_escaped(skip.reason)}</span> {_escaped(skip.text)}</li>"
                for skip in skips
            ]
            made.append("</ul></div>")
        made.append("</section>\n")
        return "\n".join(made)

    def document(self, sections: list[str]) -> str:
        """The whole page."""
        if self.inline_audio:
            self.data["sound"] = self.sound
        book, style, script = self.book, _asset("page.css"), _asset("page.js")
        primary = primary_language(book.language)
        return Template(_asset("page.html")).substitute(
            {f"l_{name}": label for name, label in self._labels.items()},
            language=_escaped(book.language),
            direction="rtl" if primary in _RIGHT_TO_LEFT else "ltr",
            policy=_policy(script, style),
            title=_escaped(book.title),
            author=f"<span>{_escaped(book.author)}</span>" if book.author else "",
            chapters="".join(
                f'<option value="{at}">{_escaped(title)}</option>'
                for at, title in enumerate(self.titles)
            ),
            speeds="".join(
                f'<option value="{speed}"{" selected" if speed == "1" else ""}>{speed}×</option>'
                for speed in _SPEEDS
            ),
            sections="".join(sections),
            data=_json(self.data),
            style=style,
            script=script,
        )


def _words(sentence: TimedSentence) -> list[int]:
    """Start, length and ms of each word, in the units of JavaScript's strings."""
    text = sentence.text
    return [
        number
        for word in sentence.words
        for number in (
            _utf16_units(text[: word.start]),
            _utf16_units(text[word.start : word.stop]),
            word.start_ms,
        )
    ]


def _escaped(text: str) -> str:
    return html.escape(text)


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _json(value: object) -> str:
    """JSON that ends no script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _mime(path: Path) -> str:
    return _MIME.get(path.suffix.lower(), "audio/mpeg")


@cache
def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")


def _policy(script: str, style: str) -> str:
    """Only this script and this style; sound from beside the page."""

    def digest(text: str) -> str:
        return base64.b64encode(_digest(text)).decode("ascii")

    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; "
        f"style-src 'sha256-{digest(style)}'; media-src 'self' file: data:; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
