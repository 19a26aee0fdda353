"""Whatever is done to finished files is found: damage is a problem, a person's edit a note, and
what only looks different is neither."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests import tones
from tests.output.inspection.test_verify import convert_texts
from tts_book import audio
from tts_book.audio import mp3_files
from tts_book.audio.mp3_frames import CURRENCY
from tts_book.output.inspection.verify import files, verify

TEXTS = (
    "It began on a quiet morning. And yet it came. Nobody had seen the ship before.",
    "Then all was still again, at last. The lamp went out. A gull cried over the empty quay.",
    "On the third day they left. The house stayed behind. Its windows were dark for a year.",
)
FORMATS = ("mp3", "m4b", "opus", "mp3book")
SIZE = CURRENCY.frame_bytes
ID3: Any = import_module("mutagen.id3")  # mutagen tells no types
MP4: Any = import_module("mutagen.mp4")
OGG: Any = import_module("mutagen.oggopus")


@dataclass(frozen=True, slots=True)
class Files:
    """What was written: the chapters, and the book in three formats."""

    folder: Path

    @property
    def chapters(self) -> list[Path]:
        return sorted((self.folder / "b").glob("*.mp3"))

    @property
    def one(self) -> Path:
        return self.chapters[1]

    def book(self, suffix: str) -> Path:
        return self.folder / f"b{suffix}"

    @property
    def captions(self) -> Path:
        return self.one.with_suffix(".srt")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book in every format, written once."""
    folder = tmp_path_factory.mktemp("whole")
    convert_texts(folder, TEXTS, FORMATS)
    return folder


@pytest.fixture
def made(whole: Path, tmp_path: Path) -> Files:
    shutil.copytree(whole, tmp_path / "copy")
    return Files(tmp_path / "copy")


Damage = Callable[[Files], None]


def frames_changed(change: Callable[[bytes], bytes], book: str = "") -> Damage:
    """Changes the frames of an MP3, not its tags."""

    def damage(made: Files) -> None:
        path = made.book(".mp3") if book else made.one
        with path.open("rb") as file:
            found = mp3_files.find_frames(file)
        data = path.read_bytes()
        frames = data[found.sound_at : found.stop]
        path.write_bytes(data[: found.sound_at] + change(frames) + data[found.stop :])

    return damage


def bytes_changed(change: Callable[[bytes], bytes], suffix: str = "") -> Damage:
    def damage(made: Files) -> None:
        path = made.book(suffix) if suffix else made.one
        path.write_bytes(change(path.read_bytes()))

    return damage


def cut_out(first: int, last: int) -> Callable[[bytes], bytes]:
    return lambda frames: frames[: first * SIZE] + frames[last * SIZE :]


def silenced(frames: bytes) -> bytes:
    return frames[: 60 * SIZE] + CURRENCY.silence * 12 + frames[72 * SIZE :]


def exchanged(frames: bytes) -> bytes:
    a, b = frames[40 * SIZE : 60 * SIZE], frames[90 * SIZE : 110 * SIZE]
    return frames[: 40 * SIZE] + b + frames[60 * SIZE : 90 * SIZE] + a + frames[110 * SIZE :]


def flipped(at: float, count: int = 10) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        start = int(len(data) * at) // SIZE * SIZE + 40
        flips = bytes(byte ^ 0x55 for byte in data[start : start + count])
        return data[:start] + flips + data[start + count :]

    return change


def noise(frames: bytes) -> bytes:
    burst = np.random.default_rng(1).normal(0, 9_000, 9_000).astype("<i2").tobytes()
    made = audio.encode(burst, 24_000)
    return frames[: 50 * SIZE] + made + frames[50 * SIZE + len(made) :]


def louder(frames: bytes) -> bytes:
    return audio.amplify(frames, 6, CURRENCY)


def encoded_again(frames: bytes) -> bytes:
    again = audio.encode(audio.decode(frames)[0], 24_000)
    return again[: len(frames)]


def copied(suffix: str) -> Damage:
    """Another chapter's file in the place of ours."""

    def damage(made: Files) -> None:
        other = made.chapters[2].with_suffix(suffix)
        made.one.with_suffix(suffix).write_bytes(other.read_bytes())

    return damage


def swapped(made: Files) -> None:
    first, second = made.chapters[:2]
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def tagged(**texts: str) -> Damage:
    def damage(made: Files) -> None:
        tags = ID3.ID3(made.one)
        for name, text in texts.items():
            tags.add(getattr(ID3, name)(encoding=1, text=[text]))
        tags.save(v2_version=3)

    return damage


def new_cover(made: Files) -> None:
    tags = ID3.ID3(made.one)
    tags.setall("APIC", [ID3.APIC(encoding=0, mime="image/png", type=3, data=b"\x89PNG other")])
    tags.save(v2_version=3)


def captions_changed(change: Callable[[str], str], *, book: bool = False) -> Damage:
    def damage(made: Files) -> None:
        path = made.book(".srt") if book else made.captions
        path.write_text(change(path.read_text("utf-8")), "utf-8")

    return damage


