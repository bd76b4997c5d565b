"""Words that are used elsewhere for arguments of models and budgets, and what there is here."""

from __future__ import annotations

from types import MappingProxyType

from langprog.hints import Words

OF_BUDGET: Words = MappingProxyType(
    {
        **dict.fromkeys(("max_calls", "max_metric_calls", "requests"), "write calls="),
        **dict.fromkeys(("cost", "max_cost", "max_dollars", "usd"), "write dollars="),
        **dict.fromkeys(("max_tokens", "total_tokens"), "write tokens="),
        **dict.fromkeys(("max_seconds", "max_time", "timeout"), "write seconds="),
    }
)
_PRICE = "dollars per million tokens"
OF_PRICE: Words = MappingProxyType(
    {
        **dict.fromkeys(("input_tokens", "prompt"), f"write input=, {_PRICE}"),
        **dict.fromkeys(("completion", "output_tokens"), f"write output=, {_PRICE}"),
        "cached": f"write cached_input=, {_PRICE}",
    }
)
_REPLIES = "the replies come first, lp.ScriptedLM([...]), or a function of the request"
OF_SCRIPTED: Words = MappingProxyType(
    {
        **dict.fromkeys(("answers", "completions", "replies", "reply", "responses"), _REPLIES),
        **dict.fromkeys(("model", "model_name"), "write name="),
        "price": "write dollars=, for each call",
    }
)
OF_SAMPLING: Words = MappingProxyType(
    {
        "n": "write lp.Vote(program, k=...) or lp.BestOf(program, judge=..., k=...)",
        "max_completion_tokens": "write max_tokens=",
        "stop_sequences": "write stop=",
    }
)
