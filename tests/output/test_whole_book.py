"""Whole-book files: every word once, in order, at its time; chapters, tags and cover as asked."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from tests import tones
from tests.cli.test_commands import ONE, SILENT, TWO, Desk
from tts_book import audio
from tts_book.audio import containers, decoder, file_tags
from tts_book.audio.file_tags import Level, Tags, owner_of, read_tags, tag_opus
from tts_book.audio.limiter import true_peaks
from tts_book.errors import AudioError, UserError
from tts_book.model import ChapterMark, Cover
from tts_book.output import whole_book
from tts_book.output.settings import parse_formats
from tts_book.output.whole_book import BoundChapter, EncodedChapters
from tts_book.synthesis import atomic

FRAME_MS = 24
KINDS = {"m4b": ".m4b", "opus": ".opus", "mp3book": ".mp3"}
TEXTS = ("It began on a quiet morning.", "Дождь всё же пошёл, и надолго.", "The last words.")
PICTURE = Cover(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40, "image/jpeg")
ABOUT = Tags(
    "Книга о море",
    album="Книга о море",
    artist="А. Писатель",
    narrator="Дмитрий",
    language="ru",
    year="1869",
    cover=PICTURE,
    owner="../море.txt",
    series="Моря",
    series_part="2",
    description="О море и о дожде.",
)


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def chapter(folder: Path, number: int, frames: bytes) -> BoundChapter:
    """A finished chapter as the stitcher leaves it."""
    path = folder / f"{number:03} глава.mp3"
    form, count = audio.format_at(frames), len(frames) // 144
    path.write_bytes(file_tags.render_id3(Tags("x"), 1) + audio.info_frame(form, count) + frames)
    return BoundChapter(f"Глава {number}", path, count, count * 24)


def spoken(folder: Path, texts: tuple[str, ...] = TEXTS) -> list[BoundChapter]:
    said = (tones.speech(text)[0] for text in texts)
    return [chapter(folder, number, frames) for number, frames in enumerate(said, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_word_is_heard_once_at_its_time(tmp_path: Path, kind: str) -> None:
    done = whole_book.write_volume(
        kind, spoken(tmp_path), tmp_path / f"книга{KINDS[kind]}", ABOUT, cores=2
    )
    heard = tones.read(np.concatenate(list(decoder.decode_any(done.path))))
    assert [word.code for word in heard] == [c for text in TEXTS for c in tones.codes(text)]
    wanted_ms = [
        mark.start_ms + word.start_ms
        for mark, text in zip(done.chapters, TEXTS, strict=True)
        for word in tones.speech(text)[1]
    ]
    for word, ms in zip(heard, wanted_ms, strict=True):
        assert abs(word.start_ms - ms) <= FRAME_MS
    found = containers.probe(done.path)
    assert [c.title for c in found.chapters] == ["Глава 1", "Глава 2", "Глава 3"]
    for told, kept in zip(found.chapters, done.chapters, strict=True):
        assert abs(told.start_ms - kept.start_ms) <= 1
    assert abs(found.duration_ms - done.duration_ms) <= 60
    assert not atomic.find_leftovers(tmp_path)


def test_all_formats_run_alike_within_a_frame(tmp_path: Path) -> None:
    """So that one file of captions fits them all, however many chapters there are."""
    few = [chapter(tmp_path, n, tones.speech(f"Word {n}. And on.")[0]) for n in range(1, 4)]
    many = [replace(few[n % 3], title=str(n)) for n in range(60)]
    files = {
        kind: whole_book.write_volume(kind, many, tmp_path / f"a{suffix}", ABOUT, cores=2)
        for kind, suffix in KINDS.items()
    }
    assert len({file.chapters for file in files.values()}) == 1
    heard = {kind: tones.read(tones.play(file.path)) for kind, file in files.items()}
    for kind in ("m4b", "opus"):
        for word, same in zip(heard[kind], heard["mp3book"], strict=True):
            assert word.code == same.code
            assert abs(word.start_ms - same.start_ms) <= FRAME_MS


def test_a_book_in_mp4_says_that_it_is_an_audiobook(tmp_path: Path) -> None:
    done = whole_book.write_volume("m4b", spoken(tmp_path), tmp_path / "a.m4b", ABOUT)
    assert done.path.read_bytes()[4:12] == b"ftypM4B "


@pytest.mark.parametrize("kind", ["m4b", "opus"])
def test_no_true_peak_is_above_one_decibel_below_full_scale(tmp_path: Path, kind: str) -> None:
    """However loud it is made: what is heard is limited, not clipped."""
    pcm = tones.pcm("words", tones.speech(TEXTS[0])[1], 4_000, level=0.99)
    sound = np.tile(pcm, 2).astype("<i2").tobytes()
    loud = replace(chapter(tmp_path, 1, audio.encode(sound, 24_000)), gain_db=9.0)
    done = whole_book.write_volume(kind, [loud], tmp_path / f"a{KINDS[kind]}", ABOUT)
    with av.open(str(done.path)) as file:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert true_peaks(heard.astype(np.float64), 0.5).max() <= 10 ** (-1 / 20)


@pytest.mark.parametrize("kind", ["m4b", "opus"])
def test_tags_come_back(tmp_path: Path, kind: str) -> None:
    level = Level(-19.5, -3.0)
    done = whole_book.write_volume(
        kind, spoken(tmp_path), tmp_path / f"a{KINDS[kind]}", ABOUT, level=level
    )
    assert read_tags(done.path) == ABOUT
    assert owner_of(done.path) == "../море.txt"


@pytest.mark.parametrize("count", [1, 30])
def test_any_number_of_chapters(tmp_path: Path, count: int) -> None:
    few = chapter(tmp_path, 1, tones.speech("A word.", lead_ms=50, tail_ms=60)[0])
    names = [f"Глава {number}{' и ещё' * (number % 3)}" for number in range(1, count + 1)]
    chapters = [replace(few, title=name) for name in names]
    for kind, suffix in KINDS.items():
        done = whole_book.write_volume(
            kind, chapters, tmp_path / f"{count}{suffix}", ABOUT, cores=2
        )
        found = containers.probe(done.path).chapters
        wanted = [each.title for each in chapters] if count > 1 else []
        assert [mark.title for mark in found] == wanted


def test_more_chapters_than_a_table_counts_to(tmp_path: Path) -> None:
    """One is encoded and bound again and again; an MP3 is joined of as many."""
    few = chapter(tmp_path, 1, tones.speech("A word.", lead_ms=50, tail_ms=60)[0])
    names = [f"Глава {number}" for number in range(1, 261)]
    marks = [ChapterMark(name, 200 * at, 200 * at + 200) for at, name in enumerate(names)]
    paths = {kind: tmp_path / f"a{suffix}" for kind, suffix in KINDS.items()}
    for kind, codec in (("m4b", containers.AAC), ("opus", containers.OPUS)):
        containers.encode_file(few.path, tmp_path / kind, codec)
        containers.bind([(tmp_path / kind, 9)] * len(names), paths[kind], codec, marks)
    tag_opus(paths["opus"], ABOUT, marks, None)
    whole_book.write_volume(
        "mp3book", [replace(few, title=name) for name in names], paths["mp3book"], ABOUT
    )
    for path in paths.values():
        assert [mark.title for mark in containers.probe(path).chapters] == names


@pytest.mark.parametrize("kind", ["m4b", "opus"])
def test_gain_is_exact_where_sound_is_encoded_anyway(tmp_path: Path, kind: str) -> None:
    plain = spoken(tmp_path)
    softer = [replace(each, gain_db=-4.4) for each in plain]
    power = []
    for name, chapters in (("a", plain), ("b", softer)):
        done = whole_book.write_volume(kind, chapters, tmp_path / f"{name}{KINDS[kind]}", ABOUT)
        sound = np.concatenate(list(decoder.decode_any(done.path))).astype(np.float64)
        power.append(10 * np.log10(np.mean(sound**2)))
    assert power[0] - power[1] == pytest.approx(4.4, abs=0.2)


@pytest.mark.parametrize("name", ["m4b", "opus"])
def test_how_far_a_file_is_made_is_told(at: Desk, name: str) -> None:
    request = replace(SILENT, format=name, json=True)
    assert at.convert(at.write("книга.txt", TWO), request=request) == 0
    told = [json.loads(line) for line in at.out.getvalue().splitlines()]
    kinds = [event["event"] for event in told]
    grown = [event for event in told if event["event"] == "BookProgressed"]
    assert kinds[-2 - len(grown) :] == ["BookProgressed"] * len(grown) + ["BookDone", "JobDone"]
    done = [event["done_ms"] for event in grown]
    assert done == sorted(set(done))
    assert (done[0], done[-1]) == (0, grown[-1]["all_ms"])
    assert 4 < len(done) <= 101


def test_a_very_long_book_is_parted() -> None:
    hour = BoundChapter("x", Path("x.mp3"), 150_000, 3_600_000)
    target = Path("книга.m4b")
    made = whole_book.split_volumes("m4b", [hour] * 60, target)
    assert [(path.name, len(group)) for path, group in made] == [
        ("книга, part 1.m4b", 24),
        ("книга, part 2.m4b", 24),
        ("книга, part 3.m4b", 12),
    ]
    assert whole_book.split_volumes("m4b", [hour] * 24, target) == [(target, [hour] * 24)]
    assert len(whole_book.split_volumes("mp3book", [hour] * 60, target)) == 1


def test_a_chapter_that_is_damaged_leaves_no_file(tmp_path: Path) -> None:
    chapters = spoken(tmp_path)
    chapters[1].path.write_bytes(b"music")
    for kind, suffix in KINDS.items():
        with pytest.raises(AudioError):
            whole_book.write_volume(kind, chapters, tmp_path / f"book{suffix}", ABOUT)
        assert not (tmp_path / f"book{suffix}").exists()
    assert not atomic.find_leftovers(tmp_path)


def test_a_file_that_is_not_what_it_should_be_gets_no_name(tmp_path: Path) -> None:
    chapters = [replace(each, frames=each.frames - 10) for each in spoken(tmp_path)]
    path = tmp_path / "m.mp3"
    whole_book.write_volume("mp3book", chapters, path, ABOUT)
    with pytest.raises(AudioError, match="ms instead of"):
        whole_book._check_file(path, [ChapterMark("x", 0, 99_000)], ABOUT)
    with pytest.raises(AudioError, match="chapter marks"):
        end_ms = containers.probe(path).duration_ms
        whole_book._check_file(
            path, [ChapterMark("x", 0, end_ms), ChapterMark("y", 9, end_ms)], ABOUT
        )


@pytest.mark.parametrize(
    ("text", "out", "wanted"),
    [
        ("", None, ("mp3",)),
        ("", "book.m4b", ("m4b",)),
        ("", "book.opus", ("opus",)),
        ("", "book.mp3", ("mp3",)),
        ("mp3,m4b", None, ("mp3", "m4b")),
        (" M4B , m4b,", None, ("m4b",)),
        ("page", None, ("mp3",)),
        ("epub", "book.m4b", ("m4b",)),
        ("m4b,page", None, ("m4b",)),
    ],
)
def test_formats(text: str, out: str | None, wanted: tuple[str, ...]) -> None:
    companions = tuple(name for name in text.split(",") if name in ("page", "epub"))
    assert parse_formats(text, Path(out) if out else None) == (wanted, companions)


# The command --------------------------------------------------------------------------------------


def test_several_formats_at_once(at: Desk) -> None:
    request = replace(SILENT, format="mp3,m4b,opus,mp3book", output=at.folder / "out")
    assert at.convert(at.write("книга.txt", TWO), request=request) == 0
    names = [path.relative_to(at.folder / "out").as_posix() for path in at.written()]
    chapters = ["книга/001 - Глава 1.mp3", "книга/002 - Глава 2.mp3"]
    assert names == [*chapters, "книга.m4b", "книга.opus", "книга.mp3"]
    assert all(path.exists() for path in at.written())


def test_the_name_of_the_output_decides(at: Desk) -> None:
    out = at.folder / "my.m4b"
    assert at.convert(at.write("книга.txt", TWO), request=replace(SILENT, output=out)) == 0
    assert at.written() == [out]
    assert [c.title for c in containers.probe(out).chapters] == ["Глава 1", "Глава 2"]
    left = sorted(path.name for path in at.folder.iterdir() if path.is_file())
    assert left == ["my.m4b", "my.tts-book.jsonl", "книга.txt"]


def test_one_chapter_needs_no_marks(at: Desk) -> None:
    request = replace(SILENT, format="mp3book,m4b")
    assert at.convert(at.write("a.txt", ONE), request=request) == 0
    assert [path.name for path in at.written()] == ["a.mp3", "a.m4b"]
    assert containers.probe(at.folder / "a.m4b").chapters == ()


def test_another_program_s_book_is_kept(at: Desk) -> None:
    at.write("книга.m4b", b"music")
    with pytest.raises(UserError, match="--force"):
        at.convert(at.write("книга.txt", TWO), request=replace(SILENT, format="m4b"))
    assert (at.folder / "книга.m4b").read_bytes() == b"music"


def test_several_formats_do_not_fit_one_file(at: Desk) -> None:
    request = replace(SILENT, format="m4b,opus", output=at.folder / "a.m4b")
    with pytest.raises(UserError, match="-o"):
        at.convert(at.write("книга.txt", TWO), request=request)


def test_an_unknown_format_is_told(at: Desk) -> None:
    with pytest.raises(UserError, match="mp3, m4b, opus, mp3book"):
        at.convert(at.write("книга.txt", TWO), request=replace(SILENT, format="wma"))


def test_a_second_run_binds_the_same(at: Desk) -> None:
    source, request = at.write("книга.txt", TWO), replace(SILENT, format="m4b,mp3book")
    at.convert(source, request=request)
    before = [path.read_bytes() for path in at.written()]
    at.convert(source, request=replace(request, force=True))
    assert [path.read_bytes() for path in at.written()] == before


def test_a_part_spoken_again_is_bound_with_the_rest(at: Desk) -> None:
    source, request = at.write("книга.txt", TWO), replace(SILENT, format="m4b,mp3")
    at.convert(source, request=request)
    before = at.written()[-1].read_bytes()
    assert at.convert(source, request=replace(request, redo="2")) == 0
    assert [path.name for path in at.written()] == ["002 - Глава 2.mp3", "книга.m4b"]
    assert at.written()[-1].read_bytes() == before


def test_a_book_that_is_not_all_spoken_is_not_bound(at: Desk) -> None:
    source, request = at.write("книга.txt", TWO), replace(SILENT, format="m4b", only="1")
    assert at.convert(source, request=request) == 1
    assert "its chapters 2 are not there" in at.err.getvalue()
    assert not (at.folder / "книга.m4b").exists()


@pytest.mark.external
@pytest.mark.parametrize("kind", KINDS)
def test_ffprobe_finds_chapters_tags_and_cover(tmp_path: Path, kind: str) -> None:
    source = chapter(tmp_path, 1, tones.speech("A word.")[0])
    png = tmp_path / "c.png"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1"]
    subprocess.run([*command, str(png)], check=True)
    about = replace(ABOUT, cover=Cover(png.read_bytes(), "image/png"))
    chapters = [replace(source, title=f"Глава {n}") for n in range(1, 31)]
    done = whole_book.write_volume(kind, chapters, tmp_path / f"b{KINDS[kind]}", about, cores=2)
    wanted = ["-show_chapters", "-show_format", "-show_streams", "-of", "json", str(done.path)]
    shown = subprocess.run(
        ["ffprobe", "-v", "error", *wanted], capture_output=True, check=True, encoding="utf-8"
    )
    found = json.loads(shown.stdout)
    streams = [stream.get("tags", {}) for stream in found["streams"]]
    told = {
        k.lower(): v
        for each in (*streams, found["format"].get("tags", {}))
        for k, v in each.items()
    }
    assert [c["tags"]["title"] for c in found["chapters"]] == [f"Глава {n}" for n in range(1, 31)]
    assert (told["title"], told["artist"], told["composer"]) == (
        "Книга о море",
        "А. Писатель",
        "Дмитрий",
    )
    assert (told["series"], told["series-part"]) == ("Моря", "2")
    assert "video" in {stream["codec_type"] for stream in found["streams"]}
    assert not shown.stderr
    played = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(done.path), "-map", "0:a", "-f", "null", "-"],
        capture_output=True,
        check=True,
    )
    assert not played.stderr


def packets(path: Path) -> list[bytes]:
    """The encoded sound of a file: an Ogg file has a random number, too."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0)]


