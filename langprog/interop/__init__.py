"""Programs, prompts and data of other libraries, in and out.

- ``contract``: what a format of a file is. ``registry``: the formats by name. ``reading``: bounded
  reading.
- ``dspy``: programs of DSPy.
- ``openai_evals``: data sets of OpenAI Evals, and their metrics.
"""

from langprog.interop.contract import Exported, Format, Imported
from langprog.interop.dspy import from_dspy, is_dspy, to_dspy
from langprog.interop.openai_evals import from_openai_evals, fuzzy_match, includes, match
from langprog.interop.registry import FORMATS, format_to_read, format_to_write

__all__ = [
    "Exported",
    "FORMATS",
    "Format",
    "Imported",
    "format_to_read",
    "format_to_write",
    "from_dspy",
    "from_openai_evals",
    "fuzzy_match",
    "includes",
    "is_dspy",
    "match",
    "to_dspy",
]
