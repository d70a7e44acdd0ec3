"""policy.latents, policy.score, policy.heads.future: mixtures and gaps, what validation tells, pictures foretold."""

import hydra
import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from lapa import checkpoint
from lapa.metrics import read_metrics
from lapa.stage import open_stage, read_manifest
from lapa.train import input_folders, main
from policy.heads.future import FutureDecoder
from policy.latents import Reading, Truth, take_steps
from policy.score import probe, reading, scores, tally
from tests import policy_toys as toys


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Clips with their codes, other clips with codes of the same codebook, and the first ones' codes at another gap."""
    root = tmp_path_factory.mktemp("latents")
    clips, other = toys.write_clips(root / "clips"), toys.write_clips(root / "other", first=20)
    with open_stage(OmegaConf.create({"out": str(root / "slow")}), {"clips": clips}) as stage:
        rows = {f"c{i}": np.full((toys.FRAMES - 8, 4), i % 8, np.int16) for i in range(20)}
        save_file(rows, root / "slow" / "codes-000000.safetensors")
        stage.finish(record="LatentStep", count=20, num_codes=8, codes_per_step=4, gap_s=0.8, fps=10)
    toys.write_codes(root / "codes", clips)
    toys.write_codes(root / "other_codes", other, count=40)
    return root


def words(folders, *more):
    return [f"clips={folders / 'clips'}", f"codes={folders / 'codes'}", *more]


def mixed(folders, name, clips, codes, weight=1.0):
    return f"mixture={{{name}: {{clips: {folders / clips}, codes: {folders / codes}, weight: {weight}}}}}"


def built(folders, *more):
    cfg = toys.train_config("latent_policy", "out=unused", *words(folders, *more))
    torch.manual_seed(0)
    data, module = hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    module.log = module.log_dict = lambda *_, **__: None
    return module, data, next(iter(data._loader(data.stream("train"))))


def test_a_film_of_many_words_is_learnt_from(folders, tmp_path):
    with pytest.warns(UserWarning, match="cut in training"):
        main(toys.train_config("latent_policy", *words(folders, f"out={tmp_path}", "model.backbone.words.max_words=3")))
    assert read_manifest(tmp_path)["count"] == 4


def test_a_step_tells_what_was_before_and_comes_after():
    frames = torch.arange(9, dtype=torch.uint8)[:, None, None, None].expand(9, 3, 4, 4)
    sample = {"__key__": "a", "frames": frames, "json": {"text": ""}, "state.npy": np.arange(18.0).reshape(9, 2)}
    codes = {"a": np.arange(7)[:, None].repeat(4, 1)}  # a gap of 2 frames
    for truth, wanted in ((Truth("state.npy", 2), [4.0, 4.0]), (Truth("motion.npy", 1), None)):
        read = Reading("front", 7, True, truth)
        for step in take_steps(sample, np.random.default_rng(0), codes=codes, gap_s=0.2, reading=read):
            moment = int(step.codes[0])
            assert int(step.after[0, 0, 0]) == moment + 2 and step.gap_s == pytest.approx(0.2)
            assert step.before.tolist() == [moment - 2 if moment >= 2 else -1] * 4
            assert step.change.tolist() == wanted if wanted else step.change.isnan().all()


def test_a_mixture_trains_and_tells_its_shares(folders, tmp_path):
    more = mixed(folders, "people", "other", "other_codes", weight=0.34)
    cfg = toys.train_config("latent_policy", f"out={tmp_path / 'out'}", *words(folders, more))
    assert set(input_folders(cfg)) == {"clips", "codes", "mixture.people.clips", "mixture.people.codes"}
    main(cfg)
    manifest = read_manifest(tmp_path / "out")
    assert manifest["mixture"] == {"clips": 3, "people": 1} and manifest["gaps_s"] == [0.5]
    assert manifest["inputs"].keys() == input_folders(cfg).keys()
    assert str(folders) not in str(manifest["config"])  # a folder may move


def test_a_mixture_of_two_codebooks_is_refused(folders, tmp_path):
    toys.write_codes(tmp_path / "codes", folders / "other", num_codes=16)
    with pytest.raises(InstantiationException, match="num_codes is 16 in more, 8 in clips"):
        built(folders, mixed(folders, "more", "other", tmp_path / "codes"))


def test_gaps_are_told_in_words_only_where_there_are_several(folders):
    one, _, batch = built(folders)
    assert one.model.told(list(batch.text), batch.gap_s.tolist()) == list(batch.text)
    module, data, batch = built(folders, mixed(folders, "slow", "clips", "slow"))
    assert data.facts()["gaps_s"] == [0.5, 0.8] and sorted(set(batch.gap_s.tolist())) == pytest.approx([0.5, 0.8])
    told = module.model.told(list(batch.text), batch.gap_s.tolist())
    assert set(told) == {"reach the red block in 0.5 seconds", "reach the red block in 0.8 seconds"}
    images = torch.stack([batch.images["front"][0]] * 2)[:, None]
    near, far = module.eval().model(images, ["go"] * 2, batch.codes[:2], torch.tensor([0.5, 0.8])).logits
    assert not torch.allclose(near, far)


