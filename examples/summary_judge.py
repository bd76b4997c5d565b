"""Summaries scored by a judge that was first aligned with the labels that people gave.

python examples/summary_judge.py    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

import langprog as lp
from langprog.evaluation import exact, judged
from optimizers import BootstrapFewShot

LABELLED = [  # text, summary, whether people found it faithful
    ("The bridge closes on Monday until June.", "Bridge closes until June.", True),
    ("The bridge closes on Monday until June.", "A minister opened a bridge.", False),
    ("The bakery sold 300 loaves on its first day.", "Bakery sold 300 loaves.", True),
    ("The bakery sold 300 loaves on its first day.", "The bakery went bankrupt.", False),
    ("The council voted 7 to 4 for a library.", "Council voted for library.", True),
    ("The council voted 7 to 4 for a library.", "The mayor lost a vote.", False),
    ("Rain flooded the lower market.", "Market flooded.", True),
    ("Rain flooded the lower market.", "Snow fell on the town.", False),
    ("The ferry was late twice in May.", "Ferry late twice.", True),
    ("The ferry was late twice in May.", "A ferry sank.", False),
    ("A fox lives under the school.", "Fox under school.", True),
    ("A fox lives under the school.", "Wolves roam in town.", False),
]
NEW = ["The mill burned down at night and nobody was hurt.", "The choir sings on Sunday at noon."]


class Judge(lp.Signature):
    """Say whether the summary says only what the text says."""

    text: str = lp.Input()
    summary: str = lp.Input()
    verdict: bool = lp.Output()


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    rows = [lp.Example(text=t, summary=s, verdict=v) for t, s, v in LABELLED]
    judge, agrees = lp.ChainOfThought(Judge), exact("verdict")
    aligned = BootstrapFewShot().compile(
        judge, rows[:8], holdout=rows[8:], metric=agrees, accept="best"
    )
    for name, program in (("as written", judge), ("aligned", aligned.program)):
        report = lp.evaluate(program, rows[8:], agrees)
        print(f"the judge, {name}, agrees with people on {report.mean:.0%} of new labels")
    summarize = lp.Predict("text -> summary", instruction="Summarize in at most six words.")
    report = lp.evaluate(summarize, [{"text": text} for text in NEW], judged(aligned.program))
    print(f"{report.mean:.0%} of {len(NEW)} summaries are faithful")
