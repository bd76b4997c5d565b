"""Files of other tools: data sets, prompts and programs, in and out.

- ``contract``: what a format is. ``registry``: the formats by name. ``reading``: bounded reading.
- ``openai_evals``: data sets of OpenAI Evals, and their metrics.
"""

from langprog.interop.contract import Exported, Format, Imported
from langprog.interop.openai_evals import from_openai_evals, fuzzy_match, includes, match
from langprog.interop.registry import FORMATS, format_to_read, format_to_write

__all__ = [
    "Exported",
    "FORMATS",
    "Format",
    "Imported",
    "format_to_read",
    "format_to_write",
    "from_openai_evals",
    "fuzzy_match",
    "includes",
    "match",
]
