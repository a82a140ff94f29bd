"""The templates: where they lie, and how values get into pages and programs."""

import functools
from collections.abc import Mapping
from pathlib import Path

import jinja2

_PACKAGE = Path(__file__).parent
_PLACES = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
"""Where a built wheel has the templates, and where a checkout has them."""


def environment(*, escaped: bool) -> jinja2.Environment:
    """What the templates are rendered in; nothing may be missing.

    Args:
        escaped: Whether what is put in is escaped for HTML.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(place) for place in _PLACES]),
        autoescape=escaped,  # noqa: S701 - programs are no HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def program(name: str, **values: object) -> str:
    """A program; its values go in by the filters ``python`` and ``cpp``, as literals of these languages."""
    return _programs().get_template(name).render(**values)


@functools.cache
def _programs() -> jinja2.Environment:
    found = environment(escaped=False)
    found.filters |= {"python": repr, "cpp": cpp}
    return found


def cpp(value: object) -> str:
    """A value as C++ has it: whatever is not a plain sign of a text by its bytes in octal, three digits each."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            plain = set(range(32, 127)) - set(b'"\\?')
            signs = "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in value.encode())
            return f'std::string("{signs}")'
        case Mapping():
            entries = ", ".join(f"{{{cpp(name)}, {cpp(one)}}}" for name, one in value.items())
            return f"ov::AnyMap{{{entries}}}"
        case _:
            return repr(value)
