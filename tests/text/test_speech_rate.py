"""How long a text will take, before anything is spoken."""

from __future__ import annotations

import pytest

from tts_book.text.speech_rate import characters_per_s, estimate_ms


@pytest.mark.parametrize(
    ("language", "expected"),
    [("ru", 13.6), ("RU-ru", 13.6), ("pt_BR", 15.1), ("zh-CN", 4.8), ("tlh", 14.5), ("", 14.5)],
)
def test_pace_of_a_language(language: str, expected: float) -> None:
    assert characters_per_s(language) == expected


@pytest.mark.parametrize(
    ("text", "language", "rate_pct", "seconds"),
    [
        ("", "en", 0, 0.0),
        ("a" * 152, "en", 0, 10.0),
        ("a" * 152, "en", 25, 8.0),
        ("я" * 136, "ru", 0, 10.0),
        ("山" * 48, "zh", 0, 10.0),
        ("山" * 48, "en", 0, 10.0),
        ("あ" * 61, "ja", 0, 10.0),
    ],
)
def test_time_of_a_text(text: str, language: str, rate_pct: int, seconds: float) -> None:
    assert estimate_ms(text, language, rate_pct) == round(seconds * 1_000)
