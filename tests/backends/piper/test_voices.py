"""Which Piper voices are found in folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tts_book.backends.piper.voices import find_installed

VOICE = {"phoneme_id_map": {"_": [0]}, "audio": {"quality": "low"}}


def put(folder: Path, name: str, settings: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(b"model")
    (folder / f"{name}.onnx.json").write_text(json.dumps(settings), "utf-8")


def test_the_first_folder_wins(tmp_path: Path) -> None:
    put(tmp_path / "a", "en_US-x-low", VOICE)
    put(tmp_path / "b", "en_US-x-low", VOICE)
    put(tmp_path / "b", "en_US-y-low", VOICE)
    found = find_installed([tmp_path / "none", tmp_path / "a", tmp_path / "b"])
    assert [(voice.id, voice.model.parent.name, voice.quality) for voice in found] == [
        ("en_US-x-low", "a", "low"),
        ("en_US-y-low", "b", "low"),
    ]


@pytest.mark.parametrize(
    ("name", "settings", "language"),
    [
        ("v", {"language": {"code": "ru_RU"}}, "ru-RU"),
        ("v", {"language": {"code": "zh_CN"}, "espeak": {"voice": "cmn"}}, "zh-CN"),
        ("v", {"espeak": {"voice": "en-gb-x-rp"}}, "en-GB-x-rp"),
        ("uk_UA-lada-x_low", {}, "uk-UA"),
        ("v", {"language": "odd", "espeak": 5}, "und"),
    ],
)
def test_the_language_of_a_voice(
    tmp_path: Path, name: str, settings: dict[str, object], language: str
) -> None:
    put(tmp_path, name, VOICE | settings)
    assert [voice.language for voice in find_installed([tmp_path])] == [language]


@pytest.mark.parametrize(
    ("settings", "speakers"),
    [
        ({"num_speakers": 1, "speaker_id_map": {"ann": 0}}, ()),
        ({"num_speakers": 2, "speaker_id_map": {"ann": 0, "bo": 1}}, (("ann", 0), ("bo", 1))),
        ({"num_speakers": 2, "speaker_id_map": {"bo": 1}}, (("0", 0), ("bo", 1))),
        ({"num_speakers": 2}, (("0", 0), ("1", 1))),
        ({"num_speakers": "many"}, ()),
    ],
)
def test_the_speakers_of_a_voice(
    tmp_path: Path, settings: dict[str, object], speakers: tuple[tuple[str, int], ...]
) -> None:
    put(tmp_path, "v", VOICE | settings)
    assert [voice.speakers for voice in find_installed([tmp_path])] == [speakers]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"a"', "\ufffe", "[" * 100_000])
def test_settings_that_cannot_be_read_are_passed_over(tmp_path: Path, text: str) -> None:
    put(tmp_path, "good", VOICE)
    put(tmp_path, "bad", {})
    (tmp_path / "bad.onnx.json").write_text(text, "utf-8")
    (tmp_path / "alone.onnx").write_bytes(b"model")
    assert [voice.id for voice in find_installed([tmp_path])] == ["good"]
