from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langprog.tools.docstrings import read_docstring


def test_words_and_arguments_are_told_apart() -> None:
    text = """Look up a city.

    It may take a while.

    Args:
        city (str): Its name,
            in English.
        year: The year: of the count.

            Another paragraph of it.
        *rest: Not an argument.

    Returns:
        inhabitants: their number

    Raises:
        KeyError: There is none.
    """
    description, arguments = read_docstring(text)
    assert description == "Look up a city.\n\nIt may take a while."
    assert arguments == {
        "city": "Its name, in English.",
        "year": "The year: of the count. Another paragraph of it.",
    }


def test_a_docstring_may_lack_everything() -> None:
    assert read_docstring(None) == ("", {})
    assert read_docstring("Args:") == ("", {})
    assert read_docstring("Args:\n\n\nReturns:\n    x: y") == ("", {})
    assert read_docstring("Search. Example: none.") == ("Search. Example: none.", {})


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    description, arguments = read_docstring(text + "\n\nArgs:\n    a: b")
    assert arguments.get("a", "b").startswith("b")
    assert isinstance(description, str)
