"""Artifacts: a program as one JSON file that runs anywhere.

- ``files``: read and load. ``writing``: save. ``format``: the file field by field.
- ``migrations``: upgrades from older formats. ``lineage``: what a program was made from.
- ``difference``: what differs between two artifacts, for people. ``words``: of two texts.
- ``editing``: a program's parameters as a text to edit.
- ``reading``: reading any file in bounded time and memory. ``foreign``: recognizing other tools'
  files. ``costs``: limits on patterns and samples.
- ``nodes``: programs as data. ``classes``, ``checking``: the user's own classes and validators.
- ``own_types``, ``namespaces``: the user's own types in a loaded program, and finding them.
- ``proof``, ``samples``: checking the round trip. ``digest``, ``secrets``: canonical JSON, and
  refusing secrets.
- ``functions``: the functions of a loaded program's checks.
- ``retrievers``: what a loaded program's ``Retrieve`` modules search, and its embedders.
- ``tools``: the tools of a loaded program's ``ReAct`` modules.
- ``model_table``: prices, endpoints, and which models a loaded program may call.
"""

from langprog.artifact.classes import class_name, source_digest
from langprog.artifact.difference import Change, Difference, diff
from langprog.artifact.digest import digest_of
from langprog.artifact.editing import read_changes, read_form, write_form
from langprog.artifact.files import Artifact, load, read_artifact
from langprog.artifact.format import AttemptData, CompileData, ModelData
from langprog.artifact.function_digest import function_digest
from langprog.artifact.model_table import models_in, with_models
from langprog.artifact.nodes import program_to_json
from langprog.artifact.samples import sample_values
from langprog.artifact.tools import HandedTools
from langprog.artifact.words import Piece, diff_words
from langprog.artifact.writing import check_writable, save, save_program, write_canaries
from langprog.lm import looks_secret

__all__ = [
    "Artifact",
    "AttemptData",
    "Change",
    "CompileData",
    "Difference",
    "HandedTools",
    "ModelData",
    "Piece",
    "check_writable",
    "class_name",
    "diff",
    "diff_words",
    "digest_of",
    "function_digest",
    "load",
    "looks_secret",
    "models_in",
    "program_to_json",
    "read_artifact",
    "read_changes",
    "read_form",
    "sample_values",
    "save",
    "save_program",
    "source_digest",
    "with_models",
    "write_canaries",
    "write_form",
]
