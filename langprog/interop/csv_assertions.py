"""Assertions that promptfoo's CSV files write as a text: ``contains: Paris``."""

from __future__ import annotations

import re
from typing import Any

from langprog.interop.assertions import TYPES

_WRITTEN = re.compile(r"(not-)?([a-z-]+)(?:\((\d+(?:\.\d+)?)\))?:(.*)", re.DOTALL)
# Words before the colon that are none of the types.
_OTHERS = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
_GRADED = frozenset(
    "javascript python ruby webhook llm-rubric similar factuality model-graded-closedqa "
    "model-graded-factuality classifier moderation cost latency levenshtein perplexity "
    "perplexity-score rouge-n bleu gleu meteor answer-relevance context-faithfulness "
    "context-recall context-relevance g-eval is-refusal is-sql contains-sql is-xml contains-xml "
    "is-html contains-html guardrails select-best pi".split()
)


def assertion_from_text(text: str) -> dict[str, Any]:
    """Return the assertion that a cell means; without a type before a colon, it is equality."""
    if text.startswith("file://"):
        return {"type": "javascript", "value": text}
    if text.removeprefix("not-") in ("is-json", "contains-json", *_GRADED):
        return {"type": text, "value": ""}
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return {"type": "equals", "value": text}
    kind = _OTHERS.get(written[2], written[2])
    if kind not in TYPES and kind not in _GRADED:
        return {"type": "equals", "value": text}
    value: Any = written[4].strip()
    if kind.endswith(("-any", "-all")):
        value = [part.strip() for part in value.split(",")]
    return {"type": f"{written[1] or ''}{kind}", "value": value}
