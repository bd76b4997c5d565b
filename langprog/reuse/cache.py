"""A semantic cache: answers to similar inputs, instead of calls, with a bound on wrong ones."""

from __future__ import annotations

import inspect
import json
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from langprog.artifact import digest_of, function_digest, program_to_json
from langprog.errors import InputError, LangprogError, ServerError, SignatureError
from langprog.hints import with_hints
from langprog.knobs import check_argument, takes_number
from langprog.lm import ModelRef
from langprog.modules import Module, Prediction, TraceStep, recorder
from langprog.retrieval import Embedder, check_embedder, embed_texts, unit_vectors
from langprog.reuse.chances import Vector
from langprog.reuse.elsewhere import OF_SEMANTIC_CACHE
from langprog.reuse.scope import Nearest
from langprog.reuse.store import AnswerStore
from langprog.runtime import current, give_notice, model_in_force, run_sync
from langprog.signature import FieldSpec

Same = Callable[[Mapping[str, Any], Mapping[str, Any]], bool | Awaitable[bool]]
Text = Callable[[Mapping[str, Any]], str]


class SemanticCache:
    """Keeps answers, and gives them again for similar inputs, with a bound on wrong ones.

    Follows: vCache (Schroeder et al., 2025, arXiv 2502.03771): a model of correctness against
    similarity for each answer, learned online from inputs that are asked for, at random, although
    an answer is known; asked for so often that wrong reuse stays below the user's bound. Differs:
    the uncertainty of a model's parameters, see :class:`langprog.reuse.LogisticGrid`; an answer
    that may as well be wrong is never reused, and 2 % of the surest are asked for all the same.
    Nothing is reused before a program has been compared 100 times.

    Over all requests, the chance that the answer is reused and not what the program would have
    answered is at most ``max_error``, *if* an answer's correctness depends on the similarity as
    the logistic model says, and what was asked before is like what is asked now. No data can
    guarantee that; measure it on yours.

    Example::

        cache = lp.SemanticCache("answers", embed=embed, embedder="bge-small-en-v1.5")
        triage = cache.over(lp.load("triage.json"), tenant="acme")
        prediction = triage(ticket="my bill is wrong")
        prediction.usage.reused     # 1 if the answer to a similar ticket was given

    Args:
        folder: Where answers are kept, for any number of processes: outputs and vectors, not
            inputs; ``None`` keeps them in memory.
        embed: Takes a list of texts and returns a vector for each; may be ``async``.
        embedder: Identifies the embedder, such as the model's name and revision: with another one,
            nothing is reused.
        max_error: Share of requests that may get a wrong answer, above 0 and below 1.
        same: Whether two answers, given as dicts of outputs, mean the same; may be ``async``. By
            default all outputs are equal, which free text never is.
        seed: Of the random draws; ``None`` for others each time.

    Raises:
        InputError: An argument is wrong, or the folder cannot be used.
    """

    @with_hints(OF_SEMANTIC_CACHE)
    def __init__(
        self,
        folder: str | os.PathLike[str] | None,
        *,
        embed: Embedder,
        embedder: str,
        max_error: float = 0.01,
        same: Same | None = None,
        seed: int | None = None,
    ) -> None:
        check_embedder(embed, embedder, 1)
        check_argument(
            "SemanticCache", "max_error", max_error, takes_number(0, 1, above=True, below=True)
        )
        if same is not None and not callable(same):
            raise InputError(f"same= takes a function of two answers, not {same!r:.60}")
        self.max_error = max_error
        self._embed, self._embedder, self._same = embed, embedder, same
        self._random = random.Random(seed)
        self._store = AnswerStore(None if folder is None else Path(folder))
        self._lock = threading.Lock()

    def over(self, program: Module, *, tenant: str = "", text: Text | None = None) -> Reusing:
        """Return a program that is called as before, and answered from the cache where it may be.

        Answers are never shared between tenants, nor between programs that differ in anything: an
        instruction, a demonstration, a model, the source of a class.

        Args:
            program: The program; its signature says what its outputs are.
            tenant: On whose behalf it is called.
            text: Makes the text whose vector is compared, from the inputs; by default the only
                input if it is text, else all of them as JSON.

        Raises:
            InputError: It is not a program, or declares no outputs.
            ArtifactError: The program cannot be written as data, so it cannot be told apart.
        """
        if not isinstance(program, Module):
            raise InputError(f"over= takes a program, not a {type(program).__name__}")
        if not isinstance(tenant, str):
            raise InputError(f"tenant= is a text, not a {type(tenant).__name__}")
        try:
            outputs = program.outputs
        except SignatureError as error:
            raise InputError(
                f"the outputs of {type(program).__name__} are not declared, so they cannot be "
                f"kept: {error}"
            ) from None
        parts = [program_to_json(program), tenant, self._embedder]
        parts += [] if self._same is None else [function_digest(self._same)]
        parts += [] if text is None else [function_digest(text)]
        return Reusing(self, program, outputs, digest_of(parts), text)

    def clear(self) -> int:
        """Remove all answers, of every program and tenant, and return how many there were.

        Raises:
            InputError: The file cannot be written.
        """
        with self._lock:
            return self._store.clear()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._store.close()

    async def vector_of(self, text: str) -> Vector:
        """Return the vector of a text, of length 1.

        Raises:
            LangprogError: The embedder failed, or gave no usable vector.
        """
        vectors = await embed_texts(self._embed, [text])
        vector: Vector = unit_vectors(vectors, 1, "the input", ServerError)[0]
        return vector

    def find(self, key: str, vector: Vector) -> tuple[Nearest, Mapping[str, Any], bool] | None:
        """Return the nearest answer, its outputs, and whether to reuse it; ``None`` for none."""
        with self._lock:
            scope = self._store.scope(key)
            nearest = scope.nearest(vector)
            if nearest is None:
                return None
            outputs = self._store.answer(nearest.entry)
            if outputs is None:
                scope.drop(nearest.entry)
                return None
            draw = self._random.random()
        return nearest, outputs, draw < nearest.reuse_probability(self.max_error)

    async def keep(
        self,
        key: str,
        vector: Vector,
        outputs: Mapping[str, Any],
        known: tuple[Nearest, Mapping[str, Any]] | None,
    ) -> None:
        """Learn from an answer that was asked for.

        Args:
            key: The scope.
            vector: Of its input.
            outputs: The answer, as plain data.
            known: The nearest answer before, which it is compared with.
        """
        right = False
        if known is not None:
            verdict = outputs == known[1] if self._same is None else self._same(outputs, known[1])
            right = bool(await verdict if inspect.isawaitable(verdict) else verdict)
        with self._lock:
            self._store.scope(key)
            if known is not None:
                nearest = known[0]
                self._store.compare(key, nearest.entry, nearest.similarity, right)
            if not right:
                self._store.add(key, vector, outputs)


