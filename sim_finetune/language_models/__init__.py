"""Language models: a dialogue and a JSON Schema in, a reply out. Whatever a reply holds is data and is never executed."""

from typing import Any, NamedTuple, Protocol


class Message(NamedTuple):
    """A turn of a dialogue. role: system, user or assistant."""

    role: str
    text: str


class Reply(NamedTuple):
    """What a model said and what it cost. Token counts are the model's own; 0 when it does not tell."""

    text: str
    prompt_tokens: int
    reply_tokens: int
    seconds: float


class LanguageModel(Protocol):
    """Anything that answers. name: says who it is, in provenance."""

    name: str

    def reply(self, dialogue: list[Message], *, schema: dict[str, Any] | None, seed: int) -> Reply:
        """The next turn; with a schema, held to it as well as this model can."""
