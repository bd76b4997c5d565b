"""How a standalone program reads replies: code that stands in every exported file.

A reply is read if it has the form that was asked for; then it means what it means to langprog.
"""

from __future__ import annotations

import json
import re
from typing import Any


class Unreadable(ValueError):
    """A reply does not have the form that was asked for."""


# --- values --------------------------------------------------------------------------------------


def unquote(text: str) -> str:
    """Return the text inside a code fence or a JSON string, else the text."""
    text = text.strip()
    if text[:1] == "`":
        return strip_fence(text)
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            inside = json.loads(text)
        except ValueError:
            return text
        return inside if isinstance(inside, str) else text
    return text


def strip_fence(text: str) -> str:
    """Return the text inside a code fence around all of a text, else the text."""
    if not (text.startswith("```") and text.endswith("```")) or text.count("```") != 2:
        return text
    header = re.match(r"```[\w+-]*[ \t]*\n", text)
    return text if header is None else text[header.end() : -3].rstrip(" \t").removesuffix("\n")


def read_text(kind: dict[str, Any], text: str) -> Any:
    """Return the value that a text says.

    Raises:
        Unreadable: It does not say one in the plain form.
    """
    text = text.strip()
    if kind["kind"] == "optional":
        null = text.casefold() in ("null", "none") or (not text and kind["of"]["kind"] != "str")
        return None if null else read_text(kind["of"], text)
    if kind["kind"] == "str":
        return unquote(text)
    if kind["kind"] == "int" and re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        return int(text)
    if kind["kind"] == "float" and re.fullmatch(r"[+-]?[0-9]{1,300}(\.[0-9]{0,300})?", text):
        return float(text)
    if kind["kind"] == "bool" and text.casefold() in ("true", "yes", "false", "no"):
        return text.casefold() in ("true", "yes")
    if kind["kind"] == "choice":
        return read_choice(kind, text)
    if kind["kind"] == "list":
        return read_data(kind, load_json(strip_fence(text)))
    raise Unreadable(f"{text!r:.80} is not {kind['words']}")


def read_choice(kind: dict[str, Any], text: str) -> Any:
    """Return the choice that a text names, in any case if that names one alone."""
    exact = [choice for choice in kind["choices"] if str(choice) == text]
    folded = [re.sub(r"[\s_-]+", " ", str(choice).casefold()) for choice in kind["choices"]]
    same = [choice for choice in kind["choices"] if str(choice).casefold() == text.casefold()]
    if exact or (len(same) == 1 and len(set(folded)) == len(folded)):
        return (exact or same)[0]
    raise Unreadable(f"{text!r:.80} is not {kind['words']}")


