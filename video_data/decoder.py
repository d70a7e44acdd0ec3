"""Decoding in a child process: a file that crashes or hangs the decoder costs that file and nothing else."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from video_data.decode import Cutting, Piece, read_pieces
from video_data.header import UnusableVideo

READY = "ready"


class Decoder:
    """A child process that reads one video after another; a new one is started when it has died."""

    def __init__(self, *, timeout_s: float):
        self.timeout_s = timeout_s  # to wait for the next piece before the decoder is taken to hang
        self.process: Any = None
        self._pipe: Any = None

    def read(self, path: Path, cutting: Cutting) -> Iterator[Piece]:
        """As `read_pieces`; UnusableVideo also when the decoder crashes or gives nothing for `timeout_s`."""
        if self.process is None:
            self._start()
        finished = False
        try:
            self._pipe.send((path, cutting))
            while (answer := self._answer()) is not None:
                if isinstance(answer, UnusableVideo):
                    finished = True
                    raise answer
                yield answer
            finished = True
        finally:
            if not finished:  # answers are still to come; the next video must not see them
                self.stop()

    def _answer(self) -> Piece | UnusableVideo | None:
        try:
            if not self._pipe.poll(self.timeout_s):
                raise UnusableVideo(f"hangs the decoder: nothing for {self.timeout_s:g} s (source.timeout_s)")
            return self._pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            self.process.join()
            code = self.process.exitcode  # a Python error has 1, and has told its trace on stderr
            how = signal.Signals(-code).name if code < 0 else f"status {code}, trace above"
            raise UnusableVideo(f"crashes the decoder ({how})") from error

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
    while True:
        try:
            path, cutting = pipe.recv()
        except EOFError:
            return
        try:
            for piece in read_pieces(path, cutting):
                pipe.send(piece)
            pipe.send(None)
        except UnusableVideo as fault:
            pipe.send(UnusableVideo(str(fault)))
        except MemoryError:
            pipe.send(UnusableVideo("needs more memory than there is"))
        except BrokenPipeError:
            return