def remuxed(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Damage:
    """The M4B with other chapter marks and the same sound."""

    def damage(made: Files) -> None:
        path, other = made.book(".m4b"), made.folder / "other.m4b"
        with (
            av.open(str(path)) as old,
            av.open(str(other), "w", format="ipod") as new,
        ):
            stream = new.add_stream_from_template(old.streams.audio[0])
            for packet in old.demux(audio=0):
                if packet.size:
                    packet.stream = stream
                    new.mux(packet)
            marks: Any = change([dict(chapter) for chapter in old.chapters()])
            new.set_chapters(marks)
        MP4.MP4(other).save()
        tags = MP4.MP4(path).tags
        file = MP4.MP4(other)
        file.update(tags)
        file.save()
        other.replace(path)

    return damage


def later(chapters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for chapter in chapters[1:]:
        chapter["start"] += round(2 / chapter["time_base"])
    return chapters


def renamed(chapters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chapters[1]["metadata"] = {"title": "Another name"}
    return chapters


def other_sound(made: Files) -> None:
    """The M4B encoded again from its own sound."""
    path, other = made.book(".m4b"), made.folder / "other.m4b"
    with av.open(str(path)) as old, av.open(str(other), "w", format="ipod") as new:
        stream = new.add_stream("aac", 24_000)
        stream.layout = "mono"
        for frame in [*old.decode(audio=0), None]:
            for packet in stream.encode(frame):
                new.mux(packet)
        new.set_chapters(old.chapters())
    file = MP4.MP4(other)
    file.update(MP4.MP4(path).tags)
    file.save()
    other.replace(path)


def opus_tags(**texts: str) -> Damage:
    def damage(made: Files) -> None:
        file = OGG.OggOpus(made.book(".opus"))
        for name, text in texts.items():
            file[name] = text
        file.save()

    return damage


def book_mark_moved(made: Files) -> None:
    tags = ID3.ID3(made.book(".mp3"))
    for mark in tags.getall("CHAP")[1:]:
        mark.start_time += 3_000
    tags.save(v2_version=3)


SOUND = "its sound is not what was written"
TIMES = "its times are not those that were written"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "chapter deleted": (lambda made: made.one.unlink(), "it is missing"),
    "book deleted": (lambda made: made.book(".m4b").unlink(), "it is missing"),
    "end cut": (bytes_changed(lambda data: data[:-5_000]), "frames|bytes"),
    "whole frames cut": (bytes_changed(lambda data: data[: -20 * SIZE]), SOUND),
    "start cut": (frames_changed(cut_out(0, 20)), SOUND),
    "middle cut": (frames_changed(cut_out(50, 60)), SOUND),
    "one frame cut": (frames_changed(cut_out(50, 51)), SOUND),
    "said twice": (frames_changed(lambda f: f[: 60 * SIZE] + f[40 * SIZE :]), SOUND),
    "stretches exchanged": (frames_changed(exchanged), SOUND),
    "one word silenced": (frames_changed(silenced), SOUND),
    "ten bytes flipped": (frames_changed(flipped(0.5)), SOUND),
    "one byte flipped": (frames_changed(flipped(0.3, 1)), SOUND),
    "header flipped": (
        frames_changed(lambda f: f[: 50 * SIZE] + b"x" + f[50 * SIZE + 1 :]), "damage",
    ),
    "noise": (frames_changed(noise), SOUND),
    "9 dB louder": (frames_changed(louder), SOUND),
    "encoded again": (frames_changed(encoded_again), SOUND),
    "all silent": (frames_changed(lambda f: CURRENCY.silence * (len(f) // SIZE)), SOUND),
    "another chapter": (copied(".mp3"), SOUND),
    "chapters swapped": (swapped, SOUND),
    "nothing left": (bytes_changed(lambda data: b""), "no sound"),
    "no audio": (bytes_changed(lambda data: b"music" * 500), "no sound"),
    "bytes appended": (bytes_changed(lambda data: data + b"more" * 99), "frame"),
    "frames appended": (bytes_changed(lambda data: data + CURRENCY.silence * 80), SOUND),
    "captions late": (
        captions_changed(lambda text: text.replace("00:00:0", "00:00:1")), TIMES,
    ),
    "captions of another chapter": (
        copied(".srt"), TIMES,
    ),
    "captions of the book late": (
        captions_changed(lambda text: text.replace("00:00:0", "00:00:1"), book=True), TIMES,
    ),
    "a caption lost": (captions_changed(lambda text: text.split("\n\n", 1)[1]), TIMES),
    "captions empty": (captions_changed(lambda text: ""), TIMES),
    "M4B: marks moved": (remuxed(later), "chapter mark .* was moved"),
    "M4B: marks lost": (remuxed(lambda chapters: []), "chapter marks"),
    "M4B: a mark lost": (remuxed(lambda chapters: chapters[:-1]), "chapter marks"),
    "M4B: encoded again": (other_sound, SOUND),
    "M4B: bytes flipped": (bytes_changed(flipped(0.7), ".m4b"), "sound is not|cannot be decoded"),
    "M4B: end cut": (
        bytes_changed(lambda data: data[: len(data) * 3 // 4], ".m4b"), "sound|cannot be decoded",
    ),
    "Opus: bytes flipped": (bytes_changed(flipped(0.6), ".opus"), "sound|decoded|opened|read"),
    "Opus: end cut": (bytes_changed(lambda data: data[: len(data) // 2], ".opus"), SOUND),
    "Opus: mark moved": (opus_tags(CHAPTER001="00:00:01.000"), "chapter mark .* was moved"),
    "MP3 book: mark moved": (book_mark_moved, "chapter mark .* was moved"),
    "MP3 book: word silenced": (frames_changed(silenced, "book"), SOUND),
    "MP3 book: stretches exchanged": (frames_changed(exchanged, "book"), SOUND),
    "MP3 book: bytes flipped": (frames_changed(flipped(0.8), "book"), SOUND),
}  # fmt: skip

EDITS: dict[str, tuple[Damage, str]] = {
    "title": (tagged(TIT2="My own title"), "tags changed since it was written: title"),
    "author": (tagged(TPE1="Somebody"), "tags changed.*artist"),
    "album and year": (tagged(TALB="Another", TDRC="1999"), "album.*year|year.*album"),
    "cover": (new_cover, "tags changed.*cover"),
    "no tags at all": (lambda made: ID3.ID3(made.one).delete(), "tags changed.*owner"),
    "captions: a word": (
        captions_changed(lambda text: text.replace("lamp", "lantern")), "its text was changed",
    ),
    "captions of the book: a word": (
        captions_changed(lambda text: text.replace("lamp", "lantern"), book=True),
        "its text was changed",
    ),
    "captions deleted": (lambda made: made.captions.unlink(), "is gone"),
    "M4B: mark renamed": (remuxed(renamed), "chapter mark renamed"),
    "Opus: title": (opus_tags(TITLE="Mine"), "tags changed.*title"),
    "Opus: mark renamed": (opus_tags(CHAPTER001NAME="Mine"), "chapter mark renamed"),
}  # fmt: skip

HARMLESS: dict[str, Damage] = {
    "nothing": lambda made: None,
    "tags saved again": lambda made: ID3.ID3(made.one).save(v2_version=3),
    "tags in the form of ID3 2.4": lambda made: ID3.ID3(made.one).save(v2_version=4),
    "a tag behind the sound": lambda made: ID3.ID3(made.one).save(v1=2, v2_version=3),
    "an APE tag": lambda made: import_module("mutagen.apev2").APEv2().save(made.one),
    "M4B saved again": lambda made: MP4.MP4(made.book(".m4b")).save(),
    "Opus saved again": lambda made: OGG.OggOpus(made.book(".opus")).save(),
    "the same marks again": remuxed(lambda chapters: chapters),
    "another time of change": lambda made: made.one.touch(),
}  # fmt: skip


def found(made: Files) -> tuple[list[str], list[str]]:
    """All problems and all notes about the files of a folder."""
    reports = [verify(path) for path in files([made.folder])]
    problems = [problem.what for report in reports for problem in report.problems]
    return problems, [note for report in reports for note in report.notes]


def fits(pattern: str, lines: list[str]) -> bool:
    return any(re.search(pattern, line) for line in lines)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(made: Files, name: str) -> None:
    damage, pattern = DAMAGES[name]
    damage(made)
    problems, _ = found(made)
    assert fits(pattern, problems), problems


@pytest.mark.parametrize("name", EDITS)
def test_what_a_person_edited_is_a_note(made: Files, name: str) -> None:
    edit, pattern = EDITS[name]
    edit(made)
    problems, notes = found(made)
    assert problems == []
    assert fits(pattern, notes), notes


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_different_is_no_alarm(made: Files, name: str) -> None:
    HARMLESS[name](made)
    assert found(made) == ([], [])


def test_files_are_known_by_any_path_to_them(made: Files) -> None:
    frames_changed(silenced)(made)
    made.book(".m4b").unlink()
    around = made.folder / "b" / ".."
    problems = [problem.what for path in files([around]) for problem in verify(path).problems]
    assert fits(SOUND, problems)
    assert fits("it is missing", problems)
    assert verify(made.folder / "b" / ".." / "b" / made.one.name).problems


def test_where_sound_was_changed_is_told(made: Files) -> None:
    frames_changed(silenced, "book")(made)
    (problem,) = verify(made.book(".mp3")).problems
    assert problem.at_ms == 0
    assert problem.place.startswith("book.txt:1")


def test_files_without_a_record_are_still_decoded_and_measured(made: Files) -> None:
    for record in made.folder.rglob("*tts-book.jsonl"):
        record.unlink()
    for path in files([made.folder]):
        report = verify(path)
        assert report.problems == ()
        assert report.measured is not None
        assert report.notes == ("no record beside it: compared with its own tags only",)


def test_words_are_read_back_from_every_format(made: Files) -> None:
    """What is compared is a book that is whole."""
    for suffix in (".m4b", ".opus", ".mp3"):
        heard = tones.read(tones.play(made.book(suffix)))
        assert [word.code for word in heard] == [c for text in TEXTS for c in tones.codes(text)]
