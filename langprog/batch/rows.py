"""One row: its inputs, the program's answer, and what that means for the output."""

from __future__ import annotations

from dataclasses import dataclass

from langprog.batch.failures import Outcome, outcome_of
from langprog.batch.inputs import ProgramInputs, plain
from langprog.modules import Module


@dataclass(frozen=True, slots=True)
class Answered:
    """What a program made of a row.

    Args:
        outcome: The outcome.
        priced: Whether every call had a price.
    """

    outcome: Outcome
    priced: bool = True


async def answer_row(program: Module, text: str, textual: bool) -> Answered:
    """Run a program on a row.

    Args:
        program: The program.
        text: Its inputs, as ``ProgramInputs.text_of`` writes them.
        textual: Whether they are table cells.

    Raises:
        ModelError: No row can run.
        BudgetExceeded: The budget is spent.
    """
    try:
        values = ProgramInputs(program).values_of(text, textual=textual)
        prediction = await program.acall(**values)
        outputs = plain(prediction.to_dict())
        return Answered(Outcome(outputs=outputs), prediction.usage.dollars is not None)
    except Exception as error:  # noqa: BLE001 - one row of many; it is written, not lost
        return Answered(outcome_of(error))
