"""Cancels the batches of an output that are still running."""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from langprog.batch.provider.carrying import BatchesStopped, Carrier
from langprog.batch.provider.models import client_of
from langprog.batch.provider.options import ProviderBatches
from langprog.batch.provider.state import BatchState, SentBatch, reads_state, state_path
from langprog.errors import BadRequestError, InputError, ModelError
from langprog.lm import IN_PROCESS, BatchAPI, OpenAICompatible, is_missing
from langprog.modules import Module
from langprog.runtime import model_in_force


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a batch.

    Args:
        batch: Its id; its tag if it was never created.
        outcome: ``cancelled`` (or ``cancelling``), ``not created``, ``given up`` (the endpoint
            does not know it, or its replies, any more), or the final status that it already had.
    """

    batch: str
    outcome: str


async def cancel_batches(
    program: Module, target: Path, options: ProviderBatches
) -> list[Cancelled]:
    """Cancel the running batches of an output; a later run collects what they had answered.

    Args:
        program: The program, with its models.
        target: The output.
        options: How batches are sent.

    Raises:
        InputError: The output has no batches, or the program has not the models that they are of.
        LMError: The endpoint cannot be reached, or does not accept the key.
    """
    path = state_path(target)
    if not reads_state(path):
        raise InputError(f"--cancel: {target} has no batches at a provider ({path} is not there)")
    clients = _clients_of(program)
    state = BatchState(path)
    try:
        outcomes = []
        for sent in state.unfinished():
            client = clients.get(sent.model)
            if client is None:
                raise InputError(
                    f"--cancel: {sent.batch or sent.tag} is a batch of {sent.model!r}, a model "
                    "that the program does not have: give the options of the command that sent it"
                )
            carrier = Carrier(client.name, BatchAPI(client), state, options, None)
            outcomes.append(await _cancel(carrier, BatchAPI(client), state, sent))
        return outcomes
    finally:
        state.close()


async def _cancel(
    carrier: Carrier, api: BatchAPI, state: BatchState, sent: SentBatch
) -> Cancelled:
    try:
        there = await carrier.recover(sent)
    except BatchesStopped:
        there = None
    if there is None:
        state.drop(sent.tag)
        return Cancelled(sent.tag, "not created")
    try:
        batch = await carrier.state_of(there)
        if not batch.is_final:
            with suppress(BadRequestError):  # it has just become final
                batch = await carrier.cancel(there)
        for file in filter(None, (batch.output_file, batch.error_file)):
            async with aclosing(api.lines(file)) as lines:
                await anext(lines, None)
    except BadRequestError as error:
        if not is_missing(error):
            raise
        state.finish(sent.tag)
        return Cancelled(there.batch, "given up")
    return Cancelled(batch.id, batch.status)


def _clients_of(program: Module) -> dict[str, OpenAICompatible]:
    clients = {}
    for predictor in program.predictors().values():
        try:
            model = model_in_force(predictor.model)
        except ModelError:
            continue
        if model.endpoint != IN_PROCESS:
            client = client_of(model)
            clients[f"{client.endpoint} {client.name}"] = client
    return clients
