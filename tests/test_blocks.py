"""quantizer.blocks: attention is what torch calls attention; not computing what nobody reads changes nothing else."""

import torch
from torch import nn
from torch.nn import functional as F

from quantizer.blocks import Transformer, attention


def test_attention_equals_torchs():
    torch.manual_seed(0)
    query, key, value = (torch.randn(6, count, 16, dtype=torch.double) for count in (3, 7, 7))
    torch.testing.assert_close(attention(query, key, value), F.scaled_dot_product_attention(query, key, value))


def test_the_tokens_that_go_on_are_what_they_would_be_among_all():
    torch.manual_seed(0)
    transformer = Transformer(dim=16, depth=2, num_heads=2).double()
    for parameter in transformer.parameters():
        nn.init.normal_(parameter, std=0.3)  # at first blocks pass nothing on
    tokens = torch.randn(2, 7, 16, dtype=torch.double)
    torch.testing.assert_close(transformer(tokens, 3), transformer(tokens)[:, :3])
    assert not torch.allclose(transformer(tokens, 3), transformer(tokens[:, :3]))  # the others were looked at
