"""Laws of quantizer.published: LAPA's own codes and pictures from LAPA's own weights, and every other file or setting refused.

`data/published.safetensors` was made with LAPA's public code (commit 46aca51d, its inference on a CPU): random weights of
SMALL, of which the three code lengths share all but the second convolution (`weights.*`, `1.*`, `2.*`, `4.*`), two frame
pairs, and what it gave for them: latents (second frame's minus first's), codes and reconstructions. LAPA_PARITY may name a
folder with a larger case of the same kind: laq_config.json, laq_state.safetensors, laq_io.safetensors.
"""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from quantizer import published

SMALL = dict(
    dim=16, quant_dim=8, codebook_size=8, image_size=16, patch_size=2, spatial_depth=2, temporal_depth=1, dim_head=6, heads=3
)  # fmt: skip
REFERENCE = load_file(Path(__file__).parent / "data" / "published.safetensors")
BEFORE, AFTER = REFERENCE["pairs"].unbind(2)
LENGTHS = (1, 2, 4)


def part(prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in REFERENCE.items() if name.startswith(prefix)}


def weights(length):
    return part("weights.") | {name: tensor for name, tensor in part(f"{length}.").items() if name.startswith("vq.")}


def load(folder, content, length=4, **changed):
    """Save with torch, load with ours."""
    torch.save(content, folder / "laq.pt")
    return published.load(folder / "laq.pt", SMALL | {"code_seq_len": length} | changed)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {length: load(tmp_path_factory.mktemp("laq"), weights(length), length) for length in LENGTHS}


@pytest.mark.skipif("LAPA_PARITY" not in os.environ, reason="LAPA_PARITY names no folder with weights and answers")
def test_parity_with_a_folder():
    folder = Path(os.environ["LAPA_PARITY"])
    io = load_file(folder / "laq_io.safetensors")
    model = published.load(folder / "laq_state.safetensors", json.loads((folder / "laq_config.json").read_text()))
    before, after = io["pairs"].unbind(2)
    assert torch.equal(model.codes(before, after), io["codes"])
    assert (model.reconstruct(before, after) - io["reconstruction"]).abs().max() < 1e-4


@pytest.mark.parametrize("length", LENGTHS)
def test_codes_and_reconstruction_are_lapas(models, length):
    found = models[length].reconstruct(BEFORE, AFTER)
    assert torch.equal(models[length].codes(BEFORE, AFTER), REFERENCE[f"{length}.codes"])
    assert (models[length].encode(BEFORE, AFTER) - REFERENCE[f"{length}.latents"]).abs().max() < 1e-5
    assert found.dtype == torch.float32 and (found - REFERENCE[f"{length}.reconstruction"]).abs().max() < 1e-5


@pytest.mark.parametrize("length", LENGTHS)
def test_it_offers_what_ours_does(models, length):
    model, codes = models[length], REFERENCE[f"{length}.codes"]
    assert (model.num_codes, model.codes_per_step, model.image_px, model.training) == (8, length, 16, False)
    wanted = REFERENCE[f"{length}.reconstruction"].clamp(0, 1) * 255
    assert (model.decode(BEFORE, codes) - wanted).abs().max() < 1e-2
    assert (model.decode(BEFORE, (codes + 1) % 8) - wanted).abs().max() > 1  # the decoder listens to its codes
    assert not model.encode(BEFORE, AFTER).requires_grad


@pytest.mark.parametrize("length", LENGTHS)
def test_a_pair_is_alone_in_its_batch(models, length):
    generator = torch.Generator().manual_seed(0)
    before, after = torch.randint(0, 256, (2, 7, 3, 16, 16), dtype=torch.uint8, generator=generator)
    model = models[length]
    codes, images = model.codes(before, after), model.reconstruct(before, after)
    for i in range(len(before)):
        assert torch.equal(model.codes(before[i : i + 1], after[i : i + 1]), codes[i : i + 1])
        assert torch.allclose(model.reconstruct(before[i : i + 1], after[i : i + 1])[0], images[i], atol=1e-5)


def test_of_equally_near_rows_the_first_is_chosen(tmp_path):
    tensors = weights(4)
    once = load(tmp_path, tensors).codes(BEFORE, AFTER)
    twice = torch.cat((tensors["vq.codebooks"], tensors["vq.codebooks"]))
    model = load(tmp_path, tensors | {"vq.codebooks": twice}, codebook_size=16)
    assert torch.equal(model.codes(BEFORE, AFTER), once)


def test_loading_draws_no_random_numbers(tmp_path):
    before = torch.random.get_rng_state()
    load(tmp_path, weights(4))
    assert torch.equal(before, torch.random.get_rng_state())


def prefixed(prefix):
    return {f"{prefix}{name}": tensor for name, tensor in weights(4).items()}


def noise():
    return {name: torch.randn_like(tensor) for name, tensor in weights(4).items()}


WRAPPED = {
    "module.": lambda: prefixed("module."),
    "compiled, then distributed": lambda: prefixed("module._orig_mod."),
    "compiled inside": lambda: {name.replace("layers.", "_orig_mod.layers."): t for name, t in weights(4).items()},
    "trainer's package": lambda: {
        "model": prefixed("module."),
        "optim": {"state": {0: {"step": torch.ones(1)}}},
        "steps": 9,
    },
    "nested": lambda: {"checkpoint": {"state_dict": weights(4)}},
    "average beside the trained one": lambda: (
        prefixed("ema_model.") | {f"online_model.{name}": t for name, t in noise().items()} | {"step": torch.ones(1)}
    ),
    "average in a package": lambda: {"model": noise(), "ema": weights(4)},
    "training only": lambda: (
        weights(4) | {"vq.codebooks_used": torch.ones(8, dtype=torch.int32), "discr.0.weight": torch.ones(2)}
    ),
    "double precision": lambda: {name: tensor.double() for name, tensor in weights(4).items()},
}


