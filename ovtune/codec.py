"""Values to JSON text and back, checked against their types: between processes, in the database, in files."""

import functools
from typing import Any

import pydantic


@functools.cache
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)


def dump(value: object, kind: Any) -> str:
    """``value``, declared as ``kind``, as JSON text."""
    return _adapter(kind).dump_json(value).decode()


def load(text: str | bytes, kind: Any) -> Any:
    """The value of type ``kind`` that :func:`dump` turned into ``text``.

    Raises:
        ValueError: ``text`` does not describe a ``kind``; the message names the field.
    """
    return _adapter(kind).validate_json(text)
