"""edge-tts as it is installed: an upgrade is followed, and one that cannot be followed is named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import pytest
from edge_tts import constants

from tests import leaping
from tests.backends.edge.simulator import EdgeSimulator
from tests.backends.edge.test_backend import RUSSIAN, TEXT, fine, whole
from tts_book.backends import Health, Settings
from tts_book.backends.edge.backend import EdgeBackend
from tts_book.backends.edge.endpoint import EdgeTts, Endpoint
from tts_book.errors import BackendRefused, Failure
from tts_book.model import Speech

TREE = Path(__file__).parents[3]


def modules(**changes: object) -> dict[str, ModuleType]:
    """An edge-tts of another day; `changes` set names in it, or take them away (None)."""

    class DRM:
        clock_skew_seconds = 0.0

        @classmethod
        def generate_sec_ms_gec(cls) -> str:
            return f"NEW{round(cls.clock_skew_seconds)}"

        @staticmethod
        def headers_with_muid(headers: dict[str, str]) -> dict[str, str]:
            return {**headers, "Cookie": "muid=1;"}

    package, drm, known = ModuleType("edge_tts"), ModuleType("edge_tts.drm"), ModuleType("x")
    known.__name__ = "edge_tts.constants"
    vars(package)["__version__"] = "9.0.0"
    vars(drm)["DRM"] = DRM
    vars(known).update(
        WSS_URL="wss://new.example/edge/v9?TrustedClientToken=NEWCLIENT",
        VOICE_LIST="https://new.example/voices?trustedclienttoken=NEWCLIENT",
        TRUSTED_CLIENT_TOKEN="NEWCLIENT",
        SEC_MS_GEC_VERSION="3-200.0.1.2",
        WSS_HEADERS={"Origin": "new"},
        VOICE_HEADERS={"Accept": "*/*"},
    )
    for name, value in changes.items():
        owner = DRM if hasattr(DRM, name) else drm if name == "DRM" else known
        delattr(owner, name) if value is None else setattr(owner, name, value)
    return {"edge_tts": package, "edge_tts.drm": drm, "edge_tts.constants": known}


def library(found: dict[str, ModuleType]) -> EdgeTts:
    def load(name: str) -> ModuleType:
        if name not in found:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return found[name]

    return EdgeTts(load)


def test_an_upgrade_is_followed() -> None:
    found = library(modules())
    found.check()
    endpoint = Endpoint(library=found)
    url = urlsplit(endpoint.speech_url(1e9, "ab" * 16))
    query = parse_qs(url.query)
    assert (url.hostname, url.path) == ("new.example", "/edge/v9")
    assert query["TrustedClientToken"] == ["NEWCLIENT"]
    assert query["Sec-MS-GEC"][0].startswith("NEW-")  # made for a time long ago
    assert query["Sec-MS-GEC-Version"] == ["3-200.0.1.2"]
    assert endpoint.voices_url(1e9).startswith("https://new.example/voices?")
    assert found.speech_headers() == {"Origin": "new", "Cookie": "muid=1;"}
    assert "NEWCLIENT" not in endpoint.secrets().redact("NEWCLIENT")


def test_the_installed_one_fits() -> None:
    EdgeTts().check()
    assert EdgeTts().speech_url == constants.WSS_URL


def _two_arguments(server_s: float, version: int) -> str:
    raise AssertionError("it is not called")


CHANGED: list[tuple[dict[str, object], str]] = [
    ({"WSS_URL": None}, "constants.WSS_URL"),
    ({"SEC_MS_GEC_VERSION": None}, "constants.SEC_MS_GEC_VERSION"),
    ({"WSS_HEADERS": None}, "constants.WSS_HEADERS"),
    ({"clock_skew_seconds": None}, "DRM.clock_skew_seconds"),
    ({"generate_sec_ms_gec": None}, "DRM.generate_sec_ms_gec"),
    ({"headers_with_muid": None}, "DRM.headers_with_muid"),
    ({"DRM": None}, "drm.DRM"),
    ({"WSS_URL": 7}, "constants.WSS_URL"),
    ({"WSS_HEADERS": ("a", "b")}, "constants.WSS_HEADERS"),
    ({"generate_sec_ms_gec": staticmethod(_two_arguments)}, "DRM.generate_sec_ms_gec"),
    ({"generate_sec_ms_gec": staticmethod(lambda: b"")}, "DRM.generate_sec_ms_gec"),
    ({"headers_with_muid": "none"}, "DRM.headers_with_muid"),
]


def tried(found: EdgeTts) -> tuple[Health, BackendRefused]:
    """What doctor finds, and what a book would meet."""

    async def run() -> tuple[Health, BackendRefused]:
        backend = EdgeBackend(Settings(environ={}), library=found)
        try:
            health = await backend.health()
            with pytest.raises(BackendRefused) as caught:
                await backend.speak(TEXT, RUSSIAN)
            return health, caught.value
        finally:
            await backend.aclose()

    return leaping.run(run())


@pytest.mark.parametrize(("changes", "named"), CHANGED)
def test_what_was_renamed_is_named_before_a_book_meets_it(
    changes: dict[str, object], named: str
) -> None:
    health, error = tried(library(modules(**changes)))
    assert not health.usable
    assert health.detail == (
        f"edge-tts 9.0.0 has changed inside ({named}) and does not fit tts-book: "
        "pip install -U tts-book edge-tts"
    )
    fine(error)
    assert error.failure is Failure.MISCONFIGURED
    assert error.stops_run


@pytest.mark.parametrize("name", ["VOICE_LIST", "VOICE_HEADERS"])
def test_the_list_of_voices_is_not_needed_to_speak(name: str) -> None:
    service = EdgeSimulator()
    known: dict[str, object] = {"WSS_URL": "", "VOICE_LIST": "https://127.0.0.1:1/", name: None}
    known |= {"TRUSTED_CLIENT_TOKEN": constants.TRUSTED_CLIENT_TOKEN}
    known |= {"SEC_MS_GEC_VERSION": constants.SEC_MS_GEC_VERSION}
    known |= {"WSS_HEADERS": constants.WSS_HEADERS, "VOICE_HEADERS": constants.VOICE_HEADERS}
    known |= {"generate_sec_ms_gec": lambda: EdgeTts().make_token(time.time())}

    async def run() -> tuple[Health, Speech]:
        async with service:
            backend = EdgeBackend(
                Settings(environ={}),
                speech_url=service.wss_url,
                voices_url="" if name == "VOICE_LIST" else service.voices_url,
                tls=service.ssl_context,
                library=library(modules(**known)),
            )
            try:
                return await backend.health(), await backend.speak(TEXT, RUSSIAN)
            finally:
                await backend.aclose()

    health, speech = leaping.run(run())
    assert health.usable
    assert whole(speech)


MISSING = [("edge_tts.constants", "(constants)"), ("edge_tts.drm", "(drm)")]
MISSING += [("edge_tts", "edge-tts cannot be imported")]


@pytest.mark.parametrize(("missing", "said"), MISSING)
def test_a_module_that_is_gone_is_named(missing: str, said: str) -> None:
    found = {name: it for name, it in modules().items() if not name.startswith(missing)}
    health, _ = tried(library(found))
    assert not health.usable
    assert said in health.detail
    assert "pip install" in health.detail


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The program beside an edge-tts that renamed the function for its token."""
    package = tmp_path / "edge_tts"
    package.mkdir()
    package.joinpath("__init__.py").write_text('__version__ = "8.0.0"\n')
    package.joinpath("exceptions.py").write_text("class EdgeTTSException(Exception): ...\n")
    names = ("WSS_URL", "VOICE_LIST", "TRUSTED_CLIENT_TOKEN", "SEC_MS_GEC_VERSION")
    lines = [f'{name} = "wss://127.0.0.1:1/edge/v1"' for name in names]
    lines += ["WSS_HEADERS = {}", "VOICE_HEADERS = {}"]
    package.joinpath("constants.py").write_text("\n".join(lines))
    package.joinpath("drm.py").write_text("class DRM:\n    clock_skew_seconds = 0.0\n")
    (tmp_path / "letter.txt").write_text("The rain stopped at noon.\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TREE}"}
        return subprocess.run(
            [sys.executable, "-m", "tts_book", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        )

    return run


def test_doctor_and_a_book_say_it_in_one_line(run: Run) -> None:
    said = "edge-tts 8.0.0 has changed inside (DRM.generate_sec_ms_gec)"
    doctor = next(line for line in run("doctor").stdout.splitlines() if " edge: " in line)
    assert said in doctor
    assert "pip install -U tts-book edge-tts" in doctor
    book = run("convert", "letter.txt", "--backend", "edge", "--language", "en")
    assert book.returncode == 1
    assert said in book.stderr
    assert "pip install -U tts-book edge-tts" in book.stderr
    assert "Traceback" not in book.stderr
