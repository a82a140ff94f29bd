"""Leaving a deployment in a program of its own: no deadlock, no abort, whatever the program does. See ovtune.queue."""

import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from ovtune import queue as module
from ovtune.config import Config
from ovtune.document import text_of
from ovtune.errors import UsageError
from ovtune.model import digest
from ovtune.queue import Queue
from ovtune.runtime import Runtime
from tests import models, promised

pytestmark = pytest.mark.runtime

BATCHED = Config(device="BATCH:CPU(4)", properties={"AUTO_BATCH_TIMEOUT": 20}, nireq=4)
PLAIN = Config(device="CPU", nireq=4)
DATA = np.zeros((1, 8), np.float32)
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
    "callbacks and a thread start more and more": """
        import threading, time
        stop = threading.Event()
        def run(callback, produces):
            def produce(queue):
                try:
                    while not stop.is_set():
                        queue.start_async({0: DATA})
                except ovtune.OvtuneError:
                    pass
            with ovtune.apply("best.json") as deployment:
                deployment.queue.set_callback(lambda request, number: callback(deployment.queue, request))
                deployment.queue.start_async({0: DATA})
                if produces:
                    threading.Thread(target=produce, args=(deployment.queue,)).start()
                time.sleep(0.05)
                raise ZeroDivisionError
        for callback, produces in (
            (lambda queue, request: None, True),
            (lambda queue, request: queue.start_async({0: DATA}), True),
            (lambda queue, request: request.start_async(), False),
        ):
            try:
                run(callback, produces)
            except ZeroDivisionError:
                seen.append(callback)
        stop.set()
        assert len(seen) == 3
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


def queue_of(nireq: int) -> Queue:
    """A queue on the CPU."""
    return Queue(Runtime({}).compile(models.dense(), Config(device="CPU", nireq=nireq)).model, nireq)


def test_what_a_callback_raises_is_told_once() -> None:
    """``wait_all`` raises the first of what was raised since the last time; then there is nothing more to tell."""
    queue = queue_of(2)

    def callback(_request: object, number: object) -> None:
        raise ValueError(number)

    queue.set_callback(callback)
    for number in range(4):
        queue.start_async({0: DATA}, number)
    with pytest.raises(ValueError, match=r"^[0-3]$"):
        queue.wait_all()
    queue.wait_all()
    queue.start_async({0: DATA}, 7)
    queue.leave(quietly=True)
    queue.leave(quietly=False)


@pytest.mark.parametrize(
    "inputs",
    [
        {0: np.zeros((1, 3), np.float32)},
        {"x": np.zeros(8, np.float32)},
        [np.zeros((2, 8), np.float32)],
        ov.Tensor(np.zeros((1, 8), np.float64)),
        np.float32(1),
    ],
    ids=["index", "name", "list", "tensor", "scalar"],
)
def test_a_refused_input_costs_no_request(inputs: object) -> None:
    """An input of a wrong shape or type is refused, and the one request goes on with the next item."""
    queue = queue_of(1)
    seen: list[object] = []
    queue.set_callback(lambda _, number: seen.append(number))
    with pytest.raises(UsageError, match=r"input x (has shape|is a tensor of f64)"):
        queue.start_async(inputs, 0)
    for number in (1, 2):
        queue.start_async({0: DATA}, number)
    queue.wait_all()
    assert seen == [1, 2]
    queue.leave(quietly=False)


@pytest.mark.parametrize("inputs", [None, {0: DATA}, {"x": DATA}, [DATA], DATA, ov.Tensor(DATA)])
def test_inputs_that_openvino_takes(inputs: object) -> None:
    """Whatever way an input is given in, it is taken."""
    queue = queue_of(1)
    queue.start_async(inputs)
    queue.wait_all()
    queue.leave(quietly=False)


def test_an_input_by_its_port() -> None:
    """An input may be given by the model's port, and is looked at."""
    queue = queue_of(1)
    port = queue._model.input(0)
    queue.start_async({port: DATA})
    with pytest.raises(UsageError, match="input x has shape"):
        queue.start_async({port: DATA[0]})
    queue.wait_all()
    queue.leave(quietly=False)


@pytest.mark.parametrize("what", ["start_async", "wait_all"])
def test_a_callback_does_not_wait_for_itself(what: str) -> None:
    """Starting and waiting in a callback of the same queue is refused, and told like all that a callback raises."""
    queue = queue_of(1)
    queue.set_callback(lambda _, __: getattr(queue, what)())
    queue.start_async({0: DATA})
    with pytest.raises(UsageError, match=rf"{what}\(\) in a callback"):
        queue.wait_all()
    queue.leave(quietly=False)


def test_threads_take_turns() -> None:
    """Many threads start inferences of one queue side by side, and none is lost."""
    queue = queue_of(3)
    seen: list[object] = []
    queue.set_callback(lambda _, number: seen.append(number))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: queue.start_async({0: DATA}, number), range(400)))
    queue.wait_all()
    assert sorted(seen) == list(range(400))  # type: ignore[type-var]
    queue.leave(quietly=False)


def test_a_callback_that_is_set_too_late_is_let_go() -> None:
    """What OpenVINO refuses, since a request runs, is not waited for when the queue is left.

    The first request's callback stands in the way of the second's, which therefore stays busy; a request is not busy
    in its own callback.
    """
    queue = queue_of(2)
    going, kept = threading.Event(), len(module._kept)
    queue.set_callback(lambda _, __: going.wait(60))
    queue.start_async({0: DATA})
    queue.start_async({0: DATA})
    with pytest.raises(RuntimeError, match="busy") as refused:
        queue.set_callback(lambda _, __: None)
    going.set()
    queue.leave(quietly=False)
    assert len(module._kept) == kept
    assert refused.value


def test_a_queue_that_was_left_starts_nothing() -> None:
    """Who starts an inference after the block is told so."""
    queue = queue_of(1)
    queue.leave(quietly=False)
    with pytest.raises(UsageError, match="was left"):
        queue.start_async({0: DATA})
