"""Candidates and their scores: what is run, on which examples, and what nothing else beats."""