def test_label_smoothing_is_the_textbooks(folders):
    plain, _, batch = built(folders)
    smooth, *_ = built(folders, "model.label_smoothing=0.2")
    loss, smoothed = (module.training_step(batch, 0) for module in (plain, smooth))
    logits = plain.model(plain.see(batch), list(batch.text), batch.codes, batch.gap_s).logits
    everywhere = -logits.log_softmax(dim=-1).mean()
    torch.testing.assert_close(smoothed, 0.8 * loss + 0.2 * everywhere)


@pytest.mark.parametrize("head", ["parallel", "autoregressive"])
def test_pictures_are_foretold_from_the_states_that_tell_codes(folders, head):
    module, _, batch = built(folders, "model.future.weight=0.5", f"head@model.head={head}", "model.future.side_px=4")
    optimiser, losses = torch.optim.AdamW(module.parameters(), lr=3e-3), []
    for _ in range(60):
        told = module.model(module.see(batch), list(batch.text), batch.codes, batch.gap_s)
        losses.append(module._future(told, batch))
        optimiser.zero_grad()
        module.training_step(batch, 0).backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
    assert module.model.trunk.queries.grad is not None and "future.change.0.weight" in module.model.state_dict()


def test_without_an_image_decoder_no_later_picture_is_read(folders):
    module, _, batch = built(folders)
    assert batch.after.numel() == 0 and module.model.future is None


def test_a_still_picture_is_the_image_decoders_unit():
    decoder = FutureDecoder(width=4, codes_per_step=2, weight=1.0, side_px=2, hidden=3)
    for parameter in decoder.change[-1].parameters():
        torch.nn.init.zeros_(parameter)
    now, after = torch.randint(0, 256, (2, 5, 3, 8, 8), dtype=torch.uint8)
    assert decoder.loss(torch.randn(5, 2, 4), now, after).item() == pytest.approx(1, abs=0.1)


def test_scores_of_known_codes():
    codes = torch.tensor([[0, 1], [0, 2], [0, 3], [1, 0]])
    logits = torch.nn.functional.one_hot(torch.tensor([[0, 1], [0, 1], [0, 1], [0, 1]]), 4).float()
    before = torch.tensor([[-1, -1], [0, 2], [1, 1], [1, 0]])
    halves = [tally(logits[rows], codes[rows], before[rows]) for rows in (slice(0, 1), slice(1, 4))]
    found = {name.removeprefix("val/"): float(value) for name, value in scores(halves).items()}
    assert (found["accuracy_0"], found["accuracy_1"], found["majority_0"], found["majority_1"]) == (
        0.75,
        0.25,
        0.75,
        0.25,
    )
    assert (found["copy_0"], found["copy_1"]) == pytest.approx((2 / 3, 2 / 3)) and found["majority"] == 0.5
    assert found["perplexity"] == pytest.approx(1) and found["perplexity_true_1"] == pytest.approx(4)
    assert not any("copy" in name for name in scores(halves[:1]))


def test_the_probe_reads_what_is_there_and_nothing_else():
    generator = torch.Generator().manual_seed(0)
    hidden, noise = (torch.randn(600, 4, 3, generator=generator) for _ in range(2))
    keys = [f"clip{i % 40}@{i}" for i in range(600)]
    change = hidden.flatten(1)[:, :2] @ torch.randn(2, 2, generator=generator)
    change[::7] = torch.nan
    assert probe([reading(hidden, change, keys)]) > 0.95
    assert probe([reading(noise, change, keys)]) < 0.1
    assert probe([reading(hidden, change, ["one"] * 600)]) is None


def test_metrics_and_manifest_tell_the_scores(folders, tmp_path):
    main(toys.train_config("latent_policy", f"out={tmp_path}/out", *words(folders)))
    names = {f"val/{kind}_{i}" for kind in ("accuracy", "majority", "perplexity") for i in range(4)}
    assert names | {"val/perplexity", "val/majority"} <= read_metrics(tmp_path / "out").keys()
    assert names <= read_manifest(tmp_path / "out")["final"].keys()


def test_tensorboard_beside_the_csv_and_a_logger_without_its_package(folders, tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "out"
    main(toys.train_config("latent_policy", f"out={out}", "logger=tensorboard", *words(folders)))
    assert list(out.glob("logs/tensorboard/*/events*")) and "train/loss" in read_metrics(out)
    cfg = toys.train_config("latent_policy", f"out={tmp_path / 'w'}", "logger=wandb", *words(folders))
    with pytest.raises(ValueError, match="WandbLogger needs a package"):
        main(cfg)


def test_going_on_with_another_gap_is_refused(folders, tmp_path):
    module, *_ = built(folders)
    module.export(tmp_path)
    assert checkpoint.load_settings(tmp_path)["model"]["gaps_s"] == [0.5]
    with pytest.raises(ValueError, match="gaps_s"):
        built(folders, mixed(folders, "slow", "clips", "slow"), f"model.init_from={tmp_path}")
