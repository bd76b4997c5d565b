"""The shape of a model, shared by training and inference."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Shape:
    """Sizes of a pocket model.

    Args:
        vocabulary: Number of token ids.
        width: Size of a token's vector.
        layers: Number of blocks.
        heads: Attention heads; ``width`` is a multiple of it.
        hidden: Inner size of the feed-forward part.
        kernel: Positions in a short convolution, including the current one.
        context: Maximum length of prompt and answer together, in tokens.
        base: Base of the rotary position angles.
    """

    vocabulary: int
    width: int = 160
    layers: int = 5
    heads: int = 5
    hidden: int = 416
    kernel: int = 4
    context: int = 1024
    base: float = 10_000.0

    @property
    def head(self) -> int:
        """Size of one attention head."""
        return self.width // self.heads

    def to_json(self) -> dict[str, int | float]:
        """Return the sizes as JSON values."""
        return asdict(self)
