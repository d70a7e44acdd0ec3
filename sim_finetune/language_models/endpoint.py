"""A dialogue in, the reply of an OpenAI-compatible server out; nothing it sends is trusted, its size included."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from sim_finetune.language_models import Message, Reply

BLOCK_BYTES = 65_536
WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key is for the server that was named."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Endpoint:
    """POST `base_url`/chat/completions.

    key_variable: environment variable that holds the key ("": none is sent); constrained: send the schema as a strict
    response_format; timeout_s: for a whole reply; max_bytes: of its HTTP body; tries, wait_s: how often a busy or silent
    server is asked, and how long to wait before the second time (doubled each time).
    """

    def __init__(
        self, *, base_url: str, model: str, key_variable: str, constrained: bool, temperature: float, max_tokens: int,
        timeout_s: float, max_bytes: int, tries: int, wait_s: float,
    ):  # fmt: skip
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, not {base_url!r}")
        self.url, self.name, self.key_variable = base_url.rstrip("/") + "/chat/completions", model, key_variable
        self.constrained, self.temperature, self.max_tokens = constrained, temperature, max_tokens
        self.timeout_s, self.max_bytes, self.tries, self.wait_s = timeout_s, max_bytes, tries, wait_s
        self._opener = urllib.request.build_opener(_Stay)

    def reply(self, dialogue: list[Message], *, schema: dict[str, Any] | None, seed: int) -> Reply:
        """The first choice's text; ValueError when the server refuses, or stays silent or busy for `tries` times."""
        started, request = time.monotonic(), self._request(dialogue, schema, seed)
        for attempt in range(self.tries):
            try:
                return _read(self._ask(request), time.monotonic() - started)
            except urllib.error.HTTPError as error:
                fault = f"HTTP {error.code} {error.read(300).decode(errors='replace')!r}"
                if error.code not in WORTH_ANOTHER_TRY:
                    break
            except (OSError, http.client.HTTPException) as error:  # refused, timed out, cut off
                fault = str(error) or type(error).__name__
            if attempt < self.tries - 1:
                time.sleep(self.wait_s * 2**attempt)
        raise ValueError(f"{self.url} does not answer: {fault} ({attempt + 1} tries)")

    def _request(self, dialogue: list[Message], schema: dict[str, Any] | None, seed: int) -> urllib.request.Request:
        messages = [{"role": message.role, "content": message.text} for message in dialogue]
        body: dict[str, Any] = {"model": self.name, "messages": messages, "seed": seed}
        body |= {"temperature": self.temperature, "max_tokens": self.max_tokens}
        if schema is not None and self.constrained:
            named = {"name": "reply", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return urllib.request.Request(self.url, json.dumps(body).encode(), self._headers(), method="POST")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if not self.key_variable:
            return headers
        if self.key_variable not in os.environ:
            raise ValueError(f"the environment variable {self.key_variable} with the key for {self.url} is not set")
        return headers | {"Authorization": f"Bearer {os.environ[self.key_variable]}"}

    def _ask(self, request: urllib.request.Request) -> bytes:
        deadline, body = time.monotonic() + self.timeout_s, b""
        with self._opener.open(request, timeout=self.timeout_s) as answer:
            while block := answer.read1(BLOCK_BYTES):  # what is there: a server that drips cannot outlast the deadline
                body += block
                if len(body) > self.max_bytes:
                    raise ValueError(f"{self.url} sends more than {self.max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no whole reply within {self.timeout_s} s")
        return body


def _read(body: bytes, seconds: float) -> Reply:
    """The reply in a response; ValueError when it is not of the known form."""
    try:
        answer = json.loads(body)
        text, usage = answer["choices"][0]["message"]["content"] or "", answer.get("usage") or {}
        counts = [int(usage.get(name, 0)) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a chat completion: {body[:200].decode(errors='replace')!r}") from error
    if not isinstance(text, str):
        raise ValueError(f"not a chat completion: its content is a {type(text).__name__}")
    return Reply(text, counts[0], counts[1], seconds)
