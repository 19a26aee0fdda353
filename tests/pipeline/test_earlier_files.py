"""Files that stand as they should are left alone; all others are joined again, and it is said."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from tests.cli.test_commands import SILENT, TWO, Desk
from tests.fakes import ScriptedBackend, Time, in_time
from tests.output.test_loudness import RATE_HZ, hum
from tests.pipeline.test_run import CHAPTERS, prepared
from tts_book import audio, events
from tts_book.audio import file_tags
from tts_book.events import describe_event
from tts_book.model import Pauses, Speech
from tts_book.output.manifest import NAME, read_lines
from tts_book.output.settings import OutputSettings
from tts_book.pipeline.jobs import BookJob
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import convert_jobs
from tts_book.pipeline.selection import Selection
from tts_book.synthesis.chunk_cache import ChunkCache

PAUSES, FINISH = Pauses(), OutputSettings()
LOUDER = (*CHAPTERS[:2], "The third loud chapter. It has a loud ship.")
EDITED = (CHAPTERS[0], "The second chapter. It has a mended word.", CHAPTERS[2])


def speak(text: str, attempt: int) -> Speech:
    return hummed(0.5 if "loud" in text else 0.1, 1.0 + len(text) / 50)


@cache
def hummed(level: float, seconds: float) -> Speech:
    return Speech(audio.encode(hum(level, seconds).tobytes(), RATE_HZ), "mp3")


@dataclass
class Shop:
    """A folder in which a book is converted again and again."""

    folder: Path
    told: tuple[events.Event, ...] = ()

    def item(self, *texts: str) -> BookJob:
        return prepared(self.folder, ScriptedBackend(speak), *(texts or CHAPTERS))

    def convert(
        self, item: BookJob, pauses: Pauses = PAUSES, finish: OutputSettings = FINISH
    ) -> set[int]:
        """The numbers of the chapters that were joined."""
        told: list[events.Event] = []
        prepare_output([item], force=False)

        async def work(time: Time) -> None:
            cache = ChunkCache(self.folder / "cache")
            await convert_jobs([item], pauses, cache, told.append, time.tools(), finish)

        in_time(work)
        self.told = tuple(told)
        done = (event for event in told if isinstance(event, events.ChapterDone))
        return {event.chapter for event in done if not event.kept}

    def bytes(self) -> dict[str, str]:
        """A digest of each chapter's file."""
        files = sorted((self.folder / "book").glob("*.mp3"))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def told_of(self, kind: type[events.Event]) -> list[events.Event]:
        return [event for event in self.told if isinstance(event, kind)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    assert made.convert(made.item()) == {1, 2, 3}
    return made


def test_a_book_that_is_as_it_was_is_left_alone(shop: Shop) -> None:
    before = {path: path.stat().st_mtime_ns for path in shop.item().layout.targets}
    assert shop.convert(shop.item()) == set()
    assert all(path.stat().st_mtime_ns == before[path] for path in before)
    done = shop.told[-1]
    assert isinstance(done, events.JobDone)
    assert (done.chapters_done, done.chapters_kept, done.requests) == (3, 3, 0)


def test_each_chunk_and_chapter_is_reported_once_also_of_files_that_stand(shop: Shop) -> None:
    shop.convert(shop.item(*EDITED))
    assert isinstance(shop.told[0], events.JobStarted)
    assert isinstance(shop.told[-1], events.JobDone)
    chunks = [(e.chapter, e.chunk) for e in shop.told if isinstance(e, events.ChunkDone)]
    assert sorted(chunks) == [(c, n) for c in (1, 2, 3) for n in (1, 2)]
    assert len(shop.told_of(events.ChapterDone)) == 3


def test_an_edit_joins_its_chapter_and_the_run_says_so_first(shop: Shop) -> None:
    assert shop.convert(shop.item(*EDITED)) == {2}
    assert describe_event(shop.told[0]) == (
        "1 of 6 chunks is new (21 characters); 1 of 3 chapters is joined"
    )


def test_an_edit_gives_the_files_of_a_run_from_nothing(tmp_path: Path) -> None:
    edited, fresh = Shop(tmp_path / "edited"), Shop(tmp_path / "fresh")
    edited.convert(edited.item())
    edited.convert(edited.item(*EDITED))
    fresh.convert(fresh.item(*EDITED))
    assert edited.bytes() == fresh.bytes()


def damaged(path: Path) -> None:
    path.write_bytes(b"damaged")


def of_another_time(path: Path) -> None:
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("spoil", [Path.unlink, damaged, of_another_time])
def test_a_file_that_is_not_as_it_was_left_is_joined(
    shop: Shop, spoil: Callable[[Path], None]
) -> None:
    before = shop.bytes()
    target = shop.item().layout.targets[2]
    if spoil is damaged:  # what is not ours is refused elsewhere
        target.write_bytes(target.read_bytes()[:-400])
    else:
        spoil(target)
    assert shop.convert(shop.item()) == {3}
    assert shop.bytes() == before


@pytest.mark.parametrize("spoil", [Path.unlink, damaged])
def test_without_its_sound_in_the_cache_a_chapter_is_spoken_and_joined(
    shop: Shop, spoil: Callable[[Path], None]
) -> None:
    spoil(ChunkCache(shop.folder / "cache").path(shop.item().keys[0]))
    item = shop.item()
    assert shop.convert(item) == {1}
    assert isinstance(item.cast.backend, ScriptedBackend)
    assert list(item.cast.backend.asked) == ["The first chapter."]


@pytest.mark.parametrize("harm", ["", "{", '{"made": {"file": "001 - Chapter 1.mp3"}}', "[1]\n"])
def test_without_a_record_that_can_be_read_all_is_joined(shop: Shop, harm: str) -> None:
    before = shop.bytes()
    (shop.folder / "book" / NAME).write_text(harm, "utf-8")
    assert shop.convert(shop.item()) == {1, 2, 3}
    assert shop.bytes() == before


def test_another_take_of_the_same_words_joins_their_chapter(shop: Shop) -> None:
    item = shop.item()
    again = replace(item, redo=frozenset({item.keys[2]}))
    assert shop.convert(again) == {2}
    # The entry says now what it did not say when the third chapter was joined.
    other = ChunkCache(shop.folder / "cache")
    entry = other.get(item.keys[5])
    assert entry is not None
    frames = audio.encode(hum(0.1, 2.5).tobytes(), RATE_HZ)
    other.put(item.keys[5], frames, audio.analyse(frames), (), {}, again=True)
    assert shop.convert(shop.item()) == {3}


@pytest.mark.parametrize(
    ("pauses", "finish"),
    [(Pauses(chapter_ms=3_000), FINISH), (PAUSES, OutputSettings(captions=("srt",)))],
)
def test_other_wishes_join_all_once(shop: Shop, pauses: Pauses, finish: OutputSettings) -> None:
    assert shop.convert(shop.item(), pauses, finish) == {1, 2, 3}
    assert shop.convert(shop.item(), pauses, finish) == set()


def test_a_run_without_captions_joins_nothing_and_a_later_one_makes_them(
    shop: Shop,
) -> None:
    finish = OutputSettings(captions=("srt",))
    assert shop.convert(shop.item(), finish=finish) == {1, 2, 3}
    assert shop.convert(shop.item()) == set()
    assert shop.convert(shop.item(*EDITED)) == {2}
    assert shop.convert(shop.item(*EDITED), finish=finish) == {1, 2, 3}
    assert "mended" in shop.item().layout.targets[1].with_suffix(".srt").read_text("utf-8")


def test_captions_that_are_gone_are_written_again(shop: Shop) -> None:
    finish = OutputSettings(captions=("srt",))
    shop.convert(shop.item(), finish=finish)
    captions = shop.item().layout.targets[1].with_suffix(".srt")
    captions.unlink()
    assert shop.convert(shop.item(), finish=finish) == {2}
    assert captions.exists()


def test_all_is_joined_where_that_is_wished(shop: Shop) -> None:
    assert shop.convert(shop.item(), finish=OutputSettings(force=True)) == {1, 2, 3}


def test_files_that_stand_are_written_again_where_the_gain_of_the_book_changes(
    shop: Shop,
) -> None:
    fresh = Shop(shop.folder / "fresh")
    assert shop.convert(shop.item(*LOUDER)) == {3}
    (settled,) = shop.told_of(events.GainSettled)
    assert settled == events.GainSettled(2)
    done = shop.told[-1]
    assert isinstance(done, events.JobDone)
    assert done.chapters_kept == 0
    fresh.convert(fresh.item(*LOUDER))
    assert shop.bytes() == fresh.bytes()
    assert shop.convert(shop.item(*LOUDER)) == set()


def test_the_record_of_a_file_that_stands_has_the_places_of_today(tmp_path: Path) -> None:
    def starts() -> list[int]:
        chapters = read_lines(tmp_path / "story" / NAME, "chapter")
        return [chapter["chunks"][0]["places"][0][1] for chapter in chapters]

    at = Desk(tmp_path)
    at.convert(at.write("story.txt", TWO))
    before = starts()
    at.convert(at.write("story.txt", "\n\n\n" + TWO))
    assert "0 of 2 chapters are joined" in at.err.getvalue()
    assert starts() == [line + 3 for line in before]


FIVE = tuple(f"This is the tale of ship {n}. It came home on day {n}." for n in range(1, 6))
NEW = "This is a tale that was left out. It has a mast."


@pytest.mark.parametrize(
    ("now", "joined"),
    [
        ((NEW, *FIVE), 1),
        ((*FIVE[:2], NEW, *FIVE[2:]), 1),
        ((*FIVE, NEW), 1),
        (FIVE[1:], 0),
        ((FIVE[0], *FIVE[3:]), 0),
        ((NEW, *FIVE[:2], *FIVE[3:]), 1),
        ((FIVE[1], FIVE[0], *FIVE[2:]), 0),
        ((FIVE[4], *FIVE[:4]), 0),
        ((FIVE[0], *FIVE), 0),
    ],
)
def test_chapters_that_only_get_another_number_keep_their_sound(
    tmp_path: Path, now: tuple[str, ...], joined: int
) -> None:
    shop, fresh = Shop(tmp_path / "shop"), Shop(tmp_path / "fresh")
    shop.convert(shop.item(*FIVE))
    shop.convert(shop.item(*now))
    started = shop.told[0]
    assert isinstance(started, events.JobStarted)
    assert started.joined == joined
    fresh.convert(fresh.item(*now))
    assert shop.bytes() == fresh.bytes()
    heard = {
        c["number"]: c["chunks"][0]["text"]
        for c in read_lines(shop.folder / "book" / NAME, "chapter")
    }
    assert heard == {n: text[: text.index(".") + 1] for n, text in enumerate(now, 1)}
    assert shop.convert(shop.item(*now)) == set()


def named(item: BookJob, *names: str) -> BookJob:
    """The same with other names of its files, as other headings would give them."""
    targets = tuple(item.layout.folder / name for name in names)
    return replace(item, layout=replace(item.layout, targets=targets))


def test_a_file_follows_its_chapter_and_leaves_no_double_behind(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.convert(named(shop.item(*FIVE[:2]), "001 - One.mp3", "002 - Two.mp3"))
    shop.convert(
        named(shop.item(NEW, *FIVE[:2]), "001 - New.mp3", "002 - One.mp3", "003 - Two.mp3")
    )
    assert "; 1 of 3 chapters is joined, 2 relabelled" in str(describe_event(shop.told[0]))
    assert sorted(shop.bytes()) == ["001 - New.mp3", "002 - One.mp3", "003 - Two.mp3"]


def test_a_file_that_somebody_changed_is_left_and_reported(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.convert(named(shop.item(*FIVE[:2]), "001 - One.mp3", "002 - Two.mp3"))
    os.utime(tmp_path / "book" / "001 - One.mp3", ns=(0, 0))
    shop.convert(named(shop.item(*FIVE[:2]), "001 - First.mp3", "002 - Second.mp3"))
    assert sorted(shop.bytes()) == ["001 - First.mp3", "001 - One.mp3", "002 - Second.mp3"]
    started = shop.told[0]
    assert isinstance(started, events.JobStarted)
    assert (started.joined, started.relabelled) == (1, 1)


def test_other_tags_need_no_joining(shop: Shop) -> None:
    def dated(item: BookJob) -> BookJob:
        return replace(
            item, request=replace(item.request, book=replace(item.request.book, year="1901"))
        )

    shop.convert(dated(shop.item()))
    assert "; 0 of 3 chapters are joined, 3 relabelled" in str(describe_event(shop.told[0]))
    assert file_tags.read_tags(shop.item().layout.targets[0]).year == "1901"
    before = shop.bytes()
    shop.convert(dated(shop.item()), finish=OutputSettings(force=True))
    assert shop.bytes() == before


def spoil_the_sound(shop: Shop, key: str) -> None:
    """Damages an entry where only its checksum tells."""
    path = ChunkCache(shop.folder / "cache").path(key)
    data = bytearray(path.read_bytes())
    data[100] ^= 255
    path.write_bytes(data)


def chunks_told(shop: Shop) -> list[tuple[int, int]]:
    found = (e for e in shop.told if isinstance(e, events.ChunkDone | events.ChunkFailed))
    return sorted((each.chapter, each.chunk) for each in found)


def test_a_chapter_that_cannot_get_its_other_number_is_spoken_and_joined(tmp_path: Path) -> None:
    shop, swapped = Shop(tmp_path / "shop"), (FIVE[1], FIVE[0])
    shop.convert(shop.item(*FIVE[:2]))
    for key in shop.item(*FIVE[:2]).keys:
        spoil_the_sound(shop, key)
    # One of the two goes to the other's place, and its own file is gone by then.
    assert len(shop.convert(shop.item(*swapped))) == 2
    assert chunks_told(shop) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    fresh = Shop(tmp_path / "fresh")
    fresh.convert(fresh.item(*swapped))
    assert shop.bytes() == fresh.bytes()


def test_damage_that_only_another_gain_shows_is_repaired_by_the_next_run(shop: Shop) -> None:
    fresh = Shop(shop.folder / "fresh")
    fresh.convert(fresh.item(*LOUDER))
    spoil_the_sound(shop, shop.item().keys[0])
    shop.convert(shop.item(*LOUDER))
    (lost,) = shop.told_of(events.ChapterLost)
    assert isinstance(lost, events.ChapterLost)
    assert (lost.chapter, "chunk 1 has vanished" in lost.reason) == (1, True)
    done = shop.told[-1]
    assert isinstance(done, events.JobDone)
    assert (done.chapters_done, done.chapters_lost) == (2, 1)
    item = shop.item(*LOUDER)
    shop.convert(item)
    assert isinstance(item.cast.backend, ScriptedBackend)
    assert list(item.cast.backend.asked) == ["The first chapter."]
    assert shop.bytes() == fresh.bytes()


def test_damage_in_another_chapter_does_not_keep_a_part_from_being_done(shop: Shop) -> None:
    item = shop.item()
    item.layout.targets[0].unlink()
    spoil_the_sound(shop, item.keys[0])
    part = replace(shop.item(*EDITED), only=Selection(frozenset({2})))
    assert shop.convert(part) == {2}
    assert not shop.told_of(events.ChapterLost)


def test_a_part_takes_down_where_the_other_chapters_stand_now(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    at.convert(at.write("story.txt", TWO))
    source = at.write("story.txt", "\n\n\n" + TWO)
    at.convert(source, request=replace(SILENT, only="1"))
    lines = [
        c["chunks"][0]["places"][0][1] for c in read_lines(tmp_path / "story" / NAME, "chapter")
    ]
    assert sorted(lines) == [4, 8]


def test_a_file_of_another_book_in_the_same_folder_is_not_taken_away(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.convert(named(shop.item(*FIVE[:2]), "001 - One.mp3", "002 - Two.mp3"))
    other = named(shop.item(NEW, *FIVE[:2]), "001 - New.mp3", "002 - A.mp3", "003 - B.mp3")
    shop.convert(replace(other, layout=replace(other.layout, owner="other.txt")))
    assert len(shop.bytes()) == 5


def test_what_is_said_by_other_letters_is_joined_again(shop: Shop) -> None:
    """Pauses within a chunk are found by what its marks mean in the text."""
    item = shop.item()
    first = replace(item.plan.chunks[0], alignment=((4, 3),))
    plan = replace(item.plan, chunks=(first, *item.plan.chunks[1:]))
    assert shop.convert(replace(item, plan=plan)) == {1}