@pytest.mark.parametrize("kind", ["m4b", "opus"])
def test_a_changed_chapter_is_the_only_one_that_is_encoded_again(tmp_path: Path, kind: str) -> None:
    kept = EncodedChapters(tmp_path / "encoded")
    target, chapters = tmp_path / f"книга{KINDS[kind]}", spoken(tmp_path)
    plain = whole_book.write_volume(kind, chapters, tmp_path / f"plain{KINDS[kind]}", ABOUT)
    whole_book.write_volume(kind, chapters, target, ABOUT, encoded=kept)
    before = {path.name for path in (tmp_path / "encoded").iterdir()}
    assert len(before) == len(chapters)
    assert packets(target) == packets(plain.path)
    whole_book.write_volume(kind, chapters, target, ABOUT, encoded=kept)
    assert {path.name for path in (tmp_path / "encoded").iterdir()} == before
    assert packets(target) == packets(plain.path)
    chapters[1] = chapter(tmp_path, 2, tones.speech("another text of words")[0])
    told: list[int] = []
    whole_book.write_volume(
        kind, chapters, target, ABOUT, encoded=kept, progress=lambda done, of: told.append(done)
    )
    assert len({path.name for path in (tmp_path / "encoded").iterdir()} - before) == 1
    fresh = whole_book.write_volume(kind, chapters, tmp_path / f"fresh{KINDS[kind]}", ABOUT)
    assert packets(target) == packets(fresh.path)
    assert told[-1] == sum(each.duration_ms for each in chapters)


def test_a_damaged_encoded_chapter_is_encoded_again(tmp_path: Path) -> None:
    kept = EncodedChapters(tmp_path / "encoded")
    target, chapters = tmp_path / "книга.m4b", spoken(tmp_path)
    whole_book.write_volume("m4b", chapters, target, ABOUT, encoded=kept)
    before = target.read_bytes()
    for path in (tmp_path / "encoded").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    whole_book.write_volume("m4b", chapters, target, ABOUT, encoded=kept)
    assert target.read_bytes() == before


def test_encoded_chapters_that_are_unused_the_longest_go_first(tmp_path: Path) -> None:
    kept = EncodedChapters(tmp_path / "encoded", most_bytes=25)
    for number in range(4):
        (tmp_path / "raw").write_bytes(bytes([number]) * 10)
        kept.keep(f"key{number}", tmp_path / "raw")
        (tmp_path / "raw").unlink()
    for number, path in enumerate(sorted((tmp_path / "encoded").iterdir())):
        os.utime(path, (number, number))
    assert kept.take("key0", tmp_path / "taken")
    kept.trim()
    assert {path.name[:4] for path in (tmp_path / "encoded").iterdir()} == {"key0", "key3"}
