"""Records: the members of models, dataclasses, TypedDicts and NamedTuples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

import typing_extensions
from pydantic import AliasChoices, BaseModel
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from langprog.errors import SignatureError
from langprog.signature.limits import Labels, add_limits, description_in, marks_in, words_of
from langprog.signature.shapes import ABSENT, REQUIRED, Member, Record, Shape

# Reads the type of a member, given the type and its place.
Read = Callable[[Any, str], Shape]


def is_typed_dict(annotation: Any) -> bool:
    """Return whether a type is a TypedDict."""
    return isinstance(annotation, type) and typing_extensions.is_typeddict(annotation)


def is_named_tuple(annotation: Any) -> bool:
    """Return whether a type is a NamedTuple."""
    return (
        isinstance(annotation, type)
        and issubclass(annotation, tuple)
        and "_fields" in dir(annotation)
    )


def record_of(cls: type, name: str, read: Read) -> Record:
    """Return what a record is made of.

    Raises:
        SignatureError: A member has a type that a field cannot have.
    """
    try:
        if is_typed_dict(cls):
            members = _typed_dict_members(cls, name, read)
        elif is_named_tuple(cls):
            members = _named_tuple_members(cls, name, read)
        else:
            infos = _infos(cls)
            members = (
                _dataclass_members(cls, name, read)
                if infos is None
                else _model_members(cls, infos, name, read)
            )
    except (NameError, TypeError, PydanticUndefinedAnnotation) as error:
        raise SignatureError(
            f"field {name!r}: a type of {cls.__name__} cannot be resolved: {error}"
        ) from None
    if len({member.name for member in members}) < len(members):
        raise SignatureError(f"field {name!r}: two members of {cls.__name__} have the same alias")
    return Record(cls, members, _record_rules(cls))


def _infos(cls: type) -> Mapping[str, FieldInfo] | None:
    if issubclass(cls, BaseModel):
        if not cls.__pydantic_complete__:
            cls.model_rebuild()
        return cls.model_fields
    return getattr(cls, "__pydantic_fields__", None)


def _hints(cls: type) -> dict[str, Any]:
    # A class defined in a function can refer to itself, though its module lacks the name.
    return typing_extensions.get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)


def _model_members(
    cls: type, infos: Mapping[str, FieldInfo], name: str, read: Read
) -> tuple[Member, ...]:
    told = _field_rules(cls)
    members = []
    for key, info in infos.items():
        where = f"{name}.{key}"
        seen = _seen_name(cls, key, info, where)
        limits, rules = marks_in(info.metadata)
        shape = read(_annotation(info), where)
        shape = add_limits(shape, limits, (*rules, *told.get(key, ()), *told.get("*", ())), where)
        factory: Any = info.default_factory
        default = default_of(factory, info.default, where)
        attribute = "" if seen == key else key
        members.append(Member(seen, shape, info.description or "", default, attribute))
    return tuple(members)


def _annotation(info: FieldInfo) -> Any:
    # pydantic strips the metadata; put back what only langprog uses.
    marks = [item for item in info.metadata if isinstance(item, Labels)]
    return Annotated[(info.annotation, *marks)] if marks else info.annotation


def _seen_name(cls: type, key: str, info: FieldInfo, where: str) -> str:
    """Return the name that validation accepts, which is what a model has to write."""
    config: Mapping[str, Any] = getattr(cls, "model_config", None) or getattr(
        cls, "__pydantic_config__", {}
    )
    if config.get("validate_by_alias") is False:
        return key
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    if isinstance(alias, AliasChoices):
        alias = next((choice for choice in alias.choices if isinstance(choice, str)), alias)
    if alias is None:
        return key
    if not isinstance(alias, str):
        raise SignatureError(
            f"field {where!r} has the alias {alias}, which is not a name: give it a plain one"
        )
    return alias


def _dataclass_members(cls: type, name: str, read: Read) -> tuple[Member, ...]:
    hints = _hints(cls)
    members = []
    for item in dataclasses.fields(cls):
        where = f"{name}.{item.name}"
        if not item.init:
            raise SignatureError(f"field {where!r} cannot be given (init=False)")
        factory = None if item.default_factory is dataclasses.MISSING else item.default_factory
        plain = REQUIRED if item.default is dataclasses.MISSING else item.default
        if isinstance(plain, FieldInfo):
            raise SignatureError(f"field {where!r}: use a pydantic dataclass for Field(...)")
        hint = hints[item.name]
        shape, default = read(hint, where), default_of(factory, plain, where)
        members.append(Member(item.name, shape, _find_description(hint), default, worded=2))
    return tuple(members)


def _typed_dict_members(cls: Any, name: str, read: Read) -> tuple[Member, ...]:
    members = []
    for key, hint in _hints(cls).items():
        needed = key in cls.__required_keys__
        qualifiers = (
            typing_extensions.Required,
            typing_extensions.NotRequired,
            typing_extensions.ReadOnly,
        )
        while get_origin(hint) in qualifiers:
            if get_origin(hint) is not typing_extensions.ReadOnly:
                needed = get_origin(hint) is typing_extensions.Required
            hint = get_args(hint)[0]
        default = REQUIRED if needed else ABSENT
        members.append(Member(key, read(hint, f"{name}.{key}"), _find_description(hint), default))
    return tuple(members)


def _named_tuple_members(cls: Any, name: str, read: Read) -> tuple[Member, ...]:
    hints = _hints(cls)
    defaults: Mapping[str, Any] = cls._field_defaults
    return tuple(
        Member(
            key,
            read(hints.get(key, Any), f"{name}.{key}"),
            _find_description(hints.get(key)),
            defaults.get(key, REQUIRED),
        )
        for key in cls._fields
    )


def _find_description(hint: Any) -> str:
    return description_in(get_args(hint)[1:]) if get_origin(hint) is Annotated else ""


def default_of(factory: Any, plain: Any, where: str) -> Any:
    """Return a default, which must be the same each time.

    Raises:
        SignatureError: The factory gives another value each time.
    """
    if factory is None:
        return plain
    default = factory()
    if default != factory():
        raise SignatureError(f"field {where!r}: its default_factory gives another value each time")
    return default


def _field_rules(cls: type) -> dict[str, tuple[str, ...]]:
    told: dict[str, tuple[str, ...]] = {}
    for decorator in _decorators(cls, "field_validators"):
        for key in decorator.info.fields:
            told[key] = (*told.get(key, ()), *words_of(decorator.func))
    return told


def _record_rules(cls: type) -> tuple[str, ...]:
    validators = _decorators(cls, "model_validators")
    return tuple(words for validator in validators for words in words_of(validator.func))


def _decorators(cls: type, kind: str) -> list[Any]:
    known = getattr(cls, "__pydantic_decorators__", None)
    return [] if known is None else list(getattr(known, kind).values())
