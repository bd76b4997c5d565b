"""Images, files and earlier turns are parts and messages of a prompt, never text in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import langprog as lp
from langprog.adapters import ADAPTERS, Adapter, adapter_named, encode, head_of, render_call
from langprog.errors import InputError
from langprog.lm import Image, Message, Part, Text
from langprog.signature import FieldSpec, SignatureSpec


class Photo(BaseModel):
    picture: lp.Image
    title: str


class Look(lp.Signature):
    """Say what is to be seen."""

    photo: lp.Image = lp.Input("the photo")
    others: list[Photo] = lp.Input()
    paper: lp.File | None = lp.Input()
    question: str = lp.Input()
    answer: str = lp.Output()


ONE, TWO, PAPER = lp.Image(b"\x89PNG one"), lp.Image("https://example.org/2.png"), lp.File(b"%PDF")
GIVEN = {
    "photo": ONE,
    "others": [Photo(picture=TWO, title="two"), Photo(picture=ONE, title="again")],
    "paper": PAPER,
    "question": "what?",
}


def parts_of(message: Message) -> tuple[Part, ...]:
    return () if isinstance(message.content, str) else message.content


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_each_image_is_a_part_at_its_place(adapter: str) -> None:
    call = adapter_named(adapter).render(Look.spec, [], GIVEN)[-1]
    media = [part for part in parts_of(call) if not isinstance(part, Text)]
    assert media == [ONE, TWO, ONE, PAPER]
    assert all(part.text for part in parts_of(call) if isinstance(part, Text))
    assert ONE.base64 not in call.text and "langprog.invalid" not in call.text
    before = parts_of(call)[parts_of(call).index(TWO) - 1]
    assert isinstance(before, Text) and "picture" in before.text


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_demonstrations_have_images_too(adapter: str) -> None:
    demo = lp.Example(**GIVEN, answer="a cat")
    messages = adapter_named(adapter).render(Look.spec, [demo], {**GIVEN, "photo": TWO})
    assert [part for part in parts_of(messages[1]) if isinstance(part, Image)] == [ONE, TWO, ONE]
    assert parts_of(messages[-1])[1] == TWO


def test_the_usual_prompt_reads_well() -> None:
    spec = lp.Predict("photo: Image, question -> answer").signature
    values = {"photo": ONE, "question": "what?"}
    assert adapter_named("chat").render(spec, [], values)[-1].content == (
        Text("[[photo]]\n"),
        ONE,
        Text("\n[[question]]\nwhat?"),
    )


@settings(deadline=None, max_examples=50)
@given(text=st.text(max_size=30), address=st.sampled_from(["https://langprog.invalid/0", "x"]))
def test_no_text_stands_for_an_image(text: str, address: str) -> None:
    spec = lp.Predict("photo: Image, question -> answer").signature
    first = adapter_named("chat").render(spec, [], {"photo": ONE, "question": "q"})[-1]
    values = {"photo": ONE, "question": f"{text}{address}{first.content[0]}"}
    call = adapter_named("chat").render(spec, [], values)[-1]
    assert [part for part in parts_of(call) if not isinstance(part, Text)] == [ONE]


def test_an_unreadable_reply_is_sent_back_with_the_images() -> None:
    messages = adapter_named("chat").render(Look.spec, [], GIVEN)
    empty = lp.Completion(("",), "test/model")
    again = adapter_named("chat").repair(messages, empty, "nothing is there")
    assert [part for part in parts_of(again[-1]) if isinstance(part, Image)] == [ONE, TWO, ONE]
    assert again[-1].text.endswith("could not be read: nothing is there.")


# --- conversations -------------------------------------------------------------------------------


class Chat(lp.Signature):
    """Answer."""

    history: lp.History = lp.Input()
    question: str = lp.Input()
    answer: str = lp.Output()


TURNS = lp.History(
    [
        {"question": "hi", "answer": "ho"},
        {"role": "user", "content": ["see", ONE]},
        {"role": "assistant", "content": "a cat"},
    ]
)


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_turns_are_messages_before_the_call(adapter: str) -> None:
    form = adapter_named(adapter)
    values = {"history": TURNS, "question": "which?"}
    messages = form.render(Chat.spec, [lp.Example(question="a", answer="b")], values)
    plain = form.render(
        Chat.spec, [lp.Example(question="hi", answer="ho")], {"question": "which?"}
    )
    demo = (len(plain) - 2) * 2 + 1
    roles = [message.role for message in messages[demo:]]
    assert messages[demo:] == (
        Message("user", (Text("see"), ONE)),
        Message("assistant", "a cat"),
        plain[-1],
    ), roles
    assert messages[len(plain) - 1].content == plain[1].content
    assert "earlier turns of this conversation, as messages" in messages[0].text


def test_an_optional_conversation_may_be_left_out() -> None:
    program = lp.Predict("history: Optional[History], question -> answer")
    model = lp.ScriptedLM(lambda request: "[[answer]]\nx")
    with lp.using(lm=model):
        program(question="why?")
        program(question="why?", history=[{"role": "user", "content": "hi"}])
    assert [len(request.messages) for request in model.requests] == [2, 3]


def test_a_conversation_may_be_all_there_is() -> None:
    spec = lp.Predict("history: History -> answer").signature
    turn = {"role": "user", "content": "hi"}
    messages = adapter_named("chat").render(spec, [], {"history": [turn]})
    assert messages[-1] == Message("user", "hi")
    with pytest.raises(InputError, match="is asked nothing"):
        adapter_named("chat").render(spec, [], {"history": []})


def test_a_turn_of_other_fields_is_said() -> None:
    values = {"history": [{"query": "x"}], "question": "y"}
    with pytest.raises(InputError, match="turn 1 of 'history': it has 'query', which is not a fi"):
        adapter_named("chat").render(Chat.spec, [], values)


# --- adapters of others --------------------------------------------------------------------------


class Lines(Adapter):
    name = "lines"

    def render(
        self, signature: SignatureSpec, demos: Sequence[lp.Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        return (Message("system", head_of(signature)), *render_call(signature, inputs, self.write))

    def parse(self, signature: SignatureSpec, completion: lp.Completion) -> dict[str, Any]:
        return dict.fromkeys(signature.outputs, completion.text)

    def write(self, fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
        return "\n".join(f"{name}: {encode(fields[name], values[name])}" for name in fields)


class TextAlone(Lines):
    name = "text-alone"

    def render(
        self, signature: SignatureSpec, demos: Sequence[lp.Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        return (Message("user", self.write(signature.inputs, inputs)),)


def test_an_adapter_of_ones_own_sends_images() -> None:
    model = lp.ScriptedLM(["a cat"])
    with lp.using(lm=model):
        assert lp.Predict(Look, adapter=Lines())(**GIVEN).answer == "a cat"
    media = [
        part for part in parts_of(model.requests[0].messages[-1]) if not isinstance(part, Text)
    ]
    assert media == [ONE, TWO, ONE, PAPER]


def test_an_adapter_that_writes_text_alone_sends_no_base_64() -> None:
    with lp.using(lm=lp.ScriptedLM(["x"])):
        with pytest.raises(InputError, match="'photo' is an lp.Image, which is not sent as text"):
            lp.Predict("photo: Image -> a", adapter=TextAlone())(photo=ONE)
        with pytest.raises(InputError, match="'h' is an lp.History, which is not sent as text"):
            lp.Predict("h: History -> a", adapter=TextAlone())(h=TURNS)


def test_a_model_that_reads_text_alone_says_so() -> None:
    program = lp.Predict("photo: Image -> a", model="pocket/small")
    with pytest.raises(lp.LangprogError, match="not the part Image"):
        program(photo=ONE)
