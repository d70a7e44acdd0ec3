"""experiment=rehearsal: in every batch demonstrations teach acting and videos their codes; what comes out is a plain policy."""

import json
from itertools import islice

import pytest
import torch
from hydra.errors import InstantiationException

from lapa import checkpoint
from lapa.metrics import read_metrics
from lapa.train import main
from lapa.video import decode_mp4
from policy import infer
from tests import policy_toys as toys
from tests.test_policy import built, observation


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Demonstrations, clips with codes, and the latent policy that these pretrained."""
    root = tmp_path_factory.mktemp("rehearsal")
    toys.write_watched(root)
    return root


def settings(root, *more):
    parts = [f"{key}={root / name}" for key, name in (("demos", "demos"), ("clips", "clips"), ("codes", "codes"))]
    return [*parts, f"init_from={root / 'latent'}", "data.rehearsed=2", *more]


def test_every_batch_has_so_many_of_each_and_every_record_its_own_truth(folders):
    _, data = built("rehearsal", *settings(folders, "data.rehearsed=3"))
    records = list(islice(data.stream("train"), 40))
    for start in range(0, 40, 4):
        acted = [bool(record.action_mask.any()) for record in records[start : start + 4]]
        assert acted == [True, False, False, False]
    for record in records:
        watched = record.key.startswith("c")
        assert watched is not bool(record.action_mask.any()) and watched is bool((record.codes >= 0).all())
        if watched:
            number = int(record.key[1:])
            moment = int((record.codes[0] - number) % 8)  # as toys.write_codes has it
            assert torch.equal(record.images["front"], decode_mp4(toys.video(number))[moment])


def test_actions_are_learnt_from_demonstrations_alone_and_codes_from_videos(folders):
    module, data = built("rehearsal", *settings(folders, "model.shift_px=0"))
    module.eval()
    batch = next(iter(data._loader(data.stream("train"))))
    see, texts = module.see(batch), list(batch.text)
    loss = module.model.loss(see, texts, batch.state, batch.actions, batch.action_mask, batch.codes)
    acted = batch.action_mask.flatten(1).any(1)
    rows = [i for i, each in enumerate(acted.tolist()) if each]
    module.model.keep(None, 0.0)
    alone = module.model.loss(
        see[rows], [texts[i] for i in rows], batch.state[rows], batch.actions[rows], batch.action_mask[rows]
    )
    assert loss > alone > 0
    everywhere = module.model.loss(see, texts, batch.state, batch.actions + 5 * ~batch.action_mask, batch.action_mask)
    torch.testing.assert_close(everywhere, alone, atol=1e-3, rtol=1e-3)  # what is masked counts nothing


def test_what_is_kept_is_a_plain_policy_and_the_videos_score_is_told(folders, tmp_path):
    main(toys.train_config("rehearsal", *settings(folders), f"out={tmp_path}"))
    assert 0 <= list(read_metrics(tmp_path)["val/accuracy"].values())[-1] <= 1
    assert not [name for name in checkpoint.read_weights(tmp_path) if name.startswith("codes.")]
    assert infer.load(tmp_path, device="cpu").act(observation()).actions.shape == (8, 3)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"demos", "clips", "codes", "init_from"}


@pytest.mark.parametrize("rehearsed", [0, 4])
def test_there_must_be_some_of_both(folders, rehearsed):
    with pytest.raises((ValueError, InstantiationException), match=f"rehearsed={rehearsed} of batch_size=4"):
        built("rehearsal", *settings(folders, f"data.rehearsed={rehearsed}"))


def test_videos_of_other_codes_or_pictures_are_refused(folders, tmp_path):
    others = toys.write_clips(tmp_path / "clips", first=20)
    with pytest.raises((ValueError, InstantiationException), match="were made for other clips"):
        built("rehearsal", *settings(folders, f"clips={others}"))
    codes = toys.write_codes(tmp_path / "codes", folders / "clips", num_codes=16)
    with pytest.raises(ValueError, match="another codebook"):
        built("rehearsal", *settings(folders, f"codes={codes}"))


def test_the_control_rehearses_codes_of_other_moments(folders):
    steps = {}
    for mixed in (False, True):
        _, data = built("rehearsal", *settings(folders, f"data.videos.shuffled={str(mixed).lower()}"))
        steps[mixed] = [step for step in islice(data.stream("train"), 200) if step.key.startswith("c")]
    for true, other in zip(steps[False], steps[True], strict=True):
        assert true.key == other.key and torch.equal(true.images["front"], other.images["front"])
    same = [torch.equal(true.codes, other.codes) for true, other in zip(steps[False], steps[True], strict=True)]
    assert 0 < sum(same) < len(same) / 3  # 8 codes: one moment in eight has the same by chance
