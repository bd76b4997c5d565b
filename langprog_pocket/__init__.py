"""The weights of langprog's embedded models; ``langprog.pocket`` reads them."""

from pathlib import Path

# Counted apart from langprog's: other weights give other answers, also where no code changed.
__version__ = "1.0.0"

FOLDER = Path(__file__).parent / "weights"
