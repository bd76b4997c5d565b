"""Images, sounds and files: what they are made of, and what they show of themselves."""

from __future__ import annotations

import base64
import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

import langprog as lp
from langprog.errors import FrozenError, InputError

PNG, JPEG = b"\x89PNG\r\n\x1a\n123", b"\xff\xd8\xff\xe0123"


def test_a_path_is_read_when_the_image_is_made(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpeg"
    path.write_bytes(JPEG)
    image = lp.Image(path)
    path.write_bytes(b"another")
    assert (image.data, image.url, image.media_type) == (JPEG, None, "image/jpeg")
    assert lp.Image(str(path)).data == b"another"


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        (lp.Image(PNG), "image/png"),
        (lp.Image(JPEG), "image/jpeg"),
        (lp.Image(b"RIFF\0\0\0\0WEBPVP8 "), "image/webp"),
        (lp.Image(b"unknown"), "image/png"),
        (lp.Image(PNG, media_type="image/x-own"), "image/x-own"),
        (lp.Image("data:image/gif;base64,AAEC"), "image/gif"),
        (lp.Audio(b"RIFF\0\0\0\0WAVEfmt "), "audio/wav"),
        (lp.Audio(b"ID3\4"), "audio/mpeg"),
        (lp.Audio(b"\xff\xfb\x90\x64"), "audio/mpeg"),
        (lp.Audio(b"\0\0\0\x20ftypM4A "), "audio/mp4"),
        (lp.Audio("data:application/octet-stream;base64,AAEC"), "audio/wav"),
        (lp.Image(b"\0\0\0\x20ftypheic"), "image/heic"),
        # What is written in an address is kept: prompts do not change.
        (lp.Image("data:image/png;base64,/9j/4A=="), "image/png"),
        (lp.File(b"%PDF-1.7"), "application/pdf"),
        (lp.File(PNG), "image/png"),
    ],
)
def test_the_media_type_is_found_out(media: Any, kind: str) -> None:
    assert media.media_type == kind


def test_an_address_stays_one() -> None:
    image = lp.Image("https://example.org/cat.png")
    assert (image.url, image.data) == ("https://example.org/cat.png", None)
    assert image.address == image.url
    assert lp.Image(url="https://example.org/cat.png") == image


def test_a_file_knows_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("a,b")
    file = lp.File(path)
    assert (file.name, file.media_type) == ("report.csv", "text/csv")
    assert lp.File(b"%PDF", name="x.pdf").name == "x.pdf"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: lp.Image("nowhere.png"), r"Image\('nowhere.png'\): the file cannot be read"),
        (lambda: lp.Image(3), "made of a path, bytes or an address, not int"),  # type: ignore[arg-type]  # the mistake
        (lambda: lp.Image(b"1", url="https://a.b"), "not both and not neither"),
        (lambda: lp.Audio("data:audio/wav;base64,@@"), "not base 64"),
        (lambda: lp.Audio("data:audio/wav,abc"), "data:TYPE;base64"),
        (lambda: lp.File("a\0b"), "the file cannot be read"),
        (lambda: lp.Image(b""), "a part Image is empty"),
        (lambda: lp.Image(b"%PDF-1.7"), r"made of application/pdf: write lp\.File"),
        (lambda: lp.Image("data:text/plain;base64,YQ=="), r"made of text/plain: write lp\.File"),
        (lambda: lp.Audio(PNG), r"made of image/png: write lp\.Image"),
        (lambda: lp.Image(b"ID3"), r"made of audio/mpeg: write lp\.Audio"),
    ],
)
def test_what_cannot_be_one_is_said_in_one_sentence(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(
    "media",
    [
        lp.Image(PNG),
        lp.Image("https://example.org/cat.png"),
        lp.Image("https://example.org/cat", media_type="image/webp"),
        lp.Audio(b"ID3"),
        lp.File(b"%PDF", name="a.pdf"),
        lp.File("https://example.org/a.csv", media_type="text/csv", name="a.csv"),
    ],
)
def test_it_is_a_value_that_comes_back(media: Any) -> None:
    kind = type(media)
    assert kind.from_plain(media.to_plain()) == media
    assert pickle.loads(pickle.dumps(media)) == media == copy.deepcopy(media)
    assert hash(kind.from_plain(media.to_plain())) == hash(media)
    adapter = TypeAdapter(kind)
    assert adapter.validate_python(adapter.dump_python(media, mode="json")) == media
    with pytest.raises(FrozenError):
        media.url = "https://example.org"


def test_no_text_of_it_holds_the_bytes() -> None:
    class Shop(BaseModel):
        photo: lp.Image

    image = lp.Image(b"secret bytes" * 100)
    for text in (repr(image), str(Shop(photo=image)), str(to_jsonable_python({"a": [image]}))):
        assert "secret" not in text and image.base64[:12] not in text
        assert "1200 bytes" in text


def test_two_images_make_two_examples() -> None:
    one, other = lp.Example(photo=lp.Image(b"a")), lp.Example(photo=lp.Image(b"b"))
    assert one != other
    assert one == lp.Example(photo=lp.Image(b"a"))


def test_plain_data_names_no_file_of_this_machine(tmp_path: Path) -> None:
    # Data may come from strangers: a served program would read whatever they name.
    path = tmp_path / "private.png"
    path.write_bytes(PNG)
    program = lp.Predict("photo: Image -> a")
    with lp.using(lm=lp.ScriptedLM(["[[a]]\nx"])), pytest.raises(InputError) as caught:
        program(photo=str(path))
    assert "lp.Image(path) reads a file" in str(caught.value)


@pytest.mark.parametrize("media_type", ["image/gif", "application/pdf", "image/png"])
def test_the_type_that_was_given_comes_back_from_plain_data(media_type: str) -> None:
    """Prompts never change, whatever the bytes begin like."""
    part = lp.Image(PNG, media_type=media_type)
    again = lp.Image.from_plain(part.to_plain())
    assert again == part and again.address == f"data:{media_type};base64,{part.base64}"


def test_the_type_of_an_address_is_kept_and_that_of_bytes_is_seen() -> None:
    address = f"data:image/gif;base64,{base64.b64encode(PNG).decode()}"
    assert lp.Image(address).media_type == "image/gif"
    assert lp.Image(PNG).media_type == "image/png"