@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED)
def test_wrapped_weights_are_found(models, tmp_path, content):
    found = load(tmp_path, content()).state_dict()
    wanted = models[4].state_dict()
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_safetensors_are_read_too(models, tmp_path):
    save_file(weights(4), tmp_path / "laq.safetensors")
    model = published.load(tmp_path / "laq.safetensors", SMALL | {"code_seq_len": 4})
    assert torch.equal(model.codes(BEFORE, AFTER), REFERENCE["4.codes"])
    (tmp_path / "laq.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ValueError, match="is damaged"):
        published.load(tmp_path / "laq.safetensors", SMALL | {"code_seq_len": 4})


@pytest.mark.parametrize("name", ["vq.codebooks", "enc_temporal_transformer.layers.0.1.null_kv"])
def test_weights_that_do_not_fit_are_named(tmp_path, name):
    tensors = weights(4)
    tensor = tensors.pop(name)
    with pytest.raises(ValueError, match=f"{name} is missing.*1 in all"):
        load(tmp_path, tensors)
    with pytest.raises(ValueError, match=f"{name}s is not in this model.*1 in all"):
        load(tmp_path, weights(4) | {f"{name}s": tensor})
    with pytest.raises(ValueError, match=f"{name} has shape .*1 in all"):
        load(tmp_path, weights(4) | {name: tensor[:1]})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (dict(code_seq_len=2), r"cnn_encoder.2.weight has shape \(8, 8, 3, 3\), this model wants \(8, 8, 3, 4\)"),
        (dict(spatial_depth=1), "layers.1.* is not in this model"),
        (dict(temporal_depth=2), "enc_temporal_transformer.layers.1.* is missing"),
        (dict(heads=6, dim_head=3), "q_scale has shape"),
    ],
)
def test_settings_of_another_checkpoint_are_refused(tmp_path, changed, words):
    with pytest.raises(ValueError, match=words):
        load(tmp_path, weights(4), **changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (dict(depth=8), "unknown depth; LAPA's settings are dim, quant_dim, .*code_seq_len"),
        (dict(code_seq_len=3), "code_seq_len is 3; LAPA has 1, 2, 4, 16, 64, 256"),
        (dict(image_size=17), "image_size 17 is no multiple of patch_size 2"),
        (dict(image_size=32), "16 patches a side do not make 4 codes; image_size / patch_size must be 7 or 8"),
        (dict(image_size=(16, 16)), r"image_size is \(16, 16\); it must be a whole number"),
        (dict(heads=0), "heads is 0; it must be a whole number of at least 1"),
        (dict(dim="16"), "dim is '16'"),
        (dict(channels=1), "channels is 1; frames have 3"),
    ],
)
def test_wrong_settings_are_named(tmp_path, changed, words):
    with pytest.raises(ValueError, match=words):
        load(tmp_path, weights(4), **changed)


def test_missing_settings_are_named_and_idle_ones_allowed(tmp_path):
    torch.save(weights(4), tmp_path / "laq.pt")
    with pytest.raises(ValueError, match="settings lack code_seq_len; LAPA's settings are dim,"):
        published.load(tmp_path / "laq.pt", SMALL)
    load(tmp_path, weights(4), channels=3, attn_dropout=0.1, ff_dropout=0.0)


@pytest.mark.parametrize("content", [nn.Linear(2, 2), {"vq.codebooks": print}, Path("x")])
def test_objects_in_a_pickle_are_refused(tmp_path, content):
    with pytest.raises(ValueError, match="no PyTorch file of tensors alone, or damaged"):
        load(tmp_path, content)


@pytest.mark.parametrize("content", [[torch.ones(2)], {"steps": 3}, {}, 7])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="no state dict"):
        load(tmp_path, content)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    path, settings = tmp_path / "laq.pt", SMALL | {"code_seq_len": 4}
    with pytest.raises(ValueError, match="is no file"):
        published.load(path, settings)
    torch.save(weights(4), path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], pickle.dumps({"a": Path("x")}, protocol=2)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="no PyTorch file of tensors alone, or damaged"):
            published.load(path, settings)


def test_two_quantizers_in_one_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match="several quantizers: a., b."):
        load(tmp_path, {"a": weights(4), "b": weights(4)})


def test_other_frames_and_codes_are_refused(models):
    model = models[4]
    for before, after in ((BEFORE.float(), AFTER), (BEFORE, AFTER[..., :8]), (BEFORE[:1], AFTER), (BEFORE[:, :1],) * 2):
        with pytest.raises(ValueError, match=r"this quantizer reads uint8 \(\d, 3, 16, 16\)"):
            model.codes(before, after)
    with pytest.raises(ValueError, match=r"codes lie in \[0, 8\]; there are 0 … 7"):
        model.decode(BEFORE, torch.tensor([[0, 1, 2, 8]] * 2))
    with pytest.raises(ValueError, match=r"codes have shape \(2, 3\); expected \(2, 4\)"):
        model.decode(BEFORE, torch.zeros(2, 3, dtype=torch.int64))
