"""The transformer that is trained: short convolutions and a structured start.

Follows: Llama blocks (RMS norm without scale, rotary positions, SwiGLU, tied embeddings) with the
short convolutions of "Canon" layers and the start of "Mimetic initialization of self-attention
layers". Differs: the convolution acts on the normalised input of queries and keys only, a second
one before the feed-forward; it starts at 0.5 on the three previous positions, which is what lets
attention find "the label after a text like this one" within a few hundred steps; words of one
subject start with similar vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from langprog.pocket.config import Shape


def short_convolution(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x`` plus each channel's weighted sum over present and previous positions."""
    size, length = weight.shape[0], x.shape[1]
    padded = F.pad(x, (0, 0, size - 1, 0))
    out = x
    for i in range(size):
        out = out + weight[i] * padded[:, i : i + length]
    return out


def block(
    x: Tensor, qkv: Tensor, out: Tensor, up: Tensor, down: Tensor, taps: Tensor, rotary: Tensor
) -> Tensor:
    """Return a block's output; ``taps``: both convolutions, ``rotary``: cosines and sines."""
    batch, length, width = x.shape
    half = rotary.shape[-1]
    cos, sin = rotary[0, :length].to(x.dtype), rotary[1, :length].to(x.dtype)
    normal = F.rms_norm(x, (width,))
    mixed = short_convolution(normal, taps[0])
    wq, wk, wv = qkv.chunk(3)

    def split(t: Tensor) -> Tensor:
        return t.view(batch, length, -1, 2 * half).transpose(1, 2)

    def rotate(t: Tensor) -> Tensor:
        a, b = t[..., :half], t[..., half:]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

    q, k, v = (
        rotate(split(F.linear(mixed, wq))),
        rotate(split(F.linear(mixed, wk))),
        split(F.linear(normal, wv)),
    )
    mask = torch.full((length, length), float("-inf"), dtype=q.dtype, device=q.device).triu(1)
    scores = (q @ k.transpose(-1, -2)) * (2 * half) ** -0.5 + mask
    weights = torch.softmax(scores.float(), -1).to(v.dtype)
    x = x + F.linear((weights @ v).transpose(1, 2).reshape(batch, length, width), out)
    inner = short_convolution(F.rms_norm(x, (width,)), taps[1])
    gate, value = F.linear(inner, up).chunk(2, -1)
    return x + F.linear(F.silu(gate) * value, down)


class PocketTransformer(nn.Module):
    """The model: ``forward`` gives vectors, ``logits`` scores them against the vocabulary."""

    def __init__(self, shape: Shape, *, compiled: bool = False) -> None:
        super().__init__()
        self.shape = shape
        d, f = shape.width, shape.hidden
        self.embedding = nn.Parameter(torch.randn(shape.vocabulary, d) * d**-0.5)
        self.qkv = nn.ParameterList()
        self.out = nn.ParameterList()
        self.up = nn.ParameterList()
        self.down = nn.ParameterList()
        self.taps = nn.ParameterList()
        for _ in range(shape.layers):
            like, value = torch.randn(d, d) * d**-0.5, torch.randn(d, d) * d**-0.5
            self.qkv.append(nn.Parameter(torch.cat([like, like.clone(), value])))
            self.out.append(nn.Parameter(0.3 * value.T.contiguous()))
            self.up.append(nn.Parameter(torch.randn(2 * f, d) * d**-0.5))
            self.down.append(nn.Parameter(torch.randn(d, f) * f**-0.5 * 0.3))
            taps = torch.zeros(2, shape.kernel, d)
            taps[0, :-1] = 0.5
            self.taps.append(nn.Parameter(taps))
        angles = torch.arange(shape.context)[:, None] * shape.base ** (
            -torch.arange(0, shape.head, 2) / shape.head
        )
        self.register_buffer("rotary", torch.stack([angles.cos(), angles.sin()]), persistent=False)
        self.block = torch.compile(block, dynamic=False) if compiled else block

    def group_embeddings(self, groups: Sequence[Sequence[int]], share: float = 0.5) -> None:
        """Let the tokens of each group start with a common part in their vectors."""
        d = self.shape.width
        with torch.no_grad():
            common = torch.zeros_like(self.embedding)
            counts = torch.zeros(len(self.embedding), 1)
            for group in groups:
                ids = torch.tensor(sorted(set(group)))
                common[ids] += torch.randn(d) * d**-0.5
                counts[ids] += 1
            shared = common / counts.clamp(min=1).sqrt()
            use = (counts > 0).float() * share
            self.embedding.copy_(use.sqrt() * shared + (1 - use).sqrt() * self.embedding)

    def forward(self, ids: Tensor) -> Tensor:
        """Return normalised vectors (batch, length, width) for token ids (batch, length)."""
        x = F.embedding(ids, self.embedding) * self.shape.width**0.5
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.bfloat16)
        layers = zip(self.qkv, self.out, self.up, self.down, self.taps, strict=True)
        for qkv, out, up, down, taps in layers:
            x = self.block(x, qkv, out, up, down, taps, self.rotary)
        return F.rms_norm(x, (self.shape.width,))

    def logits(self, vectors: Tensor) -> Tensor:
        """Return scores for every token id."""
        return F.linear(vectors, self.embedding).float()