class Reusing:
    """A program behind a semantic cache; :meth:`SemanticCache.over` makes it.

    It is called as the program is, but it is not a module: it cannot be compiled, saved or
    certified. As a part of another program, in a compile or a verification, it asks each time.

    Args:
        cache: The cache.
        program: The program.
        outputs: What the program gives back.
        digest: Identifies the program, tenant and embedder.
        text: As for :meth:`SemanticCache.over`.
    """

    def __init__(
        self,
        cache: SemanticCache,
        program: Module,
        outputs: Mapping[str, FieldSpec],
        digest: str,
        text: Text | None,
    ) -> None:
        self.program = program
        self._cache, self._outputs, self._digest, self._text = cache, outputs, digest, text

    def __repr__(self) -> str:
        return f"Reusing({self.program!r}, max_error={self._cache.max_error:g})"

    def __call__(self, **inputs: Any) -> Prediction:
        """Answer, from the cache or by running the program; raises what the program raises."""
        return run_sync(self.acall(**inputs))

    async def acall(self, **inputs: Any) -> Prediction:
        """Answer; the asynchronous form of calling it."""
        started = time.perf_counter()
        if current().wrap is not None:  # a compile, a port, a verification
            answer: Prediction = await self.program.acall(**inputs)
            return answer
        text = self._text_of(inputs)
        try:
            vector = await self._cache.vector_of(text)
        except (LangprogError, OSError) as error:
            give_notice(f"the semantic cache is not used, as the embedder failed: {error}")
            answer = await self.program.acall(**inputs)
            return answer
        key = self._key()
        known = self._cache.find(key, vector)
        if known is not None and known[2]:
            values = self._read(known[1])
            if values is not None:
                return self._answer(inputs, values, known[0], time.perf_counter() - started)
        prediction: Prediction = await self.program.acall(**inputs)
        outputs = {name: field.plain(prediction[name]) for name, field in self._outputs.items()}
        await self._cache.keep(key, vector, outputs, None if known is None else known[:2])
        return prediction

    def _key(self) -> str:
        """Return the scope: the program, as it is called with the settings in force."""
        settings = current()
        models = []
        for predictor in self.program.predictors().values():
            ref = ModelRef.of(model_in_force(predictor.model, settings))
            models.append([ref.name, ref.endpoint, repr(ref.sampling)])
        adapter = settings.adapter
        name = adapter if isinstance(adapter, str) else adapter.name
        return digest_of([self._digest, models, name, repr(settings.sampling)])

    def _text_of(self, inputs: Mapping[str, Any]) -> str:
        if self._text is not None:
            return self._text(inputs)
        if len(inputs) == 1 and isinstance(value := next(iter(inputs.values())), str):
            return value
        fields = self.program.inputs
        plain = {
            name: fields[name].plain(value) for name, value in inputs.items() if name in fields
        }
        return json.dumps(plain, sort_keys=True, ensure_ascii=False)

    def _read(self, outputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return stored outputs in the program's types; ``None`` if they do not fit."""
        try:
            return {name: field.validate(outputs[name]) for name, field in self._outputs.items()}
        except (InputError, KeyError):
            return None

    def _answer(
        self, inputs: Mapping[str, Any], values: Mapping[str, Any], nearest: Nearest, took: float
    ) -> Prediction:
        step = TraceStep(
            type(self.program).__name__, dict(inputs), values, (), (), listed=False,
            similarity=nearest.similarity,
        )  # fmt: skip
        outer = recorder.get()
        if outer is not None:
            outer.add(step)
        return Prediction.of(values, took, (step,))
