"""Leaving a deployment in a program of its own: no deadlock, no abort, whatever the program does. See ovtune.queue."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ovtune.config import Config
from ovtune.document import text_of
from ovtune.model import digest
from ovtune.queue import Queue
from ovtune.runtime import Runtime
from tests import models, promised

pytestmark = pytest.mark.runtime

BATCHED = Config(device="BATCH:CPU(4)", properties={"AUTO_BATCH_TIMEOUT": 20}, nireq=4)
PLAIN = Config(device="CPU", nireq=4)
PROGRAMS = {
    "the model is destroyed last": """
        def run():
            with ovtune.apply("best.json") as deployment:
                queue, model = deployment.queue, deployment.compiled_model
                queue.set_callback(lambda request, number: seen.append(number))
                for number in range(6):
                    queue.start_async({0: DATA}, number)
                queue.wait_all()
            del deployment, queue
            del model
        run()
        assert sorted(seen) == list(range(6))
    """,
    "all stays until the end": """
        with ovtune.apply("best.json") as deployment:
            queue, model = deployment.queue, deployment.compiled_model
            queue.set_callback(lambda request, number: seen.append(number))
            for number in range(6):
                queue.start_async({0: DATA}, number)
        assert sorted(seen) == list(range(6))
    """,
    "a callback raises": """
        def callback(request, number):
            seen.append(number)
            raise KeyError(number)
        caught = 0
        with ovtune.apply("best.json") as deployment:
            queue, model = deployment.queue, deployment.compiled_model
            queue.set_callback(callback)
            for number in range(6):
                queue.start_async({0: DATA}, number)
            try:
                queue.wait_all()
            except KeyError:
                caught += 1
            queue.wait_all()
        assert (caught, sorted(seen)) == (1, list(range(6)))
    """,
    "a callback raises and the block is left": """
        def callback(request, number):
            raise KeyError(number)
        try:
            with ovtune.apply("best.json") as deployment:
                deployment.queue.set_callback(callback)
                for number in range(6):
                    deployment.queue.start_async({0: DATA}, number)
            raise SystemExit("nothing was raised")
        except KeyError:
            pass
        try:
            with ovtune.apply("best.json") as deployment:
                deployment.queue.set_callback(callback)
                deployment.queue.start_async({0: DATA}, 0)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    """,
}
_BEGINNING = "import numpy as np, ovtune\nDATA, seen = np.zeros((1, 8), np.float32), []\n"


@pytest.mark.parametrize(("config", "times"), [(BATCHED, 20), (PLAIN, 4)], ids=["batched", "plain"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_end(name: str, config: Config, times: int, tmp_path: Path) -> None:
    """A program ends by itself and well, each of so many times; most often where it was seen to hang."""
    path = models.saved(models.dense(), tmp_path)
    document = promised.document(config, model={"name": "m", "path": path, "sha256": digest(path)})
    (tmp_path / "best.json").write_text(text_of(document))
    program = _BEGINNING + textwrap.dedent(PROGRAMS[name])

    def run(_: int) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        return "" if done.returncode == 0 else f"{done.returncode}: {done.stderr[-500:]}"

    with ThreadPoolExecutor(2) as pool:
        failed = [line for line in pool.map(run, range(times)) if line]
    assert not failed


def test_what_a_callback_raises_is_told_once() -> None:
    """``wait_all`` raises the first of what was raised since the last time; then there is nothing more to tell."""
    config = Config(device="CPU", nireq=2)
    queue = Queue(Runtime({}).compile(models.dense(), config).model, 2)

    def callback(_request: object, number: object) -> None:
        raise ValueError(number)

    queue.set_callback(callback)
    for number in range(4):
        queue.start_async({0: np.zeros((1, 8), np.float32)}, number)
    with pytest.raises(ValueError, match=r"^[0-3]$"):
        queue.wait_all()
    queue.wait_all()
    queue.start_async({0: np.zeros((1, 8), np.float32)}, 7)
    queue.leave(quietly=True)
    queue.leave(quietly=False)
