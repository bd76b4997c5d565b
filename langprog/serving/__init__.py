"""Programs behind HTTP, for any number of clients. Needs the extra ``serve``.

- ``application``: the routes. ``endpoints``: those of programs. ``server``: the running server.
- ``guard``: keys, host names, counting. ``keys``. ``limits``. ``metrics``: for Prometheus.
- ``interface``: a program's inputs and outputs as JSON; ``tags`` of unions in them.
  ``openapi``: the same as a document.
- ``calls``: running programs within the limits. ``batches``, ``streams``, ``traces``: the forms of
  an answer. ``requests``: reading what a client sends. ``refusals``: errors as responses.
- ``service``: what a name stands for, and swapping it.
- ``trials``: what follows an answer while another artifact is on trial. ``comparison``: its
  figures. ``kept_answers``, ``feedback``, ``scoring``: from answers to scores.
"""

from langprog.serving.application import Application
from langprog.serving.guard import LOOPBACK, Access
from langprog.serving.keys import Keys
from langprog.serving.limits import Limits
from langprog.serving.refusals import Refusal
from langprog.serving.server import ProgramServer
from langprog.serving.service import Loaded, Service, Swap, Trial

__all__ = [
    "Access",
    "Application",
    "Keys",
    "LOOPBACK",
    "Limits",
    "Loaded",
    "ProgramServer",
    "Refusal",
    "Service",
    "Swap",
    "Trial",
]
