"""A result as one HTML file that opens anywhere, without a network."""

from collections.abc import Mapping

from ovtune.comparison import Comparison
from ovtune.report.page import comparison_page, page
from ovtune.report.versus import versus_of
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


def render_comparison(comparison: Comparison, names: tuple[str, str]) -> str:
    """The comparison of the studies ``names`` as the text of one HTML file."""
    return comparison_page(versus_of(comparison, names))