def load_json(text: str) -> Any:
    """Return the value of a JSON text, whose keys are all different.

    Raises:
        Unreadable: It is not one.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise Unreadable("a key comes twice")
        return dict(pairs)

    def refuse(word: str) -> Any:
        raise Unreadable(f"{word} is not JSON")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise Unreadable(f"{text!r:.80} is not JSON") from None


def read_data(kind: dict[str, Any], value: Any) -> Any:
    """Return the value that JSON data says.

    Raises:
        Unreadable: It is not of the type.
    """
    if kind["kind"] == "optional":
        null = isinstance(value, str) and value.strip().casefold() in ("null", "none", "")
        if value is None:
            return None
        if not null:
            return read_data(kind["of"], value)
    elif kind["kind"] == "choice":
        for choice in kind["choices"]:
            if type(choice) is type(value) and choice == value:
                return choice
    elif kind["kind"] == "list" and isinstance(value, list):
        return [read_data(kind["of"], item) for item in value]
    elif kind["kind"] == "float" and type(value) in (int, float) and abs(value) < 1e300:
        return float(value)
    elif type(value).__name__ == kind["kind"]:
        return value
    raise Unreadable(f"{value!r:.80} is not {kind['words']}")


# --- replies -------------------------------------------------------------------------------------


def read_reply(step: dict[str, Any], reply: str) -> dict[str, Any]:
    """Return the outputs of a reply.

    Raises:
        Unreadable: It does not have the form that was asked for.
    """
    text = without_thinking(step, reply).strip()
    outputs = step["outputs"]
    if step["form"] == "text" and len(outputs) == 1 and outputs[0]["type"]["kind"] == "str":
        if not text:
            raise Unreadable("it is empty")
        return {outputs[0]["name"]: text}
    if step["form"] == "json" or (step["form"] == "text" and len(outputs) > 1):
        data = load_json(strip_fence(text))
        if not isinstance(data, dict):
            raise Unreadable("it is not a JSON object")
        values = {}
        for field in outputs:
            if field["name"] not in data:
                raise Unreadable(f"the key {field['name']!r} is missing")
            values[field["name"]] = read_data(field["type"], data[field["name"]])
        return values
    sections = sections_of(step, text)
    return {field["name"]: read_text(field["type"], sections[field["name"]]) for field in outputs}


def without_thinking(step: dict[str, Any], reply: str) -> str:
    """Return a reply without ``<think>...</think>`` before it.

    Raises:
        Unreadable: It has other thinking, which only langprog tells from the answer.
    """
    tags = thinking_in(step, reply)
    if not tags:
        return reply
    if tags != ["<think>", "</think>"] or not reply.lstrip().casefold().startswith("<think>"):
        raise Unreadable("it thinks aloud in a form that cannot be told from its answer")
    return reply[reply.casefold().index("</think>") + len("</think>") :]


def thinking_in(step: dict[str, Any], reply: str) -> list[str]:
    """Return what may mark thinking in a reply, in lower case; most replies have nothing."""
    tag, head = (re.compile(pattern, re.IGNORECASE) for pattern in step["thinking"])
    begin = reply.lstrip()
    if not any(sign in reply for sign in ("<", "[/", "\u25c1")):
        alone = begin.startswith("[") and not reply.startswith("[[") and tag.match(begin)
        channel = begin.startswith("analysis") and "assistantfinal" in reply
        return ["?"] if alone or channel else []
    if head.match(reply):
        return ["?"]
    # A marker is not a tag in brackets: [[reasoning]].
    bare = re.sub(step["marker"], "", reply, flags=re.IGNORECASE)
    return [match.group().casefold() for match in tag.finditer(bare)]


def sections_of(step: dict[str, Any], text: str) -> dict[str, str]:
    """Return the text under each marker; a text alone is the only output.

    Raises:
        Unreadable: A section is missing, comes twice, or stands in another form.
    """
    names = [field["name"] for field in step["outputs"]]
    marker = re.compile(step["marker"], re.IGNORECASE if step["any_case"] else 0)
    lead = re.compile(rf"^[ \t>#*_-]*(?:{step['marker']})", marker.flags | re.MULTILINE)
    if "[[" not in text and len(names) == 1:
        label = rf"[ \t>#*_]*{re.escape(names[0]).replace('_', '[ _-]')}[ \t]*[*_]*[ \t]*:"
        if not text or text[0] in "{`" or text[-1] in ">]" or re.match(label, text, re.I):
            raise Unreadable(f"the section [[{names[0]}]] is missing")
        return {names[0]: text}
    exact = re.compile("^" + marker_of(names) + "$", re.MULTILINE)
    marks = list(exact.finditer(text))
    if not marks or marks[0].start() != 0 or len(marks) != len(list(lead.finditer(text))):
        raise Unreadable(f"the sections {', '.join(names)} do not stand under their markers")
    sections: dict[str, str] = {}
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for number, mark in enumerate(marks):
        end = ends[number]
        name, body = mark.group(1), text[mark.end() : end].strip()
        if name in sections or closes(body, name):
            raise Unreadable(f"the section [[{name}]] comes twice, or is closed by something")
        sections[name] = re.sub(
            rf"\\(?={step['marker']})", "", body, flags=marker.flags & re.IGNORECASE
        )
    missing = [name for name in names if name not in sections]
    if missing:
        raise Unreadable(f"the section [[{missing[0]}]] is missing")
    return sections


def marker_of(names: list[str]) -> str:
    """Return the pattern of an exact marker of one of these fields."""
    return rf"\[\[({'|'.join(map(re.escape, names))})\]\]"


def closes(body: str, name: str) -> bool:
    """Return whether a text may end with a closing tag or a token that is not part of it."""
    own = re.escape(name).replace("_", "[ _-]")
    word = r"\[\[[ \t]*(?:##[ \t]*)?(?:/|end|complete|done|eof|finished|stop)[^\n]*\]\]"
    tag = rf"</?(?:end_of_turn|eos|eot|end_of_utterance|turn\|?|s|{own})>"
    token = rf"<[|\uff5c][^<>\n]*[|\uff5c]>|{tag}|\[/?(?:INST|eos|{own})\]|{word}"
    return body[-1:] in (">", "]") and re.search(rf"(?:{token})\Z", body, re.I) is not None
