"""Ask a model that you do not trust: take out what is private, ask, and put it back.

Follows: PAPILLON: Privacy Preservation from Internet-based and Local Language Model Ensembles
(Siyan et al., 2024) and its data PUPA: a trusted model writes a request without private details
for a strong one. Differs: the trusted model only names the private spans, and code replaces them
by placeholders and puts them back, so that no word that was named can go out, in whatever case it
is written; e-mail addresses, phone and card numbers are taken out in any case, as a pattern finds
them; the metric gives nothing for a
reply whose request leaks. The requests are generated. ``locate`` is to have a local model
(``with_parameters({"locate.model": ...})``), ``ask`` the strong one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

import langprog as lp

FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")
LAST = ("Kerr", "Lund", "Marsh", "Nolan", "Brandt", "Hollis", "Iversen", "Jakobs")
TOWNS = ("Riga", "Oslo", "Turin", "Lisbon", "Graz", "Lyon")
# What a pattern knows to be private, also where the model does not name it.
PATTERN = re.compile(r"[\w.+-]+@[\w-]+(?:\.\w+)+|\+?\d[\d ()./-]{5,}\d")
FORMS = (
    "Write one line that thanks {who} of {town} for the call. The number is {phone}.",
    "Write one line that asks {who} to confirm {mail} as the address.",
    "Write one line that invites {who} to our office in {town}; reply to {mail}.",
)


class Locate(lp.Signature):
    """List everything in the request that could tell who is meant, exactly as it is written."""

    request: str = lp.Input()
    private: list[str] = lp.Output("names, places, addresses, numbers; never common words")


class Ask(lp.Signature):
    """Do what the request asks for; write every placeholder in brackets as it stands."""

    request: str = lp.Input()
    reply: str = lp.Output()


class Private(lp.Module):
    """Asks without telling."""

    signature = "request -> reply, sent"

    def __init__(self) -> None:
        self.locate = lp.Predict(Locate)
        self.ask = lp.Predict(Ask)

    async def aforward(self, request: str) -> Mapping[str, str]:
        """Redact, ask, restore."""
        named = (await self.locate.acall(request=request)).private
        sent, hidden = redact(request, named)
        reply = (await self.ask.acall(request=sent)).reply
        return {"reply": restore(reply, hidden), "sent": sent}


program = Private()


def redact(text: str, private: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return a text with placeholders for what is private, and what each stands for.

    Args:
        text: The text.
        private: Spans of it, in any case, of two characters or more; others are left out. The
            longest come first, so that a name inside another does not break it.
    """
    named = {span for each in private if len(span := each.strip()) > 1}
    whole = [rf"(?<!\w){re.escape(span)}(?!\w)" for span in sorted(named, key=len, reverse=True)]
    # What a pattern finds goes first, whatever stands beside it. One pass: a span that occurs in a
    # placeholder is not looked for there.
    places: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:
        return places.setdefault(match[0], f"[PRIVATE {len(places) + 1}]")

    sent = re.sub("|".join([PATTERN.pattern, *whole]), hide, text, flags=re.IGNORECASE)
    return sent, {placeholder: span for span, placeholder in places.items()}


def restore(text: str, hidden: Mapping[str, str]) -> str:
    """Return a text with what the placeholders stand for, also where their case was changed."""
    if not hidden:
        return text
    placeholders = "|".join(map(re.escape, hidden))
    return re.sub(placeholders, lambda match: hidden[match[0].upper()], text, flags=re.IGNORECASE)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score the wanted details in the reply; nothing where a private one was sent."""
    leaked = [each for each in example.private if each in prediction.sent]
    if leaked:
        return lp.Score(0.0, f"sent to the model that is not trusted: {', '.join(leaked)}")
    missing = [each for each in example.wanted if each not in prediction.reply]
    said = f"not in the reply: {', '.join(missing)}" if missing else None
    return lp.Score(1 - len(missing) / len(example.wanted), said)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different requests, with what is private in them and a reply.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"privacy/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        first, last, town = rng.choice(FIRST), rng.choice(LAST), rng.choice(TOWNS)
        values = {
            "who": f"{first} {last}",
            "town": town,
            "phone": f"0{rng.randint(20, 99)} {rng.randint(100000, 999999)}",
            "mail": f"{first.lower()}@{last.lower()}.example",
        }
        form = rng.choice(FORMS)
        used = [value for name, value in values.items() if f"{{{name}}}" in form]
        request = form.format(**values)
        rows.setdefault(
            request,
            lp.Example(
                request=request,
                private=used,
                wanted=used[:1],
                reply=f"Dear {values['who']}, thank you.",
                sent=redact(request, used)[0],
            ),
        )
    return list(rows.values())
