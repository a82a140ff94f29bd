"""A result as one HTML file that opens anywhere, without a network."""

from collections.abc import Mapping

from ovtune.report.page import page
from ovtune.report.view import view_of
from ovtune.result import Result


def render(
    result: Result, *, document: str, command: str, python: str, documents: Mapping[str, str] | None = None
) -> str:
    """The report on ``result`` as the text of one HTML file.

    Args:
        result: What a study says under a goal.
        document: The text of best.json.
        command: The shell command that applies it.
        python: The lines of Python that deploy it.
        documents: Whole documents of other configs by their key, such as those on the front: a reader who chooses one
            of them can save that; of all other configs the ``config`` part alone.
    """
    return page(view_of(result, documents), document=document, command=command, python=python)
