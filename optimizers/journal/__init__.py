"""The journal of a compile, from which it resumes."""

from optimizers.journal.earlier import EarlierCalls
from optimizers.journal.file import read_records
from optimizers.journal.journal import FILE, FORMAT, EarlierSessions, Journal

__all__ = ["EarlierCalls", "EarlierSessions", "FILE", "FORMAT", "Journal", "read_records"]
