"""A dialogue in, the reply of a causal model of transformers out, token by token within the schema when there is one."""

import time
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList

from sim_finetune.language_models import Message, Reply
from sim_finetune.language_models.mask import SchemaMask, token_table


class Local:
    """A model by `source`, its name on the hub or a folder; loaded at the first reply.

    gguf_file: the file there when its weights are GGUF ("": safetensors, and never anything pickled);
    constrained: hold replies to the schema; device: "auto" is a GPU where there is one.
    """

    def __init__(
        self, *, source: str, gguf_file: str, device: str, dtype: str, constrained: bool, temperature: float, top_p: float,
        max_tokens: int,
    ):  # fmt: skip
        self.source, self.gguf_file, self.dtype, self.constrained = source, gguf_file, dtype, constrained
        self.name = (
            gguf_file.removesuffix(".gguf") or Path(source).name
        )  # a folder of this machine is nobody's business
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.temperature, self.top_p, self.max_tokens = temperature, top_p, max_tokens

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        """Tokenizer and model; ValueError when there is no such model."""
        ours: dict[str, Any] = {"trust_remote_code": False}
        ours |= {"gguf_file": self.gguf_file} if self.gguf_file else {}
        weights = ours if self.gguf_file else ours | {"use_safetensors": True}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.source, **ours)
            model = AutoModelForCausalLM.from_pretrained(self.source, dtype=getattr(torch, self.dtype), **weights)
        except OSError as error:
            fault = str(error).splitlines()[0]
            raise ValueError(f"no language model {self.source!r} here or on the hub: {fault}") from error
        return tokenizer, model.to(self.device).eval()  # type: ignore[arg-type]

    @cached_property
    def _table(self) -> Any:
        tokenizer, model = self._parts
        return token_table(tokenizer, model.config.vocab_size)

    def reply(self, dialogue: list[Message], *, schema: dict[str, Any] | None, seed: int) -> Reply:
        """A sampled reply; equal arguments give equal text on the same machine. ValueError when the prompt is too long."""
        tokenizer, model = self._parts
        started, prompt = time.monotonic(), self._prompt(dialogue)
        length, room = prompt.shape[1], getattr(model.config, "max_position_embeddings", 1 << 30)
        if length + self.max_tokens > room:
            raise ValueError(
                f"{self.name} reads {room} tokens; {length} of prompt and {self.max_tokens} of reply do not fit"
            )
        masks = []
        if schema is not None and self.constrained:
            size = model.config.vocab_size
            masks = [SchemaMask(table=self._table, schema=schema, vocabulary=size, prompt_length=length)]
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(seed)
            out = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=self.temperature > 0, top_k=None,
                temperature=self.temperature or None, top_p=self.top_p, max_new_tokens=self.max_tokens,
                pad_token_id=tokenizer.eos_token_id, eos_token_id=_ends(tokenizer, model),
                logits_processor=LogitsProcessorList(masks),
            )  # fmt: skip
        text = tokenizer.decode(out[0, length:], skip_special_tokens=True)
        return Reply(text, length, out.shape[1] - length, time.monotonic() - started)

    def _prompt(self, dialogue: list[Message]) -> torch.Tensor:
        """Int64[1 t]: by the model's own template, or roles and texts line by line when it has none."""
        tokenizer, _ = self._parts
        if tokenizer.chat_template:
            turns = [{"role": message.role, "content": message.text} for message in dialogue]
            text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            return tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"].to(self.device)
        text = "".join(f"{message.role}: {message.text}\n" for message in dialogue) + "assistant: "
        return tokenizer(text, return_tensors="pt")["input_ids"].to(self.device)


def _ends(tokenizer: Any, model: Any) -> list[int]:
    """Tokens that end a reply: the tokenizer's, which closes a schema, and those that the model was taught."""
    taught = model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(taught if isinstance(taught, list) else [taught])} - {None})
