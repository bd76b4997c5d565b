"""Public data sets as tasks of one form; the data are not included (see ``folder``).

Sources, licences and commits stand in each folder's SOURCE.md. The two tasks of Instruction
Induction whose rows are lists are not here. The other folders hold recorded answers, which
``benchmarks/replay`` reads.
"""

from __future__ import annotations

import csv
import json
import lzma
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import langprog as lp
from benchmarks.tasks import intents
from benchmarks.tasks.checked import (
    ifbench,
    ifeval,
    pupa,
    score_accepted,
    score_constraints,
    score_names,
    score_redaction,
)
from benchmarks.tasks.generated import Task
from benchmarks.tasks.short_texts import scone, sst2, trec
from langprog.signature import FieldSpec, SignatureSpec

Rows = Sequence[Mapping[str, Any]]
INTENTS = 10
# Keys of Instruction Induction under which further right results stand.
ALSO_RIGHT = ("other_rhymes", "possible_translations", "possible_outputs")
BBH = (
    "boolean_expressions",
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "dyck_languages",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "multistep_arithmetic_two",
    "navigate",
    "object_counting",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "sports_understanding",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
    "web_of_lies",
    "word_sorting",
)
INDUCED = (
    "active_to_passive",
    "antonyms",
    "diff",
    "first_word_letter",
    "informal_to_formal",
    "larger_animal",
    "letters_list",
    "negation",
    "num_to_verbal",
    "orthography_starts_with",
    "rhymes",
    "second_word_letter",
    "sentence_similarity",
    "sentiment",
    "singular_to_plural",
    "sum",
    "synonyms",
    "taxonomy_animal",
    "translation_en-de",
    "translation_en-es",
    "translation_en-fr",
    "word_in_context",
)


def _lines(path: Path) -> Iterator[Any]:
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file if line.strip())


def _json(path: Path) -> Any:
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        return json.load(file)


def _spec(instruction: str, inputs: Sequence[str], output: str, kind: Any = str) -> SignatureSpec:
    fields = (
        *(FieldSpec(name, "input", str) for name in inputs),
        FieldSpec(output, "output", kind),
    )
    return SignatureSpec("Task", instruction, fields)


