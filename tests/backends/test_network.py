"""Proxies as people write them, and the certificates that are trusted."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from tts_book.backends import Settings
from tts_book.backends.network import find_proxy, make_tls_context, parse_proxy
from tts_book.errors import UserError

HOST = "speech.platform.bing.com"

FOUND = [
    ({}, "", None),
    ({"HTTPS_PROXY": "http://p:1"}, "", "http://p:1"),
    ({"https_proxy": "p:1"}, "", "http://p:1"),
    ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://p:1"}, "", "http://p:1"),
    ({"all_proxy": "https://all:1"}, "", "https://all:1"),
    ({"ALL_PROXY": "socks5://all:1"}, "", "socks5://all:1"),
    ({"HTTP_PROXY": "http://plain:1"}, "", None),
    ({"HTTPS_PROXY": "http://p:1"}, "http://mine:2", "http://mine:2"),
    ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "bing.com"}, "", None),
    ({"HTTPS_PROXY": "http://p:1", "no_proxy": "x, .platform.bing.com:443"}, "", None),
    ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "", None),
    ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "notbing.com,ing.com"}, "", "http://p:1"),
    ({"NO_PROXY": "*"}, "http://mine:2", "http://mine:2"),
]


@pytest.mark.parametrize(("environ", "given", "used"), FOUND)
def test_the_proxy_on_the_way(environ: dict[str, str], given: str, used: str | None) -> None:
    proxy = find_proxy(given, environ, HOST)
    assert (proxy.url if proxy else None) == used


# text, "host:port", SOCKS, whether the proxy looks names up
PARSED = [
    ("http://h:1", "h:1", False, True),
    ("https://me:pw@h:1", "h:1", False, True),
    ("http://h", "h:80", False, True),
    ("https://h", "h:443", False, True),
    ("h:3128", "h:3128", False, True),
    ("me:pw@h:3128", "h:3128", False, True),
    ("socks5://h:1", "h:1", True, False),
    ("socks5h://h:1", "h:1", True, True),
    ("socks5h://h", "h:1080", True, True),
    ("socks://h:1/", "h:1", True, False),
    ("SOCKS5H://h:1", "h:1", True, True),
    ("socks4://h:1", "h:1", True, False),
    ("socks4a://h:1", "h:1", True, True),
    (" http://[::1]:8080 ", "[::1]:8080", False, True),
]


@pytest.mark.parametrize(("text", "shown", "socks", "resolves"), PARSED)
def test_a_proxy_is_taken_apart(text: str, shown: str, socks: bool, resolves: bool) -> None:
    proxy = parse_proxy(text)
    assert (str(proxy), proxy.is_socks, proxy.resolves) == (shown, socks, resolves)


def test_name_and_password_are_decoded_and_never_shown() -> None:
    proxy = parse_proxy("socks5://reader%40home:p%2Fw@proxy.example:3128")
    assert (proxy.name, proxy.password) == ("reader@home", "p/w")
    assert "reader" not in f"{proxy} {proxy!r}"
    assert "p/w" not in f"{proxy} {proxy!r}"


NO_PROXIES = ["foo", "localhost", "ftp://h:1", "http://", "http://h:x", "socks5://", "h:0"]
NO_PROXIES += ["h:99999", "http://[::1", "http:/h:1", "quic://h:1", "me:secret@foo"]


@pytest.mark.parametrize("text", NO_PROXIES)
def test_what_is_no_proxy_is_said_in_one_line(text: str) -> None:
    for attempt in (parse_proxy, lambda text: Settings(proxy=text)):
        with pytest.raises(UserError, match=r"is not an address: give http://host:port") as caught:
            attempt(text)
        assert "\n" not in str(caught.value)
        assert "socks5h://" in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_password_that_socks_cannot_carry() -> None:
    assert parse_proxy("http://me:p%C3%B6@h:1").password == "pö"
    with pytest.raises(UserError, match="must be ASCII") as caught:
        parse_proxy("socks5://me:p%C3%B6@h:1")
    assert "pö" not in str(caught.value)


def test_certificates_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    before = make_tls_context({}).cert_store_stats()["x509_ca"]
    after = make_tls_context({"SSL_CERT_FILE": str(file)}).cert_store_stats()["x509_ca"]
    assert after == before + 1
    with pytest.raises(UserError, match="SSL_CERT_FILE"):
        make_tls_context({"SSL_CERT_FILE": str(tmp_path / "none.pem")})


def test_certificates_are_checked() -> None:
    context = make_tls_context({})
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
