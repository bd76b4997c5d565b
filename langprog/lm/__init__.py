"""Language models: one contract, clients that reach endpoints, wrappers that add one idea each."""

from langprog.lm.types import Completion, LanguageModel, Message, Request, Sampling, Usage

__all__ = ["Completion", "LanguageModel", "Message", "Request", "Sampling", "Usage"]
