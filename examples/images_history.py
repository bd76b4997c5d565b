"""A conversation about a picture: the image is a part of the message, earlier turns are messages.

python examples/images_history.py [PICTURE]    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

import base64
import sys

import langprog as lp

RED_DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
QUESTIONS = ["Which color is it?", "Is that color warm?", "What did I ask first?"]


class Look(lp.Signature):
    """Answer the question about the picture in a few words."""

    history: lp.History = lp.Input()
    picture: lp.Image = lp.Input()
    question: str = lp.Input()
    answer: str = lp.Output()


if __name__ == "__main__":
    lp.configure(lm="openai/gpt-6-luna")
    picture = lp.Image(sys.argv[1] if len(sys.argv) > 1 else base64.b64decode(RED_DOT))
    look, history = lp.Predict(Look), lp.History()
    for question in QUESTIONS:
        answer = look(history=history, picture=picture, question=question).answer
        history = history.with_turn(question=question, answer=answer)
        print(f"{question} {answer}")
