"""An http server on this machine that misbehaves as it is told: what to answer in, requests that it was asked out."""

import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def serving() -> Iterator[Any]:
    """An http server; `pages[path]` answers a request by writing to the handler, `asked` counts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.command, self.path))
            self.server.pages[self.path](self)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.pages, made.asked, made.address = {}, [], f"http://127.0.0.1:{made.server_port}"  # type: ignore[attr-defined]
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def answer(data: bytes, *, share: float = 1, length: bool = True):
    """All of `data`, or its beginning as if the connection were lost, with its length said or not."""

    def write(handler):
        handler.send_response(200)
        if length:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(data[: int(len(data) * share)])

    return write


def refuse(status: int):
    return lambda handler: handler.send_error(status)


def stall(handler):
    time.sleep(1.5)


def reset(handler):
    """Half of what was promised, and then no end but a reset."""
    handler.send_response(200)
    handler.send_header("Content-Length", "4000")
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(b"x" * 2000)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


def drip(handler):
    """A byte now and then, for ever as far as a worker is concerned."""
    handler.send_response(200)
    handler.send_header("Content-Length", "4000")
    handler.end_headers()
    for _ in range(40 if handler.command == "GET" else 0):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def changing():
    """Another version, by its mark, each time somebody looks."""
    versions = itertools.count()

    def write(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "4000")
        handler.send_header("ETag", f"v{next(versions)}")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"x" * 4000)

    return write


def in_turn(*answers):
    """The answers to GET one after another; HEAD gets that of the next."""
    left = list(answers)
    return lambda handler: (left.pop(0) if handler.command == "GET" and len(left) > 1 else left[0])(handler)
