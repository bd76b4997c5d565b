"""Modules as data: the base classes of nodes, and how they nest.

Each module's file defines its node, a strict pydantic model, next to its class: ``to_node`` writes
it as plain JSON data, ``from_node`` makes the module from it. An artifact is a tree of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from langprog.adapters import Adapter
from langprog.checks import Check
from langprog.errors import ArtifactError
from langprog.modules.registry import kinds, node_type
from langprog.retrieval import Embedder, Retriever, RetrieverSpec
from langprog.signature import SignatureSpec
from langprog.tools import Tool

# The type of pydantic's error for an unknown kind of module.
UNKNOWN_KIND = "unknown_kind"


class Strict(BaseModel):
    """Base class of the data in an artifact: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(Strict):
    """Base class of nodes.

    Args:
        module: The kind of module; a Literal in each subclass.
    """

    module: str

    def children(self) -> dict[str, Node]:
        """Return the nodes directly inside, by the names in the module's ``children()``.

        Raises:
            ArtifactError: A name appears twice.
        """
        inside: dict[str, Node] = {}
        for name, value in self:
            if isinstance(value, Node):
                inside[name] = value
            elif isinstance(value, list):
                items = {f"{name}[{at}]": item for at, item in enumerate(value)}
                inside |= {at: item for at, item in items.items() if isinstance(item, Node)}
        return inside

    def model_names(self) -> Iterator[str]:
        """Yield the names of the models that the module itself calls."""
        return iter(())


def read_node(value: Any) -> Node:
    """Parse a node from plain data, by its kind."""
    if isinstance(value, Node):
        return value
    kind = value.get("module") if isinstance(value, Mapping) else None
    if not isinstance(kind, str):
        raise PydanticCustomError("node", "a module is an object whose field 'module' is its kind")
    schema = _OWN.get(kind) or node_type(kind)
    if schema is None:
        raise PydanticCustomError(
            UNKNOWN_KIND,
            "{kind} is not a known kind of module; known are {known}",
            {"kind": repr(kind[:60]), "known": ", ".join([*kinds(), *_OWN])},
        )
    return schema.model_validate(value)


AnyNode = Annotated[SerializeAsAny[Node], PlainValidator(read_node)]


class Part(Strict):
    """A module inside another one, by name."""

    name: str
    program: AnyNode


def parts_by_name(listed: list[Part]) -> dict[str, Node]:
    """Return nodes by name.

    Raises:
        ArtifactError: A name appears twice.
    """
    parts: dict[str, Node] = {part.name: part.program for part in listed}
    if len(parts) != len(listed):
        raise ArtifactError(f"two parts of a module have the same name: {', '.join(parts)}")
    return parts


def parts_of_list(parts: Mapping[str, Any], name: str) -> list[Any]:
    """Return the parts in a module's list ``name``, in order."""
    return [part for key, part in parts.items() if key.startswith(f"{name}[")]


class ClassData(Strict):
    """A user's own class, which an artifact refers to by name.

    Args:
        class_name: ``package.module:Class``.
        source: Digest of its source.
    """

    class_name: str = Field(alias="class")
    source: str


class ToolData(Strict):
    """A tool, which an artifact describes but does not hold.

    Args:
        name: Its name for the model, and what it is handed over as when the artifact is loaded.
        description: What it does.
        parameters: The JSON schema of its arguments.
        function: ``package.module:function``; empty if it cannot be imported.
        timeout: Seconds until a call counts as failed; null for as long as it takes.
        max_result: Characters of a result that the model sees.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    function: str
    timeout: float | None
    max_result: int


class Types(Protocol):
    """Writes and restores the parts of signatures that plain data cannot express."""

    def checking_class(self, signature: SignatureSpec) -> dict[str, Any] | None:
        """Return a reference to the class whose types validate with code; ``None`` if none do.

        Raises:
            ArtifactError: There is code that an artifact cannot refer to.
        """
        ...

    def restore_types(
        self, signature: SignatureSpec, checked_by: ClassData | None
    ) -> SignatureSpec:
        """Return a signature with the types that the referenced class declares.

        Raises:
            ArtifactError: The class is missing or has changed.
        """
        ...

    def adapter(self, reference: str) -> str | Adapter:
        """Return the adapter that an artifact names.

        Raises:
            ArtifactError: There is none.
        """
        ...

    def retriever(
        self, spec: RetrieverSpec, documents: Sequence[Mapping[str, Any]] | None
    ) -> Retriever:
        """Return the retriever that an artifact describes.

        Args:
            spec: What the artifact knows of it.
            documents: Its corpus as data, where the artifact holds it.

        Raises:
            ArtifactError: It is missing, or is not what the artifact describes.
        """
        ...

    def refer_to(self, check: Check) -> tuple[str, str]:
        """Return ``package.module:function`` of a check, and the digest of its source.

        Raises:
            ArtifactError: Its source is not available.
        """
        ...

    def check_function(self, name: str, reference: str, source: str) -> Callable[..., Any]:
        """Return the function of a check.

        Args:
            name: The check's name.
            reference: ``package.module:function``.
            source: The digest of its source.

        Raises:
            ArtifactError: It is missing or has changed.
        """
        ...

    def embedder(self, name: str) -> Embedder:
        """Return the function that embeds texts under this name.

        Raises:
            ArtifactError: It is missing.
        """
        ...

    def tool(self, data: ToolData) -> Tool:
        """Return the tool that an artifact describes.

        Raises:
            ArtifactError: It is missing, or is not what the artifact describes.
        """
        ...

    def given(self) -> Iterator[Any]:
        """Yield what was passed, then what is in the modules that may be imported."""
        ...


# --- nodes without a built-in module ---------------------------------------------------------


class SameNode(Node):
    """The same module object as at an earlier place in the program."""

    module: Literal["same"]
    path: str


class ParameterData(Strict):
    """A parameter that a user's module declares itself."""

    kind: str
    value: Any


class UserNode(Node):
    """A module of the user's own class.

    Args:
        module: Its kind.
        class_name: ``package.module:Class``.
        source: Digest of its source.
        settings: Attributes with plain data.
        parameters: Parameters that the class declares itself.
        parts: The modules inside.
    """

    module: Literal["user"]
    class_name: str = Field(alias="class")
    source: str
    settings: dict[str, Any]
    parameters: dict[str, ParameterData]
    parts: list[Part]

    def children(self) -> dict[str, Node]:
        """Return the nodes of the modules inside, by name.

        Raises:
            ArtifactError: A name appears twice.
        """
        return parts_by_name(self.parts)

    def model_names(self) -> Iterator[str]:
        """Yield the models among its own parameters."""
        own = (each.value for each in self.parameters.values() if each.kind == "model")
        return (value for value in own if isinstance(value, str))


_OWN: dict[str, type[Node]] = {"same": SameNode, "user": UserNode}
