"""A judge compiled by ``optimizers.JudgeAlign`` on few labels: agreement on fresh labelled rows.

Usage: python -m benchmarks.judge_align [--seeds 5] [--splits 10] [--keep judge_align.jsonl]

Two judges of pairs. The first is an embedded model that learns a hidden taste from verdicts
(``benchmarks/tasks/preferences.py``). The second are recorded ones: LLMBar (Zeng et al., 2024;
MIT), 419 comparisons with the right verdict, judged by 65 configurations in both orders, among
which the compile chooses; needs the folder that LANGPROG_DATA names.
"""
