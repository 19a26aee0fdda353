"""Frames, SSML and names of the Edge protocol."""

from __future__ import annotations

import json
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_book.backends.edge.protocol import (
    MOST_TEXT_BYTES,
    Boundary,
    clean_text,
    count_bytes,
    format_config,
    format_ssml_message,
    parse_binary_frame,
    parse_metadata,
    parse_text_frame,
    parse_voice_name,
    ssml,
    timestamp,
)
from tts_book.model import Voice

VOICE = Voice("reader", "edge", "ru-RU-DmitryNeural", rate_pct=-5, volume_pct=10)

NAMES = [
    ("ru-RU-DmitryNeural", "ru-RU, DmitryNeural"),
    ("zh-CN-liaoning-XiaobeiNeural", "zh-CN-liaoning, XiaobeiNeural"),
    ("iu-Cans-CA-SiqiniqNeural", "iu-Cans-CA, SiqiniqNeural"),
    ("fil-PH-AngeloNeural", "fil-PH, AngeloNeural"),
    ("Microsoft Server Speech Text to Speech Voice (cy-GB, NiaNeural)", "cy-GB, NiaNeural"),
    ("ru-RU-Dmitry", None),
    ("x'/><voice name='ru-RU-DmitryNeural", None),
    ("ru-RU-DmitryNeural\n", None),
    ("", None),
]


@pytest.mark.parametrize(("voice_id", "inside"), NAMES)
def test_voice_names(voice_id: str, inside: str | None) -> None:
    name = parse_voice_name(voice_id)
    if inside is None:
        assert name is None
    else:
        assert name is not None
        assert name.full == f"Microsoft Server Speech Text to Speech Voice ({inside})"
        assert parse_voice_name(name.full) == name == parse_voice_name(name.short)


SENT = [
    ("одо\u0301к", "одок"),
    ("cafe\u0301", "café"),
    ("й", "й"),
    ("a\x00b\x0bc\x1b[0m\x85", "a b c [0m "),
    ("\ud800x\ufffey\U0001ffff", " x y "),
    ("keep\tthese\nlines", "keep\tthese\nlines"),
]


@pytest.mark.parametrize(("text", "sent"), SENT)
def test_what_is_sent(text: str, sent: str) -> None:
    assert clean_text(text) == sent


@given(st.text(st.characters(codec=None)))
def test_any_text_makes_ssml_that_parses(text: str) -> None:
    name = parse_voice_name(VOICE.id)
    assert name is not None
    sent = clean_text(text)
    assert unicodedata.is_normalized("NFC", sent) or "\u0301" not in sent
    body = ssml(sent, name, VOICE)
    prosody = ElementTree.fromstring(body)[0][0]
    assert prosody.attrib == {"pitch": "+0Hz", "rate": "-5%", "volume": "+10%"}
    assert (prosody.text or "") == sent.replace("\r\n", "\n").replace("\r", "\n")


def test_size_is_counted_after_escaping() -> None:
    assert count_bytes("R&D") == 7
    assert count_bytes("ё" * 1_750) == MOST_TEXT_BYTES


def test_requests_look_like_the_browsers() -> None:
    stamp = timestamp(1_795_350_389)
    assert stamp == "Sun Nov 22 2026 12:26:29 GMT+0000 (Coordinated Universal Time)"
    config = parse_text_frame(format_config(stamp, sentences=True))
    assert config.path == "speech.config"
    assert json.loads(config.body)["context"]["synthesis"]["audio"]["metadataoptions"] == {
        "sentenceBoundaryEnabled": "true",
        "wordBoundaryEnabled": "true",
    }
    message = format_ssml_message("ab" * 16, stamp, "<speak/>")
    assert "(Coordinated Universal Time)Z\r\n" in message
    assert message.startswith("X-RequestId:abab")


BINARY = [
    (b"", None),
    (b"\x00", None),
    (b"\xff\xffPath:audio\r\n", None),
    (b"\x00\x0cPath:audio\r\nSOUND", b"SOUND"),
    (b"\x00\x0aPath:audioSOUND", b"SOUND"),
    (b"\x00\x0epath : Audio\r\n", b""),
    (b"\x00\x00rest", b"rest"),
]


@pytest.mark.parametrize(("message", "body"), BINARY)
def test_binary_frames(message: bytes, body: bytes | None) -> None:
    frame = parse_binary_frame(message)
    assert (frame.body if frame else None) == body
    assert frame is None or frame.path in ("audio", "")


@given(st.binary(max_size=300), st.text(max_size=300))
def test_any_frame_is_borne(binary: bytes, text: str) -> None:
    parse_binary_frame(binary)
    parse_text_frame(text)
    parse_metadata(binary)
    parse_metadata(text.encode())


def item(kind: str, **data: object) -> dict[str, object]:
    return {"Type": kind, "Data": data}


def word(said: object) -> dict[str, object]:
    return item("WordBoundary", Offset=10, Duration=5, text={"Text": said})


METADATA: list[tuple[object, list[str] | None]] = [
    ({"Metadata": [word("one"), word("R&amp;D")]}, ["one", "R&D"]),
    ({"Metadata": []}, []),
    ({"Metadata": [item("Viseme", Offset=1), 5, {"Type": "WordBoundary"}]}, []),
    ({"Metadata": [item("WordBoundary", Offset="x", text=[])]}, [""]),
    ({"Metadata": "none"}, None),
    ([1], None),
]


@pytest.mark.parametrize(("told", "texts"), METADATA)
def test_metadata(told: object, texts: list[str] | None) -> None:
    read = parse_metadata(json.dumps(told).encode())
    assert (None if read is None else [b.text for b in read.boundaries]) == texts


def test_times_and_the_end_of_a_session() -> None:
    told = {"Metadata": [word("one"), item("SessionEnd", Offset=480_000)]}
    read = parse_metadata(json.dumps(told).encode())
    assert read is not None
    assert read.boundaries == (Boundary("word", 10, 15, "one"),)
    assert read.total == 480_000