def gsm8k(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load GSM8K: word problems with a number as the answer."""
    rows = [
        {
            "question": row["question"],
            "answer": int(row["answer"].rpartition("#### ")[2].replace(",", "")),
        }
        for row in _lines(folder / "tasks" / "gsm8k" / "train.jsonl.xz")
    ]
    return _spec("Solve the problem.", ("question",), "answer", int), rows


def pubmedqa(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load PubMedQA: questions about an abstract, to be answered yes, no or maybe."""
    rows = [
        {
            "question": row["question"],
            "abstract": " ".join(row["context"]),
            "answer": row["groundtruth"],
        }
        for row in _lines(folder / "tasks" / "pubmedqa" / "combined_PubMedQA_train.jsonl")
    ]
    instruction = "Answer the question from the abstract."
    answers = Literal["yes", "no", "maybe"]
    return _spec(instruction, ("question", "abstract"), "answer", answers), rows


def hover(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load HoVer: claims that are supported by Wikipedia or not; without passages."""
    rows = [
        {"claim": row["claim"], "label": row["label"].lower().replace("_", " ")}
        for row in _json(folder / "tasks" / "hover" / "hover_dev_release_v1.1.json.xz")
    ]
    labels = Literal["supported", "not supported"]
    return _spec(
        "Say whether the claim is supported by Wikipedia.", ("claim",), "label", labels
    ), rows


def hotpotqa(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load HotpotQA: questions of two hops over ten passages each; 100 rows."""
    rows = [
        {
            "question": row["question"],
            "passages": "\n\n".join(f"{name}: {''.join(said)}" for name, said in row["context"]),
            "answer": row["answer"],
        }
        for row in _json(folder / "tasks" / "multihop_qa" / "hotpotqa_train.json.xz")
    ]
    return _spec("Answer in a few words.", ("question", "passages"), "answer"), rows


def musique(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load MuSiQue: questions of two to four hops over twenty passages each; 100 rows."""
    rows = [
        {
            "question": row["question"],
            "passages": "\n\n".join(
                f"{each['title']}: {each['paragraph_text']}" for each in row["paragraphs"]
            ),
            "answer": row["answer"],
        }
        for row in _json(folder / "tasks" / "multihop_qa" / "musique_train.json.xz")
    ]
    return _spec("Answer in a few words.", ("question", "passages"), "answer"), rows


def bbh(name: str, folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load a task of BIG-Bench Hard."""
    rows = [
        {"question": row["input"], "answer": row["target"]}
        for row in _json(folder / "bbh" / "tasks" / f"{name}.json")["examples"]
    ]
    return _spec("Answer the question.", ("question",), "answer"), rows


def induction(name: str, folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load a task of Instruction Induction, whose instruction has to be guessed from examples."""
    place = folder / "tasks" / "instruction_induction"
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted(place.glob(f"*/{name}.json*")):
        for row in _json(path)["examples"].values():
            outputs = [row["output"]] if isinstance(row["output"], str) else row["output"]
            more = [row.get(key, ()) for key in ALSO_RIGHT]
            accepted = dict.fromkeys(each.strip().lower() for each in chain(outputs, *more))
            rows[row["input"]] = {
                "text": row["input"],
                "result": outputs[0],
                "accepted": json.dumps(list(accepted)),
            }
    return _spec("Give the result.", ("text",), "result"), list(rows.values())


def llmbar(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load LLMBar: which of two answers follows the instruction, 1 or 2."""
    rows = [
        {
            "instruction": row["input"],
            "first": row["output_1"],
            "second": row["output_2"],
            "better": str(row["label"]),
        }
        for path in sorted((folder / "llmbar").glob("LLMBar_*.jsonl"))
        for row in _lines(path)
        if "label" in row
    ]
    inputs = ("instruction", "first", "second")
    return _spec("Say which answer is better.", inputs, "better", Literal["1", "2"]), rows


def headlines(folder: Path) -> tuple[SignatureSpec, Rows]:
    """Load HEADLINES as FrugalGPT has it: where does the price of gold go?"""
    path = folder / "frugalgpt" / "data_HEADLINES_train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {"headline": text.removeprefix("Q: ").removesuffix("\nA:"), "price": label.strip()}
            for text, label, *_ in csv.reader(file)
        ]
    labels: Any = Literal[tuple(sorted({row["price"] for row in rows}))]
    return _spec("Where does the price of gold go?", ("headline",), "price", labels), rows


def _checked(
    load: Callable[[Path], Iterable[Mapping[str, Any]]],
    instruction: str,
    output: str,
    folder: Path,
) -> tuple[SignatureSpec, Rows]:
    return _spec(instruction, ("request",), output), list(load(folder))


LOADERS: Mapping[str, Callable[[Path], tuple[SignatureSpec, Rows]]] = MappingProxyType(
    {
        "gsm8k": gsm8k,
        "pubmedqa": pubmedqa,
        "hover": hover,
        "hotpotqa": hotpotqa,
        "musique": musique,
        "llmbar": llmbar,
        "headlines": headlines,
        "ifeval": partial(_checked, ifeval, "Do what the request asks for.", "response"),
        "ifbench": partial(_checked, ifbench, "Do what the request asks for.", "response"),
        "pupa": partial(_checked, pupa, "Redact what is private.", "redacted"),
        **{f"bbh {name}": partial(bbh, name) for name in BBH},
        **{f"induction {name}": partial(induction, name) for name in INDUCED},
    }
)
SCORERS: Mapping[str, Callable[[lp.Example, Mapping[str, Any]], lp.Score]] = MappingProxyType(
    {
        "ifeval": score_constraints,
        "ifbench": score_constraints,
        "pupa": score_redaction,
        **{f"induction {name}": score_accepted for name in INDUCED},
        "induction taxonomy_animal": score_names,
    }
)
SHORT: Mapping[str, Callable[..., intents.Task]] = MappingProxyType(
    {"sst2": sst2, "trec": trec, "scone": scone}
)
INTENT_SETS: Mapping[str, Callable[..., intents.Task]] = MappingProxyType(
    {"clinc150": intents.clinc150, "banking77": intents.banking77}
)
NAMES = (*SHORT, *INTENT_SETS, *LOADERS)


def load_public(name: str, folder: Path, seed: int, *, known: int, test: int) -> Task:
    """Load a task; small data sets have fewer rows than are asked for, in the same proportions.

    Args:
        name: One of ``NAMES``.
        folder: The folder of the public data sets.
        seed: Decides which rows are used.
        known: Rows for training, validation and certificate together.
        test: Rows that no optimizer sees.
    """
    if name in LOADERS:
        signature, drawn = LOADERS[name](folder)
        # By inputs: one request may stand in a data set twice, and must not be in two parts.
        inputs = tuple(signature.inputs)
        distinct = [
            lp.Example(**row)
            for row in {tuple(row[name] for name in inputs): row for row in drawn}.values()
        ]
        random.Random(f"public/{name}/{seed}").shuffle(distinct)
        cut = min(known, round(len(distinct) * known / (known + test)))
        data, fresh = distinct[:cut], distinct[cut : cut + test]
    else:
        sizes = (known - known // 2, known // 2)
        if name in SHORT:
            source = SHORT[name](folder, seed, sizes=sizes)
        else:
            first, second = (-(-size // INTENTS) for size in sizes)
            source = INTENT_SETS[name](folder, INTENTS, seed, each=(first, second))
        signature = source.signature
        data, fresh = [*source.train, *source.validation][:known], list(source.holdout)
        random.Random(f"public/{name}/{seed}").shuffle(fresh)
    return Task(
        name,
        lp.Predict(signature),
        tuple(data),
        tuple(fresh[:test]),
        tuple(signature.outputs),
        SCORERS.get(name),
    )
