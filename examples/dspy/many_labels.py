"""77 labels in DSPy 3.4.1: demonstrations by nearness, bootstrapped anew for each input."""

from typing import Literal

import dspy

THINGS = "card account transfer cash_machine top_up exchange app statement fee refund loan".split()
ISSUES = "missing late refused wrong_amount how_to stolen close".split()
INTENTS = [f"{thing}_{issue}" for thing in THINGS for issue in ISSUES]
LABELLED = {
    "my new card has not come yet": "card_late",
    "somebody took my card and pays with it": "card_stolen",
    "the shop did not take my card": "card_refused",
    "the cash machine kept my notes": "cash_machine_missing",
    "the cash machine gave me 20 and counted 50": "cash_machine_wrong_amount",
    "how do I put money on the app": "top_up_how_to",
    "my top up has been pending for two days": "top_up_late",
    "you charged the monthly fee twice": "fee_wrong_amount",
    "please shut down my account": "account_close",
    "where is the refund for the shoes I sent back": "refund_missing",
}
TEST = {
    "the machine kept the notes that I wanted to draw": "cash_machine_missing",
    "is it possible to shut my account down": "account_close",
    "this month the fee was charged twice": "fee_wrong_amount",
    "a shop did not accept my card": "card_refused",
}


class Intent(dspy.Signature):
    """Say what the customer of the bank wants."""

    text: str = dspy.InputField()
    intent: Literal[*INTENTS] = dspy.OutputField()


def exact(example, prediction, trace=None):
    return example.intent == prediction.intent


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    rows = [dspy.Example(text=t, intent=i).with_inputs("text") for t, i in LABELLED.items()]
    test = [dspy.Example(text=t, intent=i).with_inputs("text") for t, i in TEST.items()]
    embedder = dspy.Embedder("openai/text-embedding-3-small")
    knn = dspy.KNNFewShot(k=3, trainset=rows, vectorizer=embedder, metric=exact)
    program = knn.compile(dspy.Predict(Intent))
    result = dspy.Evaluate(devset=test, metric=exact)(program)
    print(f"{result.score / 100:.2f} right of {len(test)}, with {len(INTENTS)} labels")
