"""The formats of other tools, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from langprog.errors import InputError
from langprog.interop.contract import Format
from langprog.interop.dspy.states import read_state, write_state
from langprog.interop.fine_tuning import WRITES as FINE_TUNING_WRITES
from langprog.interop.fine_tuning import write_fine_tuning
from langprog.interop.gepa_candidates import READS as GEPA_READS
from langprog.interop.gepa_candidates import read_candidates, write_candidate
from langprog.interop.messages import WRITES as MESSAGES_WRITES
from langprog.interop.messages import write_messages
from langprog.interop.openai_evals import read_openai_evals
from langprog.interop.promptfoo_tests import READS as PROMPTFOO_READS
from langprog.interop.promptfoo_tests import read_promptfoo
from langprog.interop.skill import WRITES as SKILL_WRITES
from langprog.interop.skill import write_skill
from langprog.interop.standalone import write_python
from langprog.interop.templates import READS as TEMPLATE_READS
from langprog.interop.templates import read_template_file, write_template

_ALL = (
    Format(
        "dspy",
        "a state of a DSPy program: JSON of program.save()",
        read=read_state,
        write=write_state,
        into=True,
    ),
    Format(
        "fine-tuning",
        "fine-tuning JSONL of OpenAI: the calls of runs that a metric accepts",
        write=write_fine_tuning,
        writes=FINE_TUNING_WRITES,
        runs=True,
    ),
    Format(
        "gepa",
        "a candidate of GEPA: JSON with a text for each component",
        read=read_candidates,
        write=write_candidate,
        reads=GEPA_READS,
        into=True,
    ),
    Format(
        "messages",
        "plain messages: the prompts as JSON",
        write=write_messages,
        writes=MESSAGES_WRITES,
    ),
    Format(
        "openai-evals",
        "a data set of OpenAI Evals: JSONL with input and ideal",
        read=read_openai_evals,
    ),
    Format(
        "promptfoo",
        "tests of promptfoo: YAML, JSON, JSONL or CSV",
        read=read_promptfoo,
        reads=PROMPTFOO_READS,
    ),
    Format(
        "python",
        "a Python file that needs nothing but Python",
        write=write_python,
    ),
    Format(
        "skill",
        "a SKILL.md for agents",
        write=write_skill,
        writes=SKILL_WRITES,
    ),
    Format(
        "template",
        "a prompt template: a text or JSON messages, with {name} or {{ name }}",
        read=read_template_file,
        write=write_template,
        reads=TEMPLATE_READS,
    ),
)

FORMATS: Mapping[str, Format] = MappingProxyType({each.name: each for each in _ALL})
"""Every format, by its name on the command line."""


def format_to_read(name: str) -> Format:
    """Return the format that ``langprog import --from`` names.

    Raises:
        InputError: There is none of that name, or it is only written; lists those that are read.
    """
    return _format_named(name, "read", [each for each in _ALL if each.read])


def format_to_write(name: str) -> Format:
    """Return the format that ``langprog export --as`` names.

    Raises:
        InputError: There is none of that name, or it is only read; lists those that are written.
    """
    return _format_named(name, "written", [each for each in _ALL if each.write])


def _format_named(name: str, verb: str, usable: list[Format]) -> Format:
    for each in usable:
        if each.name == name:
            return each
    listed = "; ".join(f"{each.name} ({each.what})" for each in usable)
    if name in FORMATS:
        raise InputError(f"the format {name!r} cannot be {verb}; these can: {listed}")
    raise InputError(f"there is no format {name!r}; these can be {verb}: {listed}")
