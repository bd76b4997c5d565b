"""Words of other libraries for modules and their arguments, and what there is here instead."""

from __future__ import annotations

from types import MappingProxyType

from langprog.hints import Words

_MODEL = (
    "write lp.configure(lm=...), `with lp.using(lm=...):`, or lp.Predict(..., model=...) for one "
    "predictor"
)
_COPY = "a compile never changes a program; program.with_parameters({...}) returns a modified copy"
_CALLS = "look at prediction.trace, or set LANGPROG_LOG and run `langprog show --last 3`"

# Attributes of a module.
ATTRIBUTES: Words = MappingProxyType(
    {
        "batch": "write lp.parallel(program, rows, width=...)",
        "activate_assertions": "lp.require works in any module's forward, as it is",
        "callbacks": "write lp.configure(callbacks=[...]) or `with lp.callbacks(...):`",
        "compile": "write `from optimizers import Compiler`, Compiler().compile(program, ...)",
        "config": "sampling is an argument of the predictor: lp.Predict(..., temperature=...)",
        "deepcopy": _COPY,
        "dump_state": "write lp.save(program, path)",
        "get_config": "sampling is an argument of the predictor: lp.Predict(..., temperature=...)",
        "get_lm": "a predictor's own model is program.predictors()[path].model",
        "history": _CALLS,
        "inspect_history": _CALLS,
        "lm": "a predictor's own model is .model; the ambient one is set by lp.configure(lm=...)",
        "load": "write lp.load(path), which returns the program",
        "load_state": "write lp.load(path), which returns the program",
        "map_named_predictors": "program.with_parameters({...}) returns a modified copy",
        "named_parameters": "write program.parameters(), a dict by path",
        "named_predictors": "write program.predictors().items()",
        "named_sub_modules": "write program.named_modules().items()",
        "reset": _COPY,
        "reset_copy": _COPY,
        "save": "write lp.save(program, path)",
        "set_lm": _MODEL,
        "update_config": "program.with_parameters({...}) returns a modified copy",
    }
)

_SAMPLING_VALUE = "sampling is fixed by the predictor: lp.Predict(..., sampling=lp.Sampling(...))"
_FIXED = "it is fixed by the predictor, lp.Predict(...), or by `with lp.using(...):`"
_SAMPLING = "sampling is fixed by the predictor: lp.Predict(..., temperature=...)"

# Arguments of a call, beside the inputs.
OF_A_CALL: Words = MappingProxyType(
    {
        "config": _SAMPLING,
        "demos": "demonstrations are an argument of the predictor: lp.Predict(..., demos=[...])",
        "lm": "write `with lp.using(lm=...):` around the call",
        "max_tokens": "it is fixed by the predictor: lp.Predict(..., max_tokens=...)",
        "n": "write lp.Vote(program, k=...) or lp.BestOf(program, judge=..., k=...)",
        "new_signature": "the signature is fixed by the predictor",
        "rollout_id": "write lp.Vote(program, k=...) for several samples",
        "signature": "the signature is fixed by the predictor",
        "stream": "write program.stream(...), or program.astream(...)",
        "temperature": _SAMPLING,
        "trace": "every prediction has .trace",
        **dict.fromkeys(("seed", "stop", "top_p"), _SAMPLING_VALUE),
        **dict.fromkeys(("adapter", "instruction", "model"), _FIXED),
    }
)

# Arguments of Predict, and of modules that hand their options to one.
OF_PREDICT: Words = MappingProxyType(
    {
        "callbacks": ATTRIBUTES["callbacks"],
        "check": "write checks=[...]",
        "config": "write the settings themselves: temperature=, max_tokens=, or sampling=",
        "instructions": "write instruction=",
        "lm": "write model=",
        "max_iters": "write lp.ReAct(signature, tools=[...], max_steps=...)",
        "max_retries": "an unreadable answer is sent back once; how often a check asks again is "
        "reasks=",
        "n": OF_A_CALL["n"],
        "rationale_field": "declare the output reasoning in the signature",
        "rationale_field_type": "declare the output reasoning in the signature",
        "rationale_type": "declare the output reasoning in the signature",
        "rollout_id": OF_A_CALL["rollout_id"],
        "tools": "write lp.ReAct(signature, tools=[...])",
        **{
            name: f"write sampling=lp.Sampling({name}=...)"
            for name in ("extra", "reasoning_effort", "seed", "stop", "top_p")
        },
    }
)

_JUDGE = (
    "write judge=, a module whose first output is the verdict, or check the answer by code: "
    "lp.Predict(..., checks=[lp.Check(function, message)])"
)
OF_BEST_OF: Words = MappingProxyType(
    {
        "N": "write k=",
        "fail_count": "failed samples are left out while one is there",
        "module": "it comes first, without a name",
        "n": "write k=",
        "reward_fn": _JUDGE,
        "threshold": "the best of all samples is taken; lp.Refine has a threshold",
    }
)
OF_REFINE: Words = MappingProxyType(
    {
        "N": "write rounds=, the number of further answers",
        "fail_count": "a failed revision leaves the earlier answer",
        "reward_fn": _JUDGE,
    }
)
OF_VOTE: Words = MappingProxyType({"N": "write k=", "n": "write k="})
OF_REACT: Words = MappingProxyType(
    {"max_iters": "write max_steps=", "max_iterations": "write max_steps="}
)
TOOLS = "write tools=[function, ...]: functions with types and a docstring, or lp.Tool"
# Attributes of a ReAct.
REACT_ATTRIBUTES: Words = MappingProxyType(
    {
        **ATTRIBUTES,
        "extract": "the model submits the outputs itself, in its last step",
        "max_iters": "write .max_steps",
        "react": "program.predictors() has the predictor of its steps",
        "trajectory": "every prediction has .trace",
        "truncate_trajectory": "write lp.Tool(function, max_result=...) for shorter results",
    }
)
OF_MAP: Words = MappingProxyType(
    {
        "concurrency": "write at_once=",
        "max_errors": "write max_failures=",
        "max_workers": "write at_once=",
        "num_threads": "write at_once=",
        "width": "write at_once=",
    }
)
OF_RETRIEVE: Words = MappingProxyType(
    {
        "num_passages": "write k=",
        "rm": "the retriever comes first: lp.Retrieve(retriever, k=...)",
        "top_k": "write k=",
    }
)
RETRIEVER = (
    "write lp.Retrieve(retriever, k=...), with lp.BM25Retriever(texts), another retriever, or any "
    "function of a query"
)
OF_PARALLEL: Words = MappingProxyType(
    {
        "disable_progress_bar": "there is none",
        "exec_pairs": "write lp.parallel(program, rows)",
        "max_errors": "the first failure is raised; lp.Map keeps failures in their places",
        "num_threads": "write width=",
        "return_failed_examples": "lp.Map keeps failures in their places",
    }
)
OF_CASCADE: Words = MappingProxyType(
    {
        "models": "write lp.Cascade.over(program, models=[...])",
        "threshold": "write thresholds=[...], or let optimizers.FrugalCascade choose them",
    }
)
OF_NEAREST: Words = MappingProxyType(
    {
        **dict.fromkeys(("n", "num_neighbors", "top_k"), "write k="),
        **dict.fromkeys(("trainset", "demos"), "the examples come first, without a name"),
        **dict.fromkeys(("vectorizer", "embedder_function"), "write by=, a function of texts"),
    }
)
