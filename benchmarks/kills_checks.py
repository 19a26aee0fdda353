"""What must be true of a book's files after a kill, and after the last run.

After a kill: under a final name stands nothing that an undisturbed run would not have put there.
Captions and whole-book files have the undisturbed run's bytes; a chapter has them but for its
gain, which is known only when all chapters are (and for the tag that tells the gain). Every other
file has the name of an unfinished one. Every entry of the cache is whole, and one of the book's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tts_book import audio
from tts_book.audio import file_tags
from tts_book.output.manifest import NAME, read_manifest
from tts_book.synthesis import atomic
from tts_book.synthesis.chunk_cache import ChunkCache

MOST_STEPS = 20
_ID3_HEADER_BYTES = 10


def told(path: Path) -> dict[str, object]:
    """What the record of a run says of its chapters, by file."""
    return {str(chapter["file"]): chapter for chapter in read_manifest(path)["chapter"]}


def stored(cache: ChunkCache, keys: dict[str, str]) -> tuple[set[str], list[str]]:
    """The texts whose entries are whole, and what is wrong with the cache. `keys` are the book's
    texts by key."""
    wrong = []
    there = set()
    for path in cache.folder.glob("??/*.mp3"):
        entry = cache.get(path.stem)
        if path.stem not in keys:
            wrong.append(f"the cache holds {path.stem}, which the book does not need")
        elif entry is None:
            wrong.append(f"the entry {path.stem} is damaged")
        elif entry.about["spoken"] != keys[path.stem]:
            wrong.append(f"the entry {path.stem} holds another text")
        else:
            there.add(keys[path.stem])
    lists = (cache.folder / "books").glob("*.json")
    wrong += [f"the list {path.name} is damaged" for path in lists if not _is_json(path)]
    return there, wrong


def unfinished(folder: Path) -> list[Path]:
    """Everything in a folder that has the name of an unfinished file, or is in such a folder."""
    return [path for path in folder.rglob("*") if _is_part(path.relative_to(folder))]


def _is_part(path: Path) -> bool:
    return any(part.startswith(".") and part.endswith(atomic.PART_SUFFIX) for part in path.parts)


def other_gain(out: Path, whole: Path) -> int:
    """How many chapters are there with another gain than in the end."""
    return sum(
        path.read_bytes() != (whole / path.relative_to(out)).read_bytes()
        for path in out.rglob("*.mp3")
        if not _is_part(path.relative_to(out)) and (whole / path.relative_to(out)).exists()
    )


def wrong_after_kill(out: Path, whole: Path) -> Iterator[str]:
    """What is wrong in `out`; `whole` holds what an undisturbed run has written."""
    for path in out.rglob("*"):
        name = path.relative_to(out)
        if path.is_dir() or _is_part(name):
            continue
        if not (whole / name).is_file():
            yield f"{name} should not be there"
        elif path.name.endswith(NAME):
            if not all(_is_json(line) for line in path.read_text("utf-8").splitlines()):
                yield f"{name} is not whole"
        elif path.read_bytes() != (whole / name).read_bytes():
            if path.suffix != ".mp3":
                yield f"{name} is not what it should be ({path.stat().st_size} bytes)"
            elif not _same_but_for_gain(path, whole / name):
                yield f"{name} differs in more than its gain ({path.stat().st_size} bytes)"


def wrong_at_end(out: Path, whole: Path) -> Iterator[str]:
    """What is not as in `whole`, byte for byte; of a record, what it tells of the files."""
    found, wanted = ({p.relative_to(top) for p in top.rglob("*")} for top in (out, whole))
    yield from (f"{name} is missing" for name in sorted(wanted - found))
    yield from (f"{name} should not be there" for name in sorted(found - wanted))
    for name in sorted(wanted & found):
        if name.name.endswith(NAME):
            if told(out / name) != told(whole / name):
                yield f"{name} tells other chapters"
        elif (out / name).is_file() and (out / name).read_bytes() != (whole / name).read_bytes():
            yield f"{name} has other bytes"


def _is_json(what: Path | str) -> bool:
    try:
        json.loads(what if isinstance(what, str) else what.read_text("utf-8"))
    except ValueError:
        return False
    return True


def _same_but_for_gain(path: Path, wanted: Path) -> bool:
    """Whether two chapters have the same tags (but for the level) and the same frames, all made
    louder or softer by the same step."""
    if file_tags.read_tags(path) != file_tags.read_tags(wanted):
        return False
    info, frames = _sound(path)
    same_info, same_frames = _sound(wanted)
    if info != same_info or len(frames) != len(same_frames):
        return False
    form = audio.format_at(frames)
    steps = range(-MOST_STEPS, MOST_STEPS + 1)
    return any(audio.amplify(same_frames, step, form) == frames for step in steps)


def _sound(path: Path) -> tuple[bytes, bytes]:
    """The first frame, which tells how many there are, and all others."""
    data = path.read_bytes()
    size = _ID3_HEADER_BYTES + sum(byte << 7 * n for n, byte in enumerate(reversed(data[6:10])))
    frame_bytes = audio.format_at(data[size:]).frame_bytes
    return data[size : size + frame_bytes], data[size + frame_bytes :]
