"""Where studies live: their database, and the report and the document of each."""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ovtune import document as documents
from ovtune import report, whole
from ovtune.errors import StorageError
from ovtune.recommendation import documents_of
from ovtune.result import Result
from ovtune.store import Store, file_url

_DATABASE = "ovtune.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where studies live.

    Attributes:
        folder: The folder of reports, documents and, by default, the database.
        url: The database's SQLAlchemy URL; None for ``OVTUNE_STORAGE``, or an SQLite file in the folder.
        named: Whether the folder itself was asked for: its own file, whatever ``OVTUNE_STORAGE`` says.
    """

    folder: Path = Path("studies")
    url: str | None = None
    named: bool = False

    @property
    def exists(self) -> bool:
        """Whether there is a database: one of its own in the folder; one that is named by a URL is taken to be."""
        return self._url is not None or (self.folder / _DATABASE).is_file()

    @property
    def _url(self) -> str | None:
        return self.url if self.named else self.url or os.environ.get("OVTUNE_STORAGE")

    @contextmanager
    def open(self, *, make: bool = False) -> Iterator[Store]:
        """The store, closed at the end.

        Args:
            make: Make the folder and the database where they are missing.

        Raises:
            StorageError: the folder or the database cannot be used, or is not there.
        """
        url = self._url
        if url is None:
            if not make and not (self.folder / _DATABASE).is_file():
                raise StorageError(
                    f"there are no studies in {self.folder} (no {_DATABASE}): name their folder with --studies, "
                    "or make one with ovtune search"
                )
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"studies folder {self.folder} cannot be made ({error.strerror}): choose another with --studies"
                ) from error
            url = file_url(self.folder / _DATABASE)
        store = Store(url)
        try:
            yield store
        finally:
            store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What a finished search wrote."""

    report: Path
    best: Path


def publish(result: Result, folder: Path) -> Files:
    """Writes ``report.html`` and ``best.json`` into the study's folder."""
    files = Files(report=folder / "report.html", best=folder / "best.json")
    texts = _texts(result)
    whole.write(files.best, texts[result.recommended.key])
    whole.write(files.report, _page(result, texts))
    return files


def page(result: Result) -> str:
    """The report of a result as HTML."""
    return _page(result, _texts(result))


def _texts(result: Result) -> dict[str, str]:
    """The documents of the recommendation and of the front's other configs, by key."""
    return {key: documents.text_of(document) for key, document in documents_of(result).items()}


def _page(result: Result, texts: Mapping[str, str]) -> str:
    model = result.study.setup.model.path
    return report.render(
        result,
        document=texts[result.recommended.key],
        command=shlex.join(["ovtune", "apply", "best.json", model]),
        python=deployment_code(model),
        documents=texts,
    )


def deployment_code(model: str) -> str:
    """The lines of Python that deploy a document on a model."""
    return (
        "import ovtune\n\n"
        f'with ovtune.apply("best.json", {model!r}) as deployment:\n'
        "    deployment.queue.set_callback(on_result)\n"
        "    for frame in frames:\n"
        "        deployment.queue.start_async({0: frame}, userdata)\n"
        "    deployment.queue.wait_all()\n"
    )
