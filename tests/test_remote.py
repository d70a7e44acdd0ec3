"""policy.server.client: no answer is taken for another's, and what ends a connection is named."""

import threading
import time
from contextlib import contextmanager

import pytest
import torch
from websockets.sync.server import serve

from lapa.records import Observation
from policy.server.client import Remote
from policy.server.message import pack, unpack

FACTS = {
    "hash": "first", "embodiment": "panda", "cameras": [], "state_names": ["x"], "action_names": ["x"],
    "chunk_steps": 1, "fps": 10, "image_px": 8,
}  # fmt: skip


@contextmanager
def odd_server(facts):
    """Gives the state back as the action; answers "late" after a while, to "bad" with words, to "end" by leaving."""

    def answer(line):
        line.send(pack(facts))
        for message in line:
            asked = unpack(message, max_bytes=2**16)
            if asked["text"] == "end":
                return
            if asked["text"] == "late":
                time.sleep(0.6)
            line.send("bad observation" if asked["text"] == "bad" else pack({"actions": asked["state"][None]}))

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def remote():
    facts = dict(FACTS)
    with odd_server(facts) as port:
        one = Remote(
            host="127.0.0.1", port=port, token_variable="LAPA_TEST_TOKEN", max_connections=2, max_message_bytes=2**16,
            timeout_s=0.3,
        )  # fmt: skip
        one.server_facts = facts  # what the server will say next
        yield one
        one.close()


def see(value, text=""):
    return Observation({}, text, torch.tensor([float(value)]))


def acted(chunks):
    return [float(chunk.actions[0, 0]) for chunk in chunks]


def test_an_answer_that_came_too_late_is_nobodys(remote):
    with pytest.raises(TimeoutError):
        remote.act(see(1, "late"))
    assert [acted([remote.act(see(value))])[0] for value in (2, 3)] == [2, 3]


def test_a_refusal_leaves_no_answer_behind(remote):
    with pytest.raises(ValueError, match="bad observation"):
        remote.act_batch([see(0, "bad"), see(10)])
    assert acted(remote.act_batch([see(20), see(21), see(22)])) == [20, 21, 22]


def test_a_server_that_leaves_is_named_and_found_again(remote):
    with pytest.raises(ValueError, match=r"ws://127.0.0.1:\d+ has ended the connection"):
        remote.act(see(1, "end"))
    assert acted([remote.act(see(2))]) == [2]


def test_another_policy_behind_the_same_address_is_refused(remote):
    remote.close()
    remote.server_facts["hash"] = "second"
    with pytest.raises(ValueError, match="has another policy now: first → second"):
        remote.act(see(1))
