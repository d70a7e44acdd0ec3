"""Reading in a child process: a file that crashes, hangs or bloats its reader costs that file and nothing else."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from video_data.decode import Cutting, Piece, read_pieces
from video_data.header import UnusableVideo
from video_data.openers import DecoderMissing

READY = "ready"
STATM = Path("/proc/self/statm")  # Linux: sizes in pages, of data and stack in column 5


class DecoderLost(UnusableVideo):
    """The decoding process died or had to be ended."""


class Decoder:
    """A child process that reads one file after another; a new one is started when it has died."""

    def __init__(self, *, timeout_s: float):
        self.timeout_s = timeout_s  # to wait for the next piece before the decoder is taken to hang
        self.process: Any = None
        self._pipe: Any = None

    def read(self, path: Path, cutting: Cutting) -> Iterator[Piece]:
        """As `read_pieces`. When the decoder crashes or gives nothing for `timeout_s`, another goes on where it ended;
        UnusableVideo when that one is lost too. ValueError when the decoder asked for is not to be had.
        """
        given = 0
        try:
            for piece in self._read(path, cutting):
                given += 1
                yield piece
        except DecoderLost:
            other = "decord" if cutting.decoder == "av" else "av"
            yield from islice(self._read(path, cutting._replace(decoder=other)), given, None)

    def _read(self, path: Path, cutting: Cutting) -> Iterator[Piece]:
        return self.run(read_pieces, path, cutting, memory_gb=cutting.memory_gb)

    def run(self, function: Callable[..., Iterator[Any]], *args: Any, memory_gb: float) -> Iterator[Any]:
        """What `function(*args)` yields in the child; all of it goes through a pipe. UnusableVideo when the child is lost,
        gives nothing for `timeout_s` or needs more than `memory_gb` [GB], and where `function` raises it.
        """
        finished = False
        try:
            self._send((function, args, memory_gb))
            while (answer := self._answer()) is not None:
                if isinstance(answer, UnusableVideo | DecoderMissing):
                    finished = True
                    raise answer
                yield answer
            finished = True
        finally:
            if not finished:  # answers are still to come; the next video must not see them
                self.stop()

    def _send(self, request: Any) -> None:
        """To the child, or to a new one where there is none, or it was killed while it waited."""
        if self.process is None or not self.process.is_alive():
            self.stop()
            self._start()
        with suppress(OSError):  # one that died at this moment gives no answer, which tells how it died
            self._pipe.send(request)

    def _answer(self) -> Any:
        try:
            if not self._pipe.poll(self.timeout_s):
                raise DecoderLost(f"hangs the decoder: nothing for {self.timeout_s:g} s (timeout_s)")
            return self._pipe.recv()
        except (EOFError, OSError) as error:  # OSError: it was killed in the middle of an answer
            self.process.join()
            code = self.process.exitcode  # a Python error has 1, and has told its trace on stderr
            how = signal.Signals(-code).name if code < 0 else f"status {code}, trace above"
            raise DecoderLost(f"crashes the decoder ({how})") from error

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        try:
            assert self._pipe.recv() == READY
        except EOFError as error:  # no video's fault
            raise RuntimeError("no decoding process can be started; see the trace above") from error

    def stop(self) -> None:
        """End the child; the next `read` starts another."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self._pipe.close()
        self.process = None


def shared_decoder(timeout_s: float) -> Decoder:
    """This process's decoder, kept from one video to the next (a fork must not talk into its parent's pipe)."""
    return _decoder_of(os.getpid(), timeout_s)


@lru_cache(maxsize=1)
def _decoder_of(_pid: int, timeout_s: float) -> Decoder:
    return Decoder(timeout_s=timeout_s)


def _serve(pipe: Connection) -> None:
    """The child: answer each request with pieces and a final None, or with an UnusableVideo; end with the parent."""
    import decord

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes the pipe
    decord.logging.set_level(decord.logging.QUIET)
    pipe.send(READY)
    at_rest_bytes = 0
    while True:
        try:
            function, args, memory_gb = pipe.recv()
        except (EOFError, ConnectionResetError):  # the parent ended, or was killed
            return
        at_rest_bytes = at_rest_bytes or _data_bytes()  # with the modules that the first request brought
        try:
            _cap_memory(at_rest_bytes + round(memory_gb * 1e9))
            for answer in function(*args):
                pipe.send(answer)
            pipe.send(None)
        except UnusableVideo as fault:
            pipe.send(UnusableVideo(str(fault)))
        except DecoderMissing as fault:
            pipe.send(DecoderMissing(str(fault)))
        except MemoryError:
            pipe.send(UnusableVideo(f"needs more than {memory_gb:g} GB of memory (source.cutting.memory_gb)"))
        except BrokenPipeError:
            return


def _data_bytes() -> int:
    return int(STATM.read_text().split()[5]) * resource.getpagesize() if STATM.exists() else 0


def _cap_memory(max_bytes: int) -> None:
    """End allocations beyond it. Data, not address space: threads and GPU drivers reserve much of that and use little.
    Only Linux counts so.
    """
    if STATM.exists():
        resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))
