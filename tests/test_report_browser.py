"""The page in a real browser: it opens without a console error, and a video that comes into sight plays."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from fake_run import fake_run

from lapa.config import compose
from lapa.report import main

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
FLAGS = (*FLAGS, "--disable-sync", "--disable-component-update", "--enable-logging=stderr", "--dump-dom")
PATIENCE_S = 60
# The browser hands its page over once all pictures are there, so one picture waits until a video has played.
PROBE = """<img src="/wait" hidden><script>
const probed = document.querySelector("video");
probed.scrollIntoView({ behavior: "instant" });
probed.addEventListener("timeupdate", () => {
  if (probed.currentTime > 0.2 && !document.body.dataset.played) {
    document.body.dataset.played = `${probed.videoWidth}x${probed.videoHeight}`;
    fetch("/played");
  }
});
</script></body>"""


class Handler(BaseHTTPRequestHandler):
    """Serves the page at /, holds /wait back until /played was asked for."""

    def __init__(self, *args, page: bytes, played: Event):
        self.page, self.played = page, played
        super().__init__(*args)

    def do_GET(self) -> None:
        if self.path == "/played":
            self.played.set()
        if self.path == "/wait":
            self.played.wait(PATIENCE_S)
        body = self.page if self.path == "/" else b""
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        """Say nothing."""


@contextmanager
def served(page: str, played: Event) -> Iterator[str]:
    """The page's address on this machine while the block runs."""
    handler = partial(Handler, page=page.encode(), played=played)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_browser_opens_the_page_and_plays_a_video(tmp_path):
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} on the PATH")
    run, played = fake_run(tmp_path / "demo", episodes=24), Event()
    main(compose("report", [f"runs=[{run}]", f"out={tmp_path / 'report'}"]))
    page = Path(tmp_path / "report" / "page.html").read_text()
    with served(page.replace("</body>", PROBE), played) as address:
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", address]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False)
    assert 'data-played="64x64"' in seen.stdout, seen.stderr[-2000:]
    assert "By family of tasks" in seen.stdout
    assert [line for line in seen.stderr.splitlines() if "CONSOLE" in line] == []
