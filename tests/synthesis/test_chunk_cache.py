"""The cache: an entry is whole or it is not there."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book import audio
from tts_book.errors import UserError
from tts_book.model import Doubt, DoubtKind, Entry, Mark
from tts_book.synthesis.chunk_cache import ChunkCache, read_entry

KEY = "ab" * 32
DOUBTS = (Doubt(DoubtKind.UNSPOKEN, "Hope", 3, 7), Doubt(DoubtKind.TIMES, "estimated"))
MARKS = (Mark("word", 0, 200, 0, 5), Mark("sentence", 0, 900, 0, 17))


def put(folder: Path, ms: int = 960) -> Entry:
    frames = audio.silence(ms)
    about = {"voice": "reader", "spoken": "Слово за слово."}
    return ChunkCache(folder).put(
        KEY, frames, audio.analyse(frames), MARKS, about, doubts=DOUBTS, attempts=3
    )


def test_what_is_put_is_got(tmp_path: Path) -> None:
    entry = put(tmp_path)
    assert ChunkCache(tmp_path).get(KEY) == entry
    assert entry.marks == MARKS
    assert (entry.attempts, entry.doubts) == (3, DOUBTS)
    assert entry.path.read_bytes()[: entry.frames_bytes] == audio.silence(960)


def test_an_entry_is_a_file_that_decoders_play(tmp_path: Path) -> None:
    # The record behind the frames may cost a decoder the last one.
    frames = 0
    with av.open(str(put(tmp_path).path)) as file, contextlib.suppress(av.FFmpegError):
        for _ in file.decode(audio=0):
            frames += 1
    assert frames >= 39


@pytest.mark.parametrize("size", [0, 1, 23, 24, 100, -1, -24])
def test_a_cut_entry_is_absent(size: int, tmp_path: Path) -> None:
    path = put(tmp_path).path
    path.write_bytes(path.read_bytes()[:size])
    assert ChunkCache(tmp_path).get(KEY) is None


@settings(max_examples=60)
@given(st.data())
def test_an_entry_with_any_byte_changed_is_absent(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    path = put(folder, 48).path
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    assert ChunkCache(folder).get(KEY) is None


def test_absent_and_unreadable_entries_are_none(tmp_path: Path) -> None:
    cache = ChunkCache(tmp_path / "nowhere")
    assert cache.get(KEY) is None
    assert not cache.has(KEY)
    cache.path(KEY).mkdir(parents=True)
    assert cache.get(KEY) is None


def test_what_another_run_has_put_stays_unless_it_is_spoken_again(tmp_path: Path) -> None:
    first = put(tmp_path)
    frames = audio.silence(480)
    sound = audio.analyse(frames)
    assert ChunkCache(tmp_path).put(KEY, frames, sound, (), {}) == first
    found = read_entry(first.path, first.take)
    assert found is not None
    assert (found[0], bytes(found[1])) == (first, audio.silence(960))
    again = ChunkCache(tmp_path).put(KEY, frames, sound, (), {}, again=True)
    assert ChunkCache(tmp_path).get(KEY) == again != first
    assert read_entry(first.path, first.take) is None


def test_a_copy_of_another_entry_is_absent(tmp_path: Path) -> None:
    entry, other = put(tmp_path), "cd" * 32
    copy = ChunkCache(tmp_path).path(other)
    copy.parent.mkdir()
    copy.write_bytes(entry.path.read_bytes())
    assert ChunkCache(tmp_path).get(other) is None


def test_kill_leaves_whole_entries_only(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tts_book import audio
        from tts_book.synthesis.chunk_cache import ChunkCache
        cache, frames = ChunkCache(Path(sys.argv[1])), audio.silence(60_000)
        sound = audio.analyse(frames)
        for n in range(1_000_000):
            cache.put(f"{n:064x}", frames, sound, (), {"spoken": str(n)})
            print(n, flush=True)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(25):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        told = 25 + len(writer.stdout.read().split())
    cache = ChunkCache(tmp_path)
    found = sorted(path.stem for path in tmp_path.glob("*/*.mp3"))
    assert len(found) >= told
    assert all(cache.get(key) for key in found)


def test_the_sweep_takes_old_leftovers_only(tmp_path: Path) -> None:
    entry = put(tmp_path)
    old, new = entry.path.with_name(".old.part"), entry.path.with_name(".new.part")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1_000, 1_000))
    os.utime(new, (9_500, 9_500))
    ChunkCache(tmp_path).sweep(older_than_s=3_600, now_s=10_000)
    assert not old.exists()
    assert new.exists()
    assert ChunkCache(tmp_path).get(KEY) is not None


@pytest.mark.parametrize(("refusals", "told"), [(3, False), (99, True)])
def test_a_scanner_that_holds_an_entry_for_a_moment_is_waited_for(
    refusals: int, told: bool, tmp_path: Path
) -> None:
    waits: list[float] = []

    def replace(part: Path, target: Path) -> None:
        if len(waits) < refusals:
            raise PermissionError(13, "Permission denied")
        part.replace(target)

    cache = ChunkCache(tmp_path, replace, waits.append)
    frames = audio.silence(240)
    with pytest.raises(UserError, match="--cache") if told else contextlib.nullcontext():
        cache.put("a1", frames, audio.analyse(frames), (), {})
    assert (cache.get("a1") is None) == told
    assert not list(tmp_path.rglob("*.part"))
