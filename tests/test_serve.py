"""lapa serve: openpi's own client drives a rollout; batches, tokens, health, a clean end, a remote and a late player."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest
import torch
from small_sim import studio, task, task_folder

from lapa.config import compose
from policy import infer, serve
from policy.server.client import Remote
from sim_finetune import rollout
from sim_finetune.episode import make_env
from sim_finetune.games import play_through, play_together
from sim_finetune.players import Learnt, observe
from tests import policy_toys as toys
from tests import serving


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return serving.toy_checkpoint(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def port(checkpoint):
    with serving.running(serving.build(checkpoint)) as port:
        yield port


def openpi(port: int, api_key: str | None = None):
    """The PyPI client, as it is."""
    module = pytest.importorskip("openpi_client.websocket_client_policy")
    return module.WebsocketClientPolicy("127.0.0.1", port, api_key)


def remote(port: int) -> Remote:
    return Remote(
        host="127.0.0.1", port=port, token_variable="LAPA_TEST_TOKEN", max_connections=4, max_message_bytes=2**20,
        timeout_s=20,
    )  # fmt: skip


def test_openpis_client_is_told_the_policy_and_gets_its_actions(port, checkpoint):
    client, policy = openpi(port), infer.load(checkpoint, device="cpu")
    told = client.get_server_metadata()
    assert told["embodiment"] == "panda" and told["cameras"] == ["front"] and told["hash"] == policy.hash
    assert told["action_names"] == ["joint1", "joint2", "gripper"] and (told["chunk_steps"], told["fps"]) == (8, 10)
    request = serving.toy_request(1)
    reply = client.infer(request)
    seen = infer.Observation(
        {"front": torch.from_numpy(request["observation/image"]).permute(2, 0, 1)}, request["prompt"],
        torch.from_numpy(request["observation/state"]).float(),
    )  # fmt: skip
    assert np.array_equal(reply["actions"], policy.act(seen).actions.numpy())
    assert {"queue_ms", "model_ms", "batch", "total_ms"} == reply["server_timing"].keys()
    assert reply["server_timing"]["total_ms"] >= reply["server_timing"]["model_ms"] > 0


def test_a_reply_tells_how_many_chunks_were_malformed(tmp_path):
    small = ["head@model.head=fast", "model.head.num_tokens=256", "model.head.decoder_width=32"]
    with serving.running(serving.build(serving.toy_checkpoint(tmp_path, *small))) as port:
        client = openpi(port)
        timings = [client.infer(serving.toy_request(i))["server_timing"] for i in range(2)]
    assert [timing["chunks"] for timing in timings] == [1, 2]
    assert 0 <= timings[0]["malformed"] <= timings[1]["malformed"] <= 2


@pytest.fixture(scope="module")
def panda_port(tmp_path_factory):
    """A server whose policy moves the simulated Panda."""
    root = tmp_path_factory.mktemp("panda")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toys, "NAMES", studio().embodiment.action_names)
        patch.setattr(toys, "demo", _panda_demo)
        checkpoint = serving.toy_checkpoint(root)
    with serving.running(serving.build(checkpoint)) as port:
        yield port, checkpoint


def _panda_demo(seed, cameras, joints):
    rng = np.random.default_rng(seed)
    home = np.array([*studio().embodiment.home, 1.0], np.float32)
    state = home + np.cumsum(rng.normal(0, 0.02, (toys.FRAMES, len(home))), axis=0).astype(np.float32)
    about = {"text": "reach the red block", "fps": 10}
    return {"__key__": f"d{seed}", "json": about, "mp4": toys.video(seed), "state.npy": state, "action.npy": state}


def test_openpis_client_drives_a_rollout(panda_port):
    port, checkpoint = panda_port
    client, policy = openpi(port), infer.load(checkpoint, device="cpu")
    env = make_env(task("reach"), studio(max_steps=8))
    env.reset(seed=3_000_000)
    moved, start = 0, env.state()
    while moved < 8:
        pictures = {"front": env.draw("front")}
        actions = client.infer({"images": pictures, "state": env.state(), "prompt": env.task_description})["actions"]
        assert np.array_equal(actions, policy.act(observe(env)).actions.numpy())
        for action in actions[:4]:
            *_, info = env.step(action)
            moved += 1
    assert not np.allclose(env.state(), start) and "progress" in info


def test_a_remote_player_plays_as_a_local_one(panda_port):
    port, checkpoint = panda_port
    rows = []
    far = remote(port)
    for policy in (infer.load(checkpoint, device="cpu"), far):
        envs = [make_env(task("reach"), studio(max_steps=4)) for _ in range(3)]
        games = [play_through(env, seed=3_000_000 + i, execute_steps=2) for i, env in enumerate(envs)]
        rows.append([(one.row, one.physics[-1]) for one in play_together(games, Learnt(policy=policy))])
    far.close()
    for (one, physics), (other, far_physics) in zip(*rows, strict=True):
        assert one == other
        np.testing.assert_allclose(physics, far_physics, rtol=1e-4, atol=1e-4)  # batches of other sizes


def test_the_rollout_door_plays_through_a_server(panda_port, tmp_path, monkeypatch):
    port, checkpoint = panda_port
    monkeypatch.setenv("LAPA_TOKEN", "not to be written down")
    tasks = task_folder(tmp_path / "tasks", "reach")
    small = ["episodes_per_task=2", "studio.image_px=32", "studio.max_steps=4", "videos_per_task=0", f"tasks={tasks}"]
    door = [*small, "policy=remote", f"policy.policy.port={port}"]
    rollout.main(compose("rollout", [*door, f"out={tmp_path / 'far'}"]))
    rollout.main(compose("rollout", [*small, f"checkpoint={checkpoint}", f"out={tmp_path / 'near'}"]))
    far, near = ((tmp_path / name / "episodes.jsonl").read_text() for name in ("far", "near"))
    assert far == near and infer.load(checkpoint, device="cpu").hash in far
    assert not any("written down" in path.read_text() for path in (tmp_path / "far").glob("*.json"))
    with pytest.raises(
        ValueError, match=r"ws://.* does not fit this robot.*: embodiment: panda → ur5e .*; state_names: 8 "
    ):
        rollout.main(compose("rollout", [*door, "embodiment=ur5e", f"out={tmp_path / 'wrong'}"]))
    with pytest.raises(ValueError, match=r"execute_steps: 8 → 9"):
        rollout.main(compose("rollout", [*door, "execute_steps=9", f"out={tmp_path / 'long'}"]))


def test_the_wrong_robot_is_named_before_serving(checkpoint):
    with pytest.raises(ValueError, match=r"embodiment: panda → ur5e .*; fps: 10 → 30"):
        serve.main(compose("serve", [f"checkpoint={checkpoint}", "port=0", "robot={embodiment: ur5e, fps: 30}"]))


def test_several_clients_share_a_forward_pass(checkpoint):
    server = serving.build(checkpoint, "server.max_wait_ms=1000")
    with serving.running(server) as port:
        clients = [openpi(port) for _ in range(4)]
        replies: list[dict] = [{}] * 4
        threads = [
            threading.Thread(target=lambda i=i: replies.__setitem__(i, clients[i].infer(serving.toy_request(i))))
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [reply["server_timing"]["batch"] for reply in replies] == [4] * 4  # and none waited for a fifth
        assert all(reply["server_timing"]["queue_ms"] < 1000 for reply in replies)
        alone = [clients[0].infer(serving.toy_request(i))["actions"] for i in range(1)]
        np.testing.assert_allclose(alone[0], replies[0]["actions"], atol=1e-5)


def test_one_client_waits_for_nobody(checkpoint):
    with serving.running(serving.build(checkpoint, "server.max_wait_ms=5000")) as port:
        started = time.perf_counter()
        assert openpi(port).infer(serving.toy_request())["server_timing"]["batch"] == 1
        assert time.perf_counter() - started < 4


def test_a_token_is_asked_for_and_health_is_not(checkpoint, monkeypatch):
    from websockets.exceptions import InvalidStatus

    with serving.running(serving.build(checkpoint, "token=secret")) as port:
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read() == b"OK\n"
        for wrong in (None, "Secret", "secre", "secret2", ""):
            with pytest.raises(InvalidStatus, match="401"):
                openpi(port, wrong)
        assert openpi(port, "secret").infer(serving.toy_request())["actions"].shape == (8, 3)
        with pytest.raises(ValueError, match=r"ws://127.0.0.1:.* refuses: 401 "):
            remote(port)
        monkeypatch.setenv("LAPA_TEST_TOKEN", "secret")
        assert remote(port).embodiment == "panda"


def test_a_token_of_digits_is_one_and_an_empty_one_is_none(checkpoint):
    with serving.running(serving.build(checkpoint, "token=12345678")) as port:
        assert openpi(port, "12345678").infer(serving.toy_request())["actions"].shape == (8, 3)
    with pytest.raises(Exception, match="token is empty"):
        serving.build(checkpoint, "token=''")


def test_no_more_clients_than_allowed(checkpoint):
    from websockets.exceptions import InvalidStatus

    with serving.running(serving.build(checkpoint, "server.limits.max_connections=2")) as port:
        first, second = openpi(port), openpi(port)
        with pytest.raises(InvalidStatus, match="503"):
            openpi(port)
        second._ws.close()
        time.sleep(0.1)
        assert openpi(port).infer(serving.toy_request())["actions"].shape == (8, 3)
        assert first.infer(serving.toy_request())["actions"].shape == (8, 3)


def test_the_door_serves_until_sigterm(checkpoint):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lapa", "serve", f"checkpoint={checkpoint}", f"port={port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert f"ws://127.0.0.1:{port}" in line and "panda: front → 8 × 3 actions at 10 Hz" in line, line
    client = openpi(port)
    assert client.infer(serving.toy_request())["actions"].shape == (8, 3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0 and process.stdout.read() == ""
    with pytest.raises(Exception, match="1001"):
        client.infer(serving.toy_request())


def test_a_request_under_way_is_answered_before_the_end(checkpoint):
    server = serving.build(checkpoint)
    act, begun = server.policy.act_batch, threading.Event()

    def slow(observations):
        begun.set()
        time.sleep(0.5)
        return act(observations)

    server._batches._act = slow
    replies = []
    with serving.running(server) as port:
        client = openpi(port)
        thread = threading.Thread(target=lambda: replies.append(client.infer(serving.toy_request())))
        thread.start()
        assert begun.wait(5)
    thread.join(5)
    assert replies[0]["actions"].shape == (8, 3)
