"""The available sizes, each loaded once."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from threadpoolctl import ThreadpoolController

from langprog.errors import ModelError
from langprog.pocket.config import Shape
from langprog.pocket.engine import Network
from langprog.pocket.generate import (
    Drawn,
    Generator,
    Prompt,
    Settings,
    check_length,
    prompt_of,
)
from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.weights import read

# The version of langprog-pocket: what was certified on an embedded model holds for these weights.
WEIGHTS = "1.0.0"
_INSTALL = "pip install 'langprog[pocket]' (in a checkout: pip install ./langprog_pocket)"


@dataclass(frozen=True)
class Size:
    """A model that ships with the package.

    Args:
        name: The part after ``pocket/``.
        input_price: Dollars per million prompt tokens; nominal, so that costs can be compared.
        output_price: Dollars per million completion tokens; nominal as well.
    """

    name: str
    input_price: float
    output_price: float


SIZES = {
    s.name: s
    for s in (Size("small", 0.02, 0.08), Size("medium", 0.06, 0.24), Size("large", 0.18, 0.72))
}


def find_size(name: str) -> Size:
    """Return the size called ``name``, with or without ``pocket/`` before it.

    Raises:
        ModelError: There is no such size.
    """
    size = SIZES.get(name.removeprefix("pocket/"))
    if size is None:
        known = ", ".join(f"pocket/{s}" for s in SIZES)
        raise ModelError(f"there is no embedded model {name!r}; available are {known}")
    return size


def weights_folder() -> Path:
    """Return the folder of the weights, which are a distribution of their own.

    Raises:
        ModelError: They are not installed, or in another version.
    """
    try:
        import langprog_pocket  # noqa: PLC0415 - an extra
    except ImportError:
        raise ModelError(f"the weights of pocket/* are not installed: {_INSTALL}") from None
    if langprog_pocket.__version__ != WEIGHTS:
        raise ModelError(
            f"pocket/* wants the weights of langprog-pocket {WEIGHTS}, and "
            f"{langprog_pocket.__version__} is installed: {_INSTALL}"
        )
    return langprog_pocket.FOLDER


class Runner:
    """A loaded model that answers one request at a time, from any thread."""

    def __init__(self, weights: Path, vocabulary: Path) -> None:
        tensors, metadata = read(weights)
        shape = Shape(**json.loads(metadata["shape"]))
        self._generator = Generator(Network(shape, tensors), Tokenizer.load(vocabulary))
        self._lock = threading.Lock()
        self._threads = ThreadpoolController()

    @property
    def tokenizer(self) -> Tokenizer:
        """The vocabulary."""
        return self._generator.tokenizer

    @property
    def generator(self) -> Generator:
        """The generator itself, for tests and measurements."""
        return self._generator

    def answer(
        self,
        messages: Sequence[tuple[str, str]],
        settings: Settings,
        n: int,
        left: threading.Event | None = None,
    ) -> tuple[Prompt, list[Drawn], int]:
        """Return the tokenized prompt, ``n`` completions, and the number of cached prompt tokens.

        Args:
            messages: Roles and texts.
            settings: How completions are drawn.
            n: Completions.
            left: Set once nobody waits for the answer any more.

        Raises:
            ContextWindowError: The prompt leaves no room for an answer.
            Abandoned: Nobody waits any more.
        """
        check_length(self.tokenizer, messages, self._generator.network.shape.context)
        with self._lock, self._threads.limit(limits=1, user_api="blas"):
            # One BLAS thread: more are slower at these sizes, and change the order of sums.
            prompt = prompt_of(self.tokenizer, messages)
            drawn, kept = self._generator.draw(prompt, settings, n, left)
        return prompt, drawn, kept


@cache
def load_runner(name: str) -> Runner:
    """Load a size, once per process.

    Raises:
        ModelError: There is no such size, or its files are missing or damaged.
    """
    size = find_size(name)
    folder = weights_folder()
    return Runner(folder / f"{size.name}.safetensors", folder / "tokenizer.json")
