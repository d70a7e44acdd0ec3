"""lapa serve and bad input: each gets one clear answer, the server stays up, and a second client never notices."""

import random
import re
import shutil
import socket
import time
import zlib

import msgpack
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from lapa import cli
from policy.server.message import MAX_ITEMS, pack, unpack
from tests import policy_toys as toys
from tests import serving

SMALL = ["server.limits.max_message_bytes=200000", "server.limits.handshake_s=3", "server.limits.max_handshakes=50"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return serving.toy_checkpoint(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def port(checkpoint):
    with serving.running(serving.build(checkpoint, *SMALL)) as port:
        yield port


@pytest.fixture
def neighbour(port):
    """A second client, connected before the bad one: it must be served as ever afterwards, on the same connection."""
    with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        before = ask(line, pack(serving.toy_request(7)))
        yield line
        after = ask(line, pack(serving.toy_request(7)))
        assert np.array_equal(before["actions"], after["actions"])


def ask(line, message):
    line.send(message)
    reply = line.recv(timeout=10)
    return reply if isinstance(reply, str) else unpack(reply, max_bytes=2**20)


def array(dtype: str = "|u1", shape=(32, 32, 3), data: bytes = b"\0" * 3072) -> dict:
    return {b"__ndarray__": True, b"dtype": dtype, b"shape": shape, b"data": data}


def without(key: str) -> dict:
    return {name: value for name, value in serving.toy_request().items() if name != key}


BLACK = np.zeros((32, 32, 3), np.uint8)
OBSERVATIONS = {
    "a wrong camera name": (without("observation/image") | {"images": {"wrist": BLACK}}, "no picture of camera 'front'"),
    "no state": (without("observation/state"), "no state (state or observation/state); this request has"),
    "no instruction": (without("prompt"), "no instruction (text or prompt)"),
    "an instruction that is none": (serving.toy_request(prompt=7), "must be text, got int"),
    "10,000 characters": (serving.toy_request(prompt="go " * 3333), "3333 words; this backbone reads max_words=64"),
    "NaN": (serving.toy_request(**{"observation/state": [0.0, np.nan, 1.0]}), "state is not finite at joint2"),
    "infinity by rounding": (serving.toy_request(**{"observation/state": [1e300, 0.0, 0.0]}), "not finite at joint1"),
    "another robot's state": (serving.toy_request(**{"observation/state": np.zeros(7)}), "state has 7 numbers; this policy"),
    "a table of states": (serving.toy_request(**{"observation/state": np.zeros((1, 3))}), "must be a row of numbers"),
    "a ragged state": (serving.toy_request(**{"observation/state": [[1.0], [1.0, 2.0]]}), "must be a row of numbers"),
    "a state of words": (serving.toy_request(**{"observation/state": ["a", "b", "c"]}), "must be a row of numbers"),
    "floats for pixels": (serving.toy_request(**{"observation/image": BLACK / 255}), "must be uint8 in [0, 255], got float64"),
    "a grey picture": (serving.toy_request(**{"observation/image": BLACK[..., 0]}), "must have shape [h, w, 3]"),
    "four channels": (serving.toy_request(**{"observation/image": np.zeros((8, 8, 4), np.uint8)}), "must have shape"),
    "an oblong picture": (serving.toy_request(**{"observation/image": np.zeros((8, 9, 3), np.uint8)}), "make it square"),
    "an empty picture": (serving.toy_request(**{"observation/image": np.zeros((0, 3, 3), np.uint8)}), "must have shape"),
}  # fmt: skip
MESSAGES = {
    "text": ("hello", "binary message"),
    "nothing": (b"", "this message cannot be read: Unpack failed"),
    "noise": (random.Random(0).randbytes(500), "cannot be read|a message is a map"),
    "half a message": (pack(serving.toy_request())[:1000], "incomplete input"),
    "two messages": (pack(serving.toy_request()) * 2, "extra data"),
    "a list": (msgpack.packb([1, 2]), "a message is a map with text keys; this one is a list"),
    "numbers as keys": (msgpack.packb({1: 2}), "int is not allowed for map key"),
    "a date": (msgpack.packb({"a": msgpack.Timestamp(1)}), "max_ext_len"),
    "deep lists": (b"\x81\xa1a" + b"\x91" * 100_000, "cannot be read"),
    "a list said to be long": (b"\x81\xa1a\xdd" + b"\xff" * 4, f"max_array_len\\({MAX_ITEMS}\\)"),
    "bytes said to be many": (b"\x81\xa1a\xc6" + b"\xff" * 4, "incomplete input"),
    "objects": (msgpack.packb({"a": array(dtype="|O")}), "arrays of '\\|O' are not read; choose one of uint8"),
    "records": (msgpack.packb({"a": array(dtype="V8")}), "'V8' are not read"),
    "a dtype that is none": (msgpack.packb({"a": array(dtype=[1])}), "are not read"),
    "a larger shape than bytes": (msgpack.packb({"a": array(shape=(2**31, 2**31))}), "has 3072 bytes"),
    "a negative shape": (msgpack.packb({"a": array(shape=(-1, 3072))}), "has 3072 bytes"),
    "an overflowing shape": (msgpack.packb({"a": array(shape=(2**63, 2))}), "has 3072 bytes"),
    "many axes": (msgpack.packb({"a": array(shape=[1] * 33)}), "at most 4 axes"),
    "a shape that is none": (msgpack.packb({"a": array(shape=None)}), "at most 4 axes"),
    "an array without data": (msgpack.packb({"a": array(data=None)}), "needs data"),
}


@pytest.mark.parametrize("fault", OBSERVATIONS)
def test_an_observation_that_does_not_fit(port, neighbour, fault):
    observation, words = OBSERVATIONS[fault]
    with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        reply = ask(line, pack(observation))
        assert isinstance(reply, str) and words in reply and len(reply) <= 1000, reply
        assert ask(line, pack(serving.toy_request()))["actions"].shape == (8, 3)  # the same connection goes on


@pytest.mark.parametrize("fault", MESSAGES)
def test_a_malformed_message(port, neighbour, fault):
    message, words = MESSAGES[fault]
    with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        reply = ask(line, message)
        assert isinstance(reply, str), reply
        assert re.search(words, reply), reply
        assert ask(line, pack(serving.toy_request()))["actions"].shape == (8, 3)


def test_pictures_of_another_size_are_scaled_or_refused(port, checkpoint):
    large = serving.toy_request(**{"observation/image": np.full((64, 64, 3), 200, np.uint8)})
    even = serving.toy_request(**{"observation/image": np.full((32, 32, 3), 200, np.uint8)})
    first = serving.toy_request(**{"observation/image": np.full((3, 32, 32), 200, np.uint8)})
    with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        replies = [ask(line, pack(request))["actions"] for request in (large, even, first)]
    assert np.array_equal(replies[0], replies[1]) and np.array_equal(replies[0], replies[2])
    with serving.running(serving.build(checkpoint, "server.resize=false")) as other:  # noqa: SIM117
        with connect(f"ws://127.0.0.1:{other}", compression=None) as line:
            line.recv()
            assert "'front' is 64 × 64; this policy reads 32 × 32" in ask(line, pack(large))


def test_oversized_messages_close_the_connection_only(port, neighbour):
    with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        with pytest.raises(ConnectionClosed, match="1009"):
            line.send(pack({"state": np.zeros(30_000)}))
            line.recv(timeout=10)


def test_compressed_messages_are_never_unpacked(port, neighbour):
    with connect(f"ws://127.0.0.1:{port}", compression="deflate") as line:
        assert not line.protocol.extensions  # offered, not agreed to
    bomb = zlib.compress(b"\0" * 10**8, wbits=-15)
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        received = raw.recv(4096)
        assert b"101" in received and b"deflate" not in received
        frame = (
            b"\xc2" + bytes([0x80 | 127]) + len(bomb).to_bytes(8, "big") + b"\0\0\0\0" + bomb
        )  # RSV1, a mask of zeros
        raw.settimeout(10)
        assert closes(raw, frame)


def closes(raw: socket.socket, frame: bytes) -> bool:
    """Whether the other side hangs up on it."""
    try:
        raw.sendall(frame)
        while raw.recv(4096):
            pass
    except (ConnectionResetError, BrokenPipeError):
        pass
    return True


def test_half_open_connections_are_dropped_and_keep_nobody_out(port, neighbour):
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    silent[150].sendall(b"GET / HTTP/1.1\r\nHost: half a requ")
    started = time.perf_counter()
    with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        assert ask(line, pack(serving.toy_request()))["actions"].shape == (8, 3)
    assert ask(neighbour, pack(serving.toy_request()))["actions"].shape == (8, 3)
    assert time.perf_counter() - started < 3  # before the silent ones are timed out
    for one in silent:
        one.settimeout(10)
        assert hangs_up(one)
        one.close()


def hangs_up(one: socket.socket) -> bool:
    try:
        return one.recv(100) == b""
    except ConnectionResetError:
        return True


def test_idle_clients_are_let_go(checkpoint):
    with serving.running(serving.build(checkpoint, "server.limits.idle_s=0.3")) as port:  # noqa: SIM117
        with connect(f"ws://127.0.0.1:{port}", compression=None) as line:
            line.recv()
            with pytest.raises(ConnectionClosed, match="no request for 0.3 s"):
                line.recv(timeout=5)


def test_a_fault_of_the_model_is_told_and_survived(checkpoint, caplog):
    server = serving.build(checkpoint)
    act = server._batches._act

    def broken(observations):
        if any(one.text == "break" for one in observations):
            raise RuntimeError("out of memory")
        return act(observations)

    server._batches._act = broken
    with serving.running(server) as port, connect(f"ws://127.0.0.1:{port}", compression=None) as line:
        line.recv()
        assert "the server failed" in ask(line, pack(serving.toy_request(prompt="break")))
        assert ask(line, pack(serving.toy_request()))["actions"].shape == (8, 3)
    assert "out of memory" in caplog.text


def one_line(checkpoint, capsys) -> str:
    """What `lapa serve` says of a checkpoint that it does not take."""
    with pytest.raises(SystemExit):
        cli.main(["serve", f"checkpoint={checkpoint}", "port=0"])
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_checkpoints_that_are_damaged_or_of_another_kind(checkpoint, tmp_path, capsys):
    def copy(name: str):
        return shutil.copytree(checkpoint, tmp_path / name)

    truncated, flipped, unsettled = copy("truncated"), copy("flipped"), copy("unsettled")
    weights = (checkpoint / "weights.safetensors").read_bytes()
    (truncated / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    (flipped / "weights.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    (unsettled / "settings.json").write_text((checkpoint / "settings.json").read_text()[:100])
    assert "weights.safetensors is damaged" in one_line(truncated, capsys)
    assert "its hash is not the one in manifest.json" in one_line(flipped, capsys)
    assert "settings.json is damaged" in one_line(unsettled, capsys)
    assert "holds no model" in one_line(tmp_path, capsys)

    clips = toys.write_clips(tmp_path / "clips")
    codes = toys.write_codes(tmp_path / "codes", clips)
    latent = tmp_path / "latent"
    serving.train(toys.train_config("latent_policy", f"clips={clips}", f"codes={codes}", f"out={latent}"))
    assert "kind 'latent', not an action policy" in one_line(latent, capsys)
