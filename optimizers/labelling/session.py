"""The calls of a labelling: under a budget, kept in a journal, with progress."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from langprog import Budget, Module, using
from langprog.artifact import Artifact, load
from langprog.lm import Ledger
from langprog.runtime import current
from optimizers.budget.plan import subtract_spent
from optimizers.evaluation.recording import ModelRecorder
from optimizers.events import ProgressLike, Reporter
from optimizers.identity import program_digest
from optimizers.journal import Journal
from optimizers.models.roles import ModelRoles
from optimizers.report.progress import open_progress

Program = Module | Artifact | str | os.PathLike[str]


def load_module(program: Program) -> Module:
    """Return a program, also one of an artifact or of its path."""
    if isinstance(program, Artifact):
        return program.program()
    return program if isinstance(program, Module) else load(program)


@contextmanager
def record_calls(
    programs: Sequence[Module],
    identity: Mapping[str, str],
    *,
    budget: Budget,
    run_dir: str | os.PathLike[str] | None,
    progress: ProgressLike | None,
) -> Iterator[Reporter]:
    """Send the calls inside through a journal and a ledger.

    Args:
        programs: Who is asked.
        identity: What tells this labelling from others, beside programs and model.
        budget: A hard cap over all sessions.
        run_dir: Folder of the journal; ``None`` for none.
        progress: Receives events.

    Raises:
        InputError: The folder cannot be used.
        ModelError: A model has no price under a cap in dollars.
    """
    for program in programs:
        ModelRoles.of(program, (), (), None).check_prices(budget)
    model = current().lm
    known = {
        **identity,
        "program": " ".join(map(program_digest, programs)),
        "model": "none" if model is None else model.name,
    }
    with closing(Journal(run_dir, known)) as journal:
        ledger = Ledger(subtract_spent(budget, journal.earlier.paid, journal.earlier.seconds))
        reporter = Reporter(open_progress(progress), budget, ledger, journal)
        if journal.earlier.paid.calls:
            reporter.note(f"resuming: {journal.earlier.paid.calls} paid calls are in the journal")
        wrap = ModelRecorder(journal, ledger)
        with using(budget=ledger, wrap=wrap, notice=reporter.warn_once):
            yield reporter
        reporter.update_spend()
