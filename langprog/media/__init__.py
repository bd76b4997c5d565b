"""Inputs other than text: images, sounds, files, and the turns of a conversation.

They are values: a file is read when the object is created, so that inputs do not change later. In
a prompt they are parts and messages of their own, never text.

- ``parts``: :class:`Image`, :class:`Audio` and :class:`File`. ``history``: :class:`History`.
"""

from langprog.media.history import History, Turn, is_message
from langprog.media.parts import Audio, File, Image, Media

__all__ = ["Audio", "File", "History", "Image", "Media", "Turn", "is_message"]
