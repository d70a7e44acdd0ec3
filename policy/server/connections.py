"""A policy and limits in, a running websocket server out that speaks openpi's protocol; a bad client harms only itself.

A client connects, is sent a map that describes the policy, sends an observation (binary msgpack) and is sent actions and
timings, or text when something was wrong with it; and so on. GET /healthz on the same port answers OK.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from websockets.asyncio.server import Request, Response, Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from policy.server.batches import Batches
from policy.server.message import pack, unpack
from policy.server.request import Keys, Served, read_observation

SCHEMES = ("bearer", "api-key")  # in any case; the second is what openpi's client sends
FAULT_CHARS = 400  # at each end of an error that is told: an instruction may stand in it
log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """What clients may use up."""

    max_connections: int
    max_handshakes: int  # connections that have not asked for anything yet: a further one drops the oldest
    max_message_bytes: int
    handshake_s: float
    idle_s: float  # without a request
    shutdown_s: float  # for requests under way


class _Newcomer(ServerConnection):
    """Tells its server when it comes and goes, which websockets does only after a handshake."""

    def __init__(self, *args: Any, room: "PolicyServer", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._room = room

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._room.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.gone(self)
        super().connection_lost(exc)


class PolicyServer:
    """token: None lets everybody in, an empty one nobody. max_batch, max_wait_ms: see Batches. keys, resize: read_observation."""

    def __init__(
        self, *, policy: Served, keys: Keys, resize: bool, token: str | int | None, limits: Limits, max_batch: int,
        max_wait_ms: float,
    ) -> None:  # fmt: skip
        self.policy, self.limits = policy, limits
        self._token = None if token is None else str(token).strip().encode()
        if self._token == b"":
            raise ValueError("token is empty, which would let everybody in: give one, or token=null")
        self._read = partial(read_observation, policy=policy, keys=keys, resize=resize)
        self._batches = Batches(
            act=policy.act_batch, max_batch=max_batch, max_wait_ms=max_wait_ms, clients=lambda: len(self._open)
        )
        self._metadata = pack(describe(policy) | {"resizes": resize})
        self._waiting: dict[ServerConnection, None] = {}  # for their handshake, the oldest first
        self._open: set[ServerConnection] = set()
        self._busy: set[ServerConnection] = set()
        self._leaving = False

    async def run(self, host: str, port: int, *, stop: asyncio.Event, ready: Callable[[int], None]) -> None:
        """Serve until `stop` is set; `ready` is told the port. Requests under way are still answered."""
        quiet = logging.getLogger(f"{__name__}.handshakes")
        quiet.setLevel(logging.CRITICAL)  # what clients do wrong is no fault of the server, and would fill its log
        settings: dict[str, Any] = {"process_request": self._admit, "compression": None, "server_header": None}
        settings |= {"max_size": self.limits.max_message_bytes, "max_queue": 2, "close_timeout": 2, "logger": quiet}
        settings |= {"open_timeout": self.limits.handshake_s, "create_connection": partial(_Newcomer, room=self)}
        work = asyncio.create_task(self._batches.run())
        work.add_done_callback(lambda _: stop.set())  # without it nobody would be answered
        try:
            async with serve(self._talk, host, port, **settings) as server:
                ready(server.sockets[0].getsockname()[1])
                await stop.wait()
                await self._leave(server)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    def came(self, connection: ServerConnection) -> None:
        """Somebody opened a connection. Of too many that say nothing the oldest must go."""
        self._waiting[connection] = None
        if len(self._waiting) > self.limits.max_handshakes:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.transport.abort()

    def gone(self, connection: ServerConnection) -> None:
        """It is closed, by whomever."""
        self._waiting.pop(connection, None)
        self._open.discard(connection)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to an HTTP request that does not become a websocket, or None when it may."""
        self._waiting.pop(connection, None)
        if request.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        if request.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "only / (websocket) and /healthz are here\n")
        if not self._known(request.headers.get_all("Authorization")):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong or missing token\n")
        if self._leaving or len(self._open) >= self.limits.max_connections:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no room for another client\n")
        self._open.add(connection)
        return None

    def _known(self, headers: list[str]) -> bool:
        if self._token is None:
            return True
        scheme, _, given = (headers[0] if len(headers) == 1 else "").partition(" ")
        return hmac.compare_digest(given.strip().encode(), self._token) and scheme.lower() in SCHEMES

    async def _talk(self, connection: ServerConnection) -> None:
        try:
            await connection.send(self._metadata)
            while not self._leaving:
                async with asyncio.timeout(self.limits.idle_s):
                    message = await connection.recv()
                self._busy.add(connection)
                await connection.send(await self._reply(message))
                self._busy.discard(connection)
            await connection.close(CloseCode.GOING_AWAY, "the server stops")
        except TimeoutError:
            await connection.close(CloseCode.NORMAL_CLOSURE, f"no request for {self.limits.idle_s:g} s")
        except ConnectionClosed:
            pass  # the client has left, or what it sent was no websocket message: closed with the reason
        finally:
            self._busy.discard(connection)

    async def _reply(self, message: bytes | str) -> bytes | str:
        """Actions and timings, or what is wrong with this request."""
        started = time.perf_counter()
        try:
            if isinstance(message, str):
                raise ValueError("a request is a binary message (msgpack), not text")
            observation = self._read(unpack(message, max_bytes=self.limits.max_message_bytes))
            self.policy.check(observation)
            answer = await self._batches.ask(observation)
        except (ValueError, TypeError) as error:
            return _short(str(error))
        except Exception:
            log.exception("a request failed")
            return "the server failed on this request; its log says why"
        timing = {"queue_ms": answer.queue_ms, "model_ms": answer.model_ms, "batch": answer.batch, **self.policy.counts}
        timing["total_ms"] = (time.perf_counter() - started) * 1e3
        return pack({"actions": answer.chunk.actions.numpy(), "server_timing": timing})

    async def _leave(self, server: Server) -> None:
        """Idle clients are told to go, those with a request get their answer first."""
        self._leaving = True
        idle = [connection for connection in server.connections if connection not in self._busy]
        await asyncio.gather(*(connection.close(CloseCode.GOING_AWAY, "the server stops") for connection in idle))
        deadline = time.perf_counter() + self.limits.shutdown_s
        while self._busy and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)


def _short(words: str) -> str:
    return words if len(words) <= 2 * FAULT_CHARS else f"{words[:FAULT_CHARS]} … {words[-FAULT_CHARS:]}"


def describe(policy: Served) -> dict[str, Any]:
    """What a client is told first: whom the policy moves, what it must be sent, what comes back, how often."""
    lists = {key: list(getattr(policy, key)) for key in ("cameras", "state_names", "action_names")}
    plain = {key: getattr(policy, key) for key in ("hash", "embodiment", "chunk_steps", "fps", "image_px")}
    return plain | lists | {"statistics": {"state": policy.facts["statistics"]["state"]}}
