"""77 labels: each prompt shows the labelled examples that are nearest to its text.

pip install 'langprog[retrieval]'
python examples/many_labels.py    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

from typing import Literal

import langprog as lp
from langprog.evaluation import exact

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


class Intent(lp.Signature):
    """Say what the customer of the bank wants."""

    text: str = lp.Input()
    intent: Literal[*INTENTS] = lp.Output()


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    rows = [lp.Example(text=text, intent=intent) for text, intent in LABELLED.items()]
    test = [lp.Example(text=text, intent=intent) for text, intent in TEST.items()]
    program = lp.Predict(Intent, nearest=lp.NearestDemos(rows, k=3))
    report = lp.evaluate(program, test, exact("intent"))
    print(f"{report.mean:.2f} right of {len(test)}, with {len(INTENTS)} labels")
