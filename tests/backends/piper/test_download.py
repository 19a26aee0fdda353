"""Fetching Piper voices from a loopback server that drops, lies and resumes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.backends.file_server import Shelf, serve_files
from tts_book.backends.download import open_wire
from tts_book.backends.piper.store import PiperStore, StoreVoice, find_voice, open_store, read_index
from tts_book.backends.piper.voices import find_installed
from tts_book.errors import BackendUnavailable, UserError

MODEL = bytes(range(256)) * 1_600  # 409,600 bytes
KEY = "ru_RU-anna-medium"
FOLDER = "ru/ru_RU/anna/medium"
CARD = "# Anna\n\nLicense: CC0\n"
CONFIG = {"phoneme_id_map": {"_": [0]}, "language": {"code": "ru_RU"}, "num_speakers": 1}


def entry(key: str, folder: str, model: bytes, **others: object) -> dict[str, object]:
    about = {
        f"{folder}/{key}.onnx": {
            "size_bytes": len(model),
            "md5_digest": hashlib.md5(model, usedforsecurity=False).hexdigest(),
        },
        f"{folder}/{key}.onnx.json": {"size_bytes": 5, "md5_digest": "not checked"},
        f"{folder}/MODEL_CARD": {"size_bytes": 5, "md5_digest": "not checked"},
    }
    language = {"code": key.partition("-")[0]}
    return {"files": about, "language": language, "quality": "medium", "num_speakers": 1} | others


INDEX = {
    KEY: entry(KEY, FOLDER, MODEL, aliases=["ru-anna"]),
    "pt_PT-tugão-medium": entry("pt_PT-tugão-medium", "pt/pt_PT/tugão/medium", b"tu"),
    "ru_RU-boris-low": entry("ru_RU-boris-low", "ru/ru_RU/boris/low", b"bo"),
}


def shelf(**changed: object) -> Shelf:
    files = {
        "/voices.json": json.dumps(INDEX).encode(),
        f"/{FOLDER}/{KEY}.onnx": MODEL,
        f"/{FOLDER}/{KEY}.onnx.json": json.dumps(CONFIG).encode(),
        f"/{FOLDER}/MODEL_CARD": CARD.encode(),
        "/pt/pt_PT/tug%C3%A3o/medium/pt_PT-tug%C3%A3o-medium.onnx": b"tu",
        "/pt/pt_PT/tug%C3%A3o/medium/pt_PT-tug%C3%A3o-medium.onnx.json": json.dumps(
            CONFIG
        ).encode(),
        "/pt/pt_PT/tug%C3%A3o/medium/MODEL_CARD": CARD.encode(),
    }
    made = Shelf(files)
    for name, value in changed.items():
        setattr(made, name, value)
    return made


@contextmanager
def serving(stock: Shelf, **options: object) -> Iterator[PiperStore]:
    options.setdefault("sleep", lambda seconds: None)
    with serve_files(stock) as (near, url):
        yield PiperStore(near, url, **options)  # type: ignore[arg-type]  # rows of options


def yes(voice: StoreVoice, card: str) -> bool:
    return True


def model_requests(stock: Shelf) -> list[str]:
    return [asked for path, asked in stock.asked if path.endswith(".onnx")]


def test_a_voice_is_fetched_whole_and_found(tmp_path: Path) -> None:
    stock, told = shelf(), list[tuple[int, int]]()
    with serving(stock) as store:
        model = store.install(
            KEY, tmp_path / "voices", agree=yes, on_progress=lambda *sizes: told.append(sizes)
        )
    assert model.read_bytes() == MODEL
    assert sorted(path.name for path in model.parent.iterdir()) == [
        f"{KEY}.MODEL_CARD",
        f"{KEY}.onnx",
        f"{KEY}.onnx.json",
    ]
    assert told[-1] == (len(MODEL), len(MODEL))
    assert told == sorted(told)
    (found,) = find_installed([model.parent])
    assert (found.id, found.language, found.model) == (KEY, "ru-RU", model)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("nope", UserError, '"nope" is not the name of a Piper voice'),
        (KEY, BackendUnavailable, "Check the network"),
        ("ru-anna", BackendUnavailable, "Check the network"),
    ],
)
def test_without_a_network_a_wrong_name_is_reported_first(
    name: str, kind: type[Exception], told: str, tmp_path: Path
) -> None:
    with serve_files(shelf()) as (near, _):
        store = PiperStore(near, "http://127.0.0.1:1", sleep=lambda seconds: None)
        with pytest.raises(kind, match=told) as raised:
            store.install(name, tmp_path, agree=yes)
    assert "Partial downloads" not in str(raised.value)
    assert "[Errno" not in str(raised.value)


def test_the_licence_is_shown_before_anything_is_written(tmp_path: Path) -> None:
    shown = []

    def no(voice: StoreVoice, card: str) -> bool:
        shown.append((voice.key, voice.model_bytes, card, list(tmp_path.iterdir())))
        return False

    stock = shelf()
    with serving(stock) as store, pytest.raises(UserError, match="was not fetched"):
        store.install(KEY, tmp_path, agree=no)
    assert shown == [(KEY, len(MODEL), CARD, [])]
    assert not model_requests(stock)
    assert not list(tmp_path.iterdir())


def test_a_voice_that_is_here_is_not_fetched_again(tmp_path: Path) -> None:
    stock = shelf()
    with serving(stock) as store:
        first = store.install(KEY, tmp_path, agree=yes)
        assert store.install(KEY, tmp_path, agree=yes) == first
    assert len(model_requests(stock)) == 1


def test_dropped_connections_are_taken_up_where_they_stopped(tmp_path: Path) -> None:
    stock, slept = shelf(drop_after_bytes=[100_000, 200_000]), list[float]()
    with serving(stock, sleep=slept.append) as store:
        model = store.install(KEY, tmp_path, agree=yes)
    assert model.read_bytes() == MODEL
    assert model_requests(stock) == ["", "bytes=100000-", "bytes=300000-"]
    assert slept == [1.0, 1.0]


def test_a_later_run_goes_on_where_an_earlier_one_was_broken_off(tmp_path: Path) -> None:
    (tmp_path / f"{KEY}.onnx.part").write_bytes(MODEL[:123_456])
    stock = shelf()
    with serving(stock) as store:
        assert store.install(KEY, tmp_path, agree=yes).read_bytes() == MODEL
    assert model_requests(stock) == ["bytes=123456-"]


@pytest.mark.parametrize(
    "part", [b"wrong" * 1_000, MODEL + b"more", b"x" * len(MODEL)], ids=["start", "longer", "whole"]
)
def test_a_part_that_is_not_of_this_model_is_fetched_anew(tmp_path: Path, part: bytes) -> None:
    (tmp_path / f"{KEY}.onnx.part").write_bytes(part)
    with serving(shelf()) as store:
        assert store.install(KEY, tmp_path, agree=yes).read_bytes() == MODEL


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    stock = shelf(knows_ranges=False, drop_after_bytes=[100_000])
    with serving(stock) as store:
        assert store.install(KEY, tmp_path, agree=yes).read_bytes() == MODEL


def test_a_damaged_model_never_gets_its_name(tmp_path: Path) -> None:
    stock = shelf()
    stock.files[f"/{FOLDER}/{KEY}.onnx"] = MODEL[:-1] + b"!"
    with serving(stock) as store, pytest.raises(BackendUnavailable, match="MD5"):
        store.install(KEY, tmp_path, agree=yes)
    assert not list(tmp_path.iterdir())


def test_a_model_longer_than_its_index_says_is_refused(tmp_path: Path) -> None:
    stock = shelf()
    stock.files[f"/{FOLDER}/{KEY}.onnx"] = MODEL * 2
    with serving(stock) as store, pytest.raises(BackendUnavailable, match="longer than its index"):
        store.install(KEY, tmp_path, agree=yes)
    assert not (tmp_path / f"{KEY}.onnx").exists()


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    stock = shelf()
    stock.files[f"/{FOLDER}/{KEY}.onnx.json"] = b"<html>busy</html>"
    with serving(stock) as store, pytest.raises(BackendUnavailable, match="settings"):
        store.install(KEY, tmp_path, agree=yes)
    assert find_installed([tmp_path]) == ()
    assert not (tmp_path / f"{KEY}.onnx.json").exists()


@pytest.mark.parametrize(
    ("statuses", "waits_s"), [([503], [1.0]), ([429, 500, 502], [1.0, 2.0, 4.0])]
)
def test_a_busy_store_is_asked_again(statuses: list[int], waits_s: list[float]) -> None:
    slept = list[float]()
    with serving(shelf(statuses=statuses), sleep=slept.append) as store:
        assert KEY in store.index()
    assert slept == waits_s


@pytest.mark.parametrize(
    ("statuses", "asked"), [([404], 1), ([403], 1), ([503] * 9, 5)], ids=["gone", "closed", "busy"]
)
def test_a_store_that_does_not_answer_is_told(statuses: list[int], asked: int) -> None:
    stock = shelf(statuses=statuses)
    with serving(stock) as store, pytest.raises(BackendUnavailable, match=f"HTTP {statuses[0]}"):
        store.index()
    assert len(stock.asked) == asked


@pytest.mark.parametrize("index", [b"", b"[]", b"{}", b"<html>", b'{"a": 1}', b"[" * 100_000])
def test_an_index_that_is_none_is_told(index: bytes) -> None:
    stock = shelf()
    stock.files["/voices.json"] = index
    with serving(stock) as store, pytest.raises(BackendUnavailable, match="not an index of voices"):
        store.index()


def test_a_connection_that_is_refused_is_told() -> None:
    with serving(shelf()) as gone:
        pass
    with pytest.raises(BackendUnavailable, match=r"voices\.json: .*refused"):
        gone.index()


def test_too_little_room_is_told_before_the_download(tmp_path: Path) -> None:
    stock = shelf()
    with (
        serving(stock, free_bytes=lambda folder: 1_000) as store,
        pytest.raises(UserError, match="Make room"),
    ):
        store.install(KEY, tmp_path, agree=yes)
    assert not model_requests(stock)


class FullDisk:
    """A file on a disk that is full after some bytes."""

    def __init__(self, file: BinaryIO, room_bytes: int) -> None:
        self._file = file
        self._room_bytes = room_bytes

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data[: self._room_bytes])
        if len(data) > self._room_bytes:
            raise OSError(28, "No space left on device")
        self._room_bytes -= len(data)


def full_after(room_bytes: int) -> Callable[[Path, str], FullDisk]:
    def open_file(path: Path, mode: str) -> FullDisk:
        return FullDisk(path.open(mode), room_bytes)  # type: ignore[arg-type]  # binary modes

    return open_file


def test_a_disk_that_fills_up_keeps_what_has_come(tmp_path: Path) -> None:
    stock = shelf()
    with (
        serving(stock, open_file=full_after(50_000)) as store,
        pytest.raises(UserError, match="No space left on device"),
    ):
        store.install(KEY, tmp_path, agree=yes)
    assert (tmp_path / f"{KEY}.onnx.part").read_bytes() == MODEL[:50_000]
    with serving(stock) as store:
        assert store.install(KEY, tmp_path, agree=yes).read_bytes() == MODEL
    assert model_requests(stock) == ["", "bytes=50000-"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with serving(shelf()) as store, pytest.raises(UserError, match="Cannot write to"):
        store.install(KEY, tmp_path / "file" / "voices", agree=yes)


def test_names_outside_ascii_are_quoted(tmp_path: Path) -> None:
    with serving(shelf()) as store:
        assert store.install("pt_PT-tugão-medium", tmp_path, agree=yes).read_bytes() == b"tu"


@pytest.mark.parametrize("name", [KEY, KEY.lower(), "ru-anna", f" {KEY} "])
def test_ways_to_name_a_voice(name: str) -> None:
    assert find_voice(name, read_index(INDEX)).key == KEY


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ru_RU-ana-medium", f'Did you mean "{KEY}"'),
        ("anna", f'Did you mean "{KEY}"?'),
        ("ru_RU-anna", f'Did you mean "{KEY}"'),
        ("ru", f'Did you mean "{KEY}" or "ru_RU-boris-low"?'),
        ("tlh", "Languages: pt_PT, ru_RU."),
        ("", "Languages: pt_PT, ru_RU."),
    ],
)
def test_a_name_that_is_not_in_the_store_gets_suggestions(name: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        find_voice(name, read_index(INDEX))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"../../evil": entry("../../evil", "x", b"x")},
        {"a": entry("b", "x", b"x")},
        {"a": {"files": None}},
        {"a": entry("a", "x", b"x") | {"files": {"x/a.onnx": {"size_bytes": "1"}}}},
        {"a": entry("a", "x", b"")},
    ],
    ids=["path", "other name", "no files", "no sum", "empty"],
)
def test_entries_that_are_not_understood_are_left_out(bad: dict[str, object]) -> None:
    assert set(read_index(INDEX | bad)) == set(INDEX)


def test_the_address_comes_from_the_environment() -> None:
    open_store({})
    with pytest.raises(UserError, match="TTS_BOOK_PIPER_URL"):
        open_store({"TTS_BOOK_PIPER_URL": "file:///etc"})
    with pytest.raises(UserError, match="proxy"):
        open_wire({}, "socks5://localhost:1080")
