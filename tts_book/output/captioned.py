"""Captions beside the files of a book: written with each chapter, joined for the whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tts_book.audio.timeline import Score
from tts_book.model import Segment
from tts_book.output import atomic as parts
from tts_book.output import captions
from tts_book.output.captions import Cue
from tts_book.output.whole_book import Volume
from tts_book.text.sentences import Splitter


class Captioner:
    """Writes captions in the formats asked for. Those of the chapters are kept as JSON lines in
    a folder of unfinished files, for the whole book."""

    def __init__(self, formats: Sequence[str]) -> None:
        self._formats = formats
        self._splitters: dict[str, Splitter] = {}
        self.guessed = False  # whether some engine gave no marks

    def chapter(
        self,
        segments: Sequence[Segment],
        score: Score,
        language: str,
        title: str,
        target: Path | None,
        kept: Path | None,
    ) -> None:
        """Captions of one chapter: beside `target`, and for later in `kept`. Raises UserError."""
        if not self._formats:
            return
        splitter = self._splitters.setdefault(language, Splitter(language))
        found = list(captions.cues(self._noted(segments), score, splitter))
        if target is not None:
            self._write(found, title, target)
        if kept is not None:
            kept.write_text("".join(_line(cue) for cue in found), "utf-8")

    def whole(self, volume: Volume, kept: Sequence[Path], title: str) -> None:
        """Captions of a whole-book file, from those of its chapters. Raises UserError."""
        for name in self._formats:
            _put(volume.path, name, _moved(volume, kept), title)

    def beside(self, target: Path) -> tuple[Path, ...]:
        """The captions of a file."""
        return beside(target, self._formats)

    def _noted(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        for segment in segments:
            self.guessed |= captions.is_guessed(segment)
            yield segment

    def _write(self, found: list[Cue], title: str, target: Path) -> None:
        for name in self._formats:
            _put(target, name, found, title)


def beside(target: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """Where the captions of a file are."""
    return tuple(target.with_suffix(f".{name}") for name in formats)


def _put(target: Path, name: str, found: Iterable[Cue], title: str) -> None:
    with (
        parts.made_elsewhere(target.with_suffix(f".{name}")) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(captions.FORMATS[name](found, title))


def _line(cue: Cue) -> str:
    return json.dumps([cue.start_ms, cue.stop_ms, cue.text], ensure_ascii=False) + "\n"


def _moved(volume: Volume, kept: Sequence[Path]) -> Iterator[Cue]:
    for mark, path in zip(volume.chapters, kept, strict=True):
        with path.open(encoding="utf-8") as file:
            for line in file:
                start_ms, stop_ms, text = json.loads(line)
                yield Cue(start_ms + mark.start_ms, stop_ms + mark.start_ms, text)
