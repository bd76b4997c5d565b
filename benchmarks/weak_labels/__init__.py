"""What labels from rules and an old model buy: on public texts, and in compiles.

Usage: python -m benchmarks.weak_labels [--seeds 20] [--compiles 3] [--keep weak_labels.jsonl]

The texts: TREC's questions (Li and Roth, 2002) and the sentences of SST-2 (Socher et al., 2013).
No language model is asked: a logistic regression on the words stands in for the program. The
compiles: a generated task on the smallest embedded model, with voters that err at random. The
figures are a section of the page of ``benchmarks.labels``.
"""
