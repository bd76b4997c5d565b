"""A judge aligned with labels, and summaries scored by it, in DSPy 3.4.1."""

import dspy

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


class Judge(dspy.Signature):
    """Say whether the summary says only what the text says."""

    text: str = dspy.InputField()
    summary: str = dspy.InputField()
    verdict: bool = dspy.OutputField()


def agrees(example, prediction, trace=None):
    return example.verdict == prediction.verdict


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    rows = [
        dspy.Example(text=t, summary=s, verdict=v).with_inputs("text", "summary")
        for t, s, v in LABELLED
    ]
    judge = dspy.ChainOfThought(Judge)
    aligned = dspy.BootstrapFewShot(metric=agrees).compile(judge, trainset=rows[:8])
    for name, program in (("as written", judge), ("aligned", aligned)):
        result = dspy.Evaluate(devset=rows[8:], metric=agrees)(program)
        print(f"the judge, {name}, agrees with people on {result.score:.0f}% of new labels")

    def faithful(example, prediction, trace=None):
        return aligned(text=example.text, summary=prediction.summary).verdict

    signature = dspy.Signature("text -> summary", "Summarize in at most six words.")
    news = [dspy.Example(text=text).with_inputs("text") for text in NEW]
    result = dspy.Evaluate(devset=news, metric=faithful)(dspy.Predict(signature))
    print(f"{result.score:.0f}% of {len(NEW)} summaries are faithful")
