"""A conversation about a picture in DSPy 3.4.1."""

import sys

import dspy

RED_DOT = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
QUESTIONS = ["Which color is it?", "Is that color warm?", "What did I ask first?"]


class Look(dspy.Signature):
    """Answer the question about the picture in a few words."""

    history: dspy.History = dspy.InputField()
    picture: dspy.Image = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


if __name__ == "__main__":
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"))
    picture = dspy.Image(sys.argv[1] if len(sys.argv) > 1 else RED_DOT)
    look, history = dspy.Predict(Look), dspy.History(messages=[])
    for question in QUESTIONS:
        answer = look(history=history, picture=picture, question=question).answer
        history.messages.append({"question": question, "answer": answer})
        print(f"{question} {answer}")
