"""The address of a running `lapa serve` in; what policy.infer.load gives out, only that it is computed there."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lapa.records import ActionChunk, Observation
from policy.preflight import check_robot
from policy.server.message import pack, unpack

CLOSE_S = 1.0  # how long a server that is left may take to say so


class Remote:
    """A policy behind a websocket, with policy.infer.Policy's face. Several observations go through as many connections,
    so that the server can put them into one batch. max_connections: of this client; timeout_s: of one answer;
    token_variable: of the environment, holds the server's token or nothing. After an error the next call connects anew: an
    answer that came too late is nobody's.
    """

    def __init__(
        self, *, host: str, port: int, token_variable: str, max_connections: int, max_message_bytes: int,
        timeout_s: float,
    ) -> None:  # fmt: skip
        self._address, self._timeout_s, self._max_bytes = f"ws://{host}:{port}", timeout_s, max_message_bytes
        token = os.environ.get(token_variable)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._max_connections = max_connections
        self._lines: list[ClientConnection] = []
        self._open = ExitStack()
        self.facts: dict[str, Any] = {}
        self.facts = self._connect()
        self.hash, self.embodiment = self.facts["hash"], self.facts["embodiment"]
        self.cameras = tuple(self.facts["cameras"])
        self.state_names, self.action_names = tuple(self.facts["state_names"]), tuple(self.facts["action_names"])
        self.chunk_steps, self.fps, self.image_px = (self.facts[key] for key in ("chunk_steps", "fps", "image_px"))

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """As policy.infer.Policy's; a server that resizes takes pictures of any size."""
        facts = {key: value for key, value in self.facts.items() if key != "image_px" or not self.facts["resizes"]}
        check_robot(facts, robot, origin=f"the policy {self.hash} at {self._address}")

    def act(self, observation: Observation) -> ActionChunk:
        """The next n actions; ValueError when the server refuses the observation."""
        return self.act_batch([observation])[0]

    def act_batch(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """All are sent before the first answer is awaited, as far as there are connections.

        ValueError when the server refuses an observation or is gone, TimeoutError when an answer takes longer than timeout_s.
        """
        try:
            return self._ask(observations)
        except ConnectionClosed as gone:
            self.close()
            raise ValueError(f"{self._address} has ended the connection: {gone}") from gone
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave; a later call connects anew."""
        self._lines.clear()
        self._open.close()

    def _ask(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        while len(self._lines) < min(len(observations), self._max_connections):
            self._connect()
        chunks = []
        for start in range(0, len(observations), len(self._lines)):
            some = observations[start : start + len(self._lines)]
            for line, observation in zip(self._lines, some, strict=False):
                line.send(pack(request(observation)))
            chunks += [self._receive(line) for line in self._lines[: len(some)]]
        return [ActionChunk(torch.from_numpy(chunk["actions"].copy())) for chunk in chunks]

    def _connect(self) -> dict[str, Any]:
        """One more connection; returns what the server says of its policy. ValueError says why there is none."""
        try:
            line = connect(
                self._address, additional_headers=self._headers, compression=None, max_size=self._max_bytes,
                close_timeout=CLOSE_S,
            )  # fmt: skip
        except InvalidStatus as refused:
            raise ValueError(f"{self._address} refuses: {_said(refused)}") from refused
        except (OSError, InvalidHandshake) as error:
            raise ValueError(f"no policy at {self._address}: {error}; start one with `lapa serve`") from error
        self._lines.append(self._open.enter_context(line))
        facts = self._receive(line)
        if self.facts and facts["hash"] != self.facts["hash"]:
            raise ValueError(f"{self._address} has another policy now: {self.facts['hash']} → {facts['hash']}")
        return facts

    def _receive(self, line: ClientConnection) -> dict[str, Any]:
        reply = line.recv(timeout=self._timeout_s)
        if isinstance(reply, str):
            raise ValueError(f"{self._address}: {reply}")
        return unpack(reply, max_bytes=self._max_bytes)


def _said(refused: InvalidStatus) -> str:
    body = (refused.response.body or b"").decode(errors="replace").strip()
    return f"{refused.response.status_code} {body or refused.response.reason_phrase}"


def request(observation: Observation) -> dict[str, Any]:
    """An observation as the server's own keys name it."""
    images = {camera: picture.numpy() for camera, picture in observation.images.items()}
    return {"images": images, "state": observation.state.numpy(), "text": observation.text}
