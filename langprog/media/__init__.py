"""What a program takes beside text: images, sounds, files, and the turns of a conversation.

They are values: the bytes of a file are read when the object is made, so that what a program was
given stays what it was. In a prompt they are parts and messages of their own, never text.

- ``parts``: :class:`Image`, :class:`Audio` and :class:`File`. ``history``: :class:`History`.
"""

from langprog.media.history import History, Turn, is_message
from langprog.media.parts import Audio, File, Image, Media

__all__ = ["Audio", "File", "History", "Image", "Media", "Turn", "is_message"]
