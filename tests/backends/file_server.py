"""A loopback server of files that drops, lies and resumes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import ProxyHandler, build_opener

from tts_book.backends.download import Wire


@dataclass
class Shelf:
    """What the server has, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    drop_after_bytes: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)


def handler(stock: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            stock.asked.append((self.path, asked))
            status = stock.statuses.pop(0) if stock.statuses else 200
            body = stock.files.get(self.path)
            if status != 200 or body is None:
                self.send_error(status if status != 200 else 404)
                return
            start = int(asked[6:-1]) if asked and stock.knows_ranges else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            is_model = self.path.endswith((".onnx", ".bin"))
            most = stock.drop_after_bytes.pop(0) if is_model and stock.drop_after_bytes else None
            self.wfile.write(body[start : None if most is None else start + most])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serve_files(stock: Shelf) -> Iterator[tuple[Wire, str]]:
    """A wire that reaches the server without a proxy, and the server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(stock))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield Wire(build_opener(ProxyHandler({})), timeout_s=5), url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
