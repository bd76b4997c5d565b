"""Programs, prompts and data of other libraries, in and out.

- ``contract``: what a format of a file is. ``registry``: the formats by name. ``reading``,
  ``writing``: bounded reading, whole files.
- ``dspy``: programs of DSPy.
- ``templates``: prompt templates. ``messages``: prompts as messages. ``fine_tuning``: accepted
  runs. ``gepa_candidates``: instructions by predictor. ``skill``: a SKILL.md.
  ``standalone``: a Python file.
- ``openai_evals``: data sets of OpenAI Evals, and their metrics.
- ``promptfoo_tests``: tests of promptfoo (``assertions``: their metric; ``csv_assertions``,
  ``yaml_text``: how they are written).
"""

from langprog.interop.assertions import promptfoo
from langprog.interop.contract import Exported, Format, Imported
from langprog.interop.dspy import from_dspy, is_dspy, to_dspy
from langprog.interop.fine_tuning import answer_text, to_fine_tuning
from langprog.interop.gepa_candidates import from_gepa, read_candidate, to_gepa
from langprog.interop.messages import only_predictor, to_message_templates, to_messages
from langprog.interop.openai_evals import from_openai_evals, fuzzy_match, includes, match
from langprog.interop.promptfoo_tests import from_promptfoo
from langprog.interop.reading import read_json_lines, read_text
from langprog.interop.registry import FORMATS, format_to_read, format_to_write
from langprog.interop.skill import to_skill
from langprog.interop.standalone import to_python
from langprog.interop.templates import from_template, to_template
from langprog.interop.writing import write_file

__all__ = [
    "Exported",
    "FORMATS",
    "Format",
    "Imported",
    "answer_text",
    "format_to_read",
    "format_to_write",
    "from_dspy",
    "from_gepa",
    "from_openai_evals",
    "from_promptfoo",
    "from_template",
    "fuzzy_match",
    "includes",
    "is_dspy",
    "match",
    "only_predictor",
    "promptfoo",
    "read_candidate",
    "read_json_lines",
    "read_text",
    "to_dspy",
    "to_fine_tuning",
    "to_gepa",
    "to_message_templates",
    "to_messages",
    "to_python",
    "to_skill",
    "to_template",
    "write_file",
]
