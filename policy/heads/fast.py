"""Hidden states of the k queries and the robot's state in; a chunk told token by token by a small language model out."""

import logging
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaModel

from policy.heads.action import Examples
from policy.heads.tokens import FastTokens

log = logging.getLogger(__name__)
IGNORED = -100  # cross_entropy's word for "no target"


class FastHead(nn.Module):
    """FAST tokens (policy/heads/tokens.py), each from those before it; trained with cross-entropy, acting is greedy.

    The decoder is a Llama that reads [k hidden states, state, begin, tokens …]. `counts` since the head was built: the
    `chunks` that were asked for, and those that it told no chunk for and answered with zeros, `malformed`.
    """

    def __init__(
        self, *, width: int, codes_per_step: int, state_dim: int, action_dim: int, chunk_steps: int,
        statistics: dict[str, Any], num_tokens: int, scale: float, decoder_width: int, depth: int, num_heads: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.tokens = FastTokens(fitted=statistics["head"], scale=scale, chunk_steps=chunk_steps, action_dim=action_dim)
        self.longest, self.counts = chunk_steps * action_dim, {"chunks": 0, "malformed": 0}
        self.edge = self.tokens.num_tokens  # begins a row, and ends it
        self.hidden, self.state = nn.Linear(width, decoder_width), nn.Linear(state_dim, decoder_width)
        self.decoder = LlamaModel(_llama(self.edge + 1, decoder_width, depth, num_heads))
        self.read = nn.Linear(decoder_width, self.edge + 1)

    @staticmethod
    def fit(examples: Examples, *, num_tokens: int, scale: float, **_own: Any) -> dict[str, Any]:
        """The vocabulary."""
        return FastTokens.fit(_held(examples), num_tokens=num_tokens, scale=scale)

    def loss(
        self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"], wanted: Float[Tensor, "b n a"],
        mask: Bool[Tensor, "b n a"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """Cross-entropy [nats] of the next token, the end among them; a row all masked tells none. Tokens are made on the CPU."""
        held = _held(Examples(wanted.detach().float().cpu().numpy(), mask.cpu().numpy()))
        ids = self._padded(self.tokens.encode(held.chunks)).to(hidden.device)
        ids[~mask.flatten(1).any(dim=1).to(ids.device)] = IGNORED
        begin = torch.full_like(ids[:, :1], self.edge)
        words = self.decoder.embed_tokens(torch.cat([begin, ids[:, :-1].clamp(min=0)], dim=1))
        prefix = self._prefix(hidden, state)
        found = self.decoder(inputs_embeds=torch.cat([prefix, words], dim=1)).last_hidden_state
        logits = self.read(found[:, prefix.shape[1] :]).float()
        total = nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten(), ignore_index=IGNORED, reduction="sum")
        return total / (ids != IGNORED).sum()

    def act(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """The likeliest token after the other, until every row has ended or is as long as a chunk can be."""
        rows = self._told(hidden, state).tolist()
        ends = [[*row, self.edge].index(self.edge) for row in rows]
        chunks, malformed = self.tokens.decode([row[:end] for row, end in zip(rows, ends, strict=True)])
        self._count(len(rows), malformed)
        return torch.from_numpy(chunks).to(hidden.device)

    def _count(self, chunks: int, malformed: int) -> None:
        """Logged at the 1st, 2nd, 4th … malformed chunk: a policy that is often answered so has not learnt its tokens."""
        before = self.counts["malformed"]
        self.counts = {"chunks": self.counts["chunks"] + chunks, "malformed": before + malformed}
        if self.counts["malformed"].bit_length() > before.bit_length():
            log.warning(
                "FAST: %(malformed)d of %(chunks)d chunks were malformed, and answered with the mean", self.counts
            )

    def _told(self, hidden: Tensor, state: Tensor) -> Int64[Tensor, "b w"]:
        """Greedy rows; what stands behind a row's end means nothing."""
        cache = DynamicCache(config=self.decoder.config)
        begin = self.decoder.embed_tokens(torch.full((len(hidden), 1), self.edge, device=hidden.device))
        given, rows = torch.cat([self._prefix(hidden, state), begin], dim=1), list[Tensor]()
        ended = torch.zeros(len(hidden), dtype=torch.bool, device=hidden.device)
        while len(rows) < self.longest and not ended.all():
            found = self.decoder(inputs_embeds=given, past_key_values=cache, use_cache=True).last_hidden_state
            rows.append(self.read(found[:, -1]).argmax(dim=-1))
            ended |= rows[-1] == self.edge
            given = self.decoder.embed_tokens(rows[-1])[:, None]
        return torch.stack(rows, dim=1)

    def _prefix(self, hidden: Tensor, state: Tensor) -> Float[Tensor, "b p d"]:
        return torch.cat([self.hidden(hidden), self.state(state)[:, None]], dim=1)

    def _padded(self, rows: list[list[int]]) -> Int64[Tensor, "b w"]:
        width = max(len(row) for row in rows) + 1
        return torch.tensor([[*row, self.edge, *[IGNORED] * (width - 1 - len(row))] for row in rows])


def _held(examples: Examples) -> Examples:
    """Every step that does not exist like the one before it, and zero where there is no joint: tokens tell a whole chunk."""
    chunks = np.where(examples.mask, examples.chunks, 0.0).astype(np.float32)
    for step in range(1, chunks.shape[1]):
        chunks[:, step] = np.where(examples.mask[:, step], chunks[:, step], chunks[:, step - 1])
    return Examples(chunks, np.ones(chunks.shape, bool))


def _llama(num_tokens: int, width: int, depth: int, num_heads: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=num_tokens, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=depth,
        num_attention_heads=num_heads, num_key_value_heads=num_heads, use_cache=False, bos_token_id=None,
        eos_token_id=None,
    )  # fmt: skip
