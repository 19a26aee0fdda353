"""Finding and fetching recognisers, from a loopback server that drops and lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.backends.file_server import Shelf, serve_files
from tts_book.errors import BackendUnavailable, UserError
from tts_book.output.inspection.ear.models import (
    ModelStore,
    RemoteModel,
    find_model,
    list_installed,
)

MODEL = bytes(range(256)) * 1_600
SMALL = {"config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}
REPOSITORY = "Systran/faster-whisper-tiny"
LISTING = f"/api/models/{REPOSITORY}/tree/main"


def git_sum(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


def shelf(**others: bytes) -> Shelf:
    listing = [
        {"path": "README.md", "size": 5, "oid": "0"},
        {
            "path": "model.bin",
            "size": 130,
            "oid": "pointer",
            "lfs": {"oid": hashlib.sha256(MODEL).hexdigest(), "size": len(MODEL)},
        },
        *({"path": name, "size": len(d), "oid": git_sum(d)} for name, d in SMALL.items()),
    ]
    files = {LISTING: json.dumps(listing).encode()}
    for name, data in {"model.bin": MODEL, **SMALL, **others}.items():
        files[f"/{REPOSITORY}/resolve/main/{name}"] = data
    return Shelf(files)


@contextmanager
def serving(stock: Shelf) -> Iterator[ModelStore]:
    with serve_files(stock) as (near, url):
        yield ModelStore(near, url, sleep=lambda seconds: None)


def yes(model: RemoteModel) -> bool:
    return True


def test_a_model_is_fetched_whole_and_found(tmp_path: Path) -> None:
    shown: list[RemoteModel] = []
    told: list[tuple[int, int]] = []

    def agree(model: RemoteModel) -> bool:
        shown.append(model)
        return True

    with serving(shelf()) as store:
        folder = store.install(
            "tiny", tmp_path, agree=agree, on_progress=lambda *sizes: told.append(sizes)
        )
    assert (folder / "model.bin").read_bytes() == MODEL
    assert shown[0].size_bytes == len(MODEL) + sum(map(len, SMALL.values())) == told[-1][0]
    assert list_installed(tmp_path) == ["tiny"]
    assert find_model("", tmp_path) == find_model("tiny", tmp_path) == folder


def test_a_download_that_drops_is_resumed(tmp_path: Path) -> None:
    stock = shelf()
    stock.drop_after_bytes = [100_000, 150_000]
    with serving(stock) as store:
        store.install("tiny", tmp_path, agree=yes)
    asked = [ranged for path, ranged in stock.asked if path.endswith("model.bin")]
    assert asked == ["", "bytes=100000-", "bytes=250000-"]


def test_a_second_install_fetches_nothing(tmp_path: Path) -> None:
    stock = shelf()
    with serving(stock) as store:
        store.install("tiny", tmp_path, agree=yes)
        before = len(stock.asked)
        store.install("tiny", tmp_path, agree=yes)
    assert len(stock.asked) == before


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
def test_a_damaged_file_makes_no_model(tmp_path: Path, name: str) -> None:
    good = MODEL if name == "model.bin" else SMALL[name]
    stock = shelf(**{name: bytes(len(good))})
    with serving(stock) as store, pytest.raises(BackendUnavailable, match="damaged"):
        store.install("tiny", tmp_path, agree=yes)
    assert list_installed(tmp_path) == []


def test_a_no_fetches_nothing(tmp_path: Path) -> None:
    stock = shelf()
    with serving(stock) as store, pytest.raises(UserError, match="was not fetched"):
        store.install("tiny", tmp_path, agree=lambda model: False)
    assert [path for path, _ in stock.asked] == [LISTING]


@pytest.mark.parametrize("listing", [b"not json", b"{}", b"[]", b'[{"path": "model.bin"}]'])
def test_a_listing_that_makes_no_sense(tmp_path: Path, listing: bytes) -> None:
    stock = shelf()
    stock.files[LISTING] = listing
    with serving(stock) as store, pytest.raises(BackendUnavailable):
        store.install("tiny", tmp_path, agree=yes)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("", "tts-book ear install base"),
        ("small", "tts-book ear install small"),
        ("huge", "There is no model"),
        ("/", "is not a model: give a folder with model.bin"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(tmp_path: Path, named: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        find_model(named, tmp_path)


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    assert find_model(str(tmp_path), tmp_path / "none") == tmp_path
