"""Folders, and files that are there as a whole or not at all."""

import os
import tempfile
from pathlib import Path

from ovtune.errors import StorageError


def write(path: Path, text: str | bytes) -> None:
    """Writes a file under a temporary name and renames it, so that nobody ever reads half of it.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}-")
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(text.encode() if isinstance(text, str) else text)
            partial.chmod(0o644)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({error.strerror}): check the path and the folder's permissions"
        ) from error


def made(folder: Path) -> None:
    """Makes a folder where there is none.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"folder {folder} cannot be made ({error.strerror}): choose another one") from error
