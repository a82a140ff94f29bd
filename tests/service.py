"""A small HTTP service on a deployment, as a user might write one: the standard library, and callbacks.

``POST /`` takes one item as raw float32 values and answers with the model's output for it. Handlers wait for their own
answer; one dispatcher starts the requests and fills their batches: it takes the items that are there and pads what is
left of a batch, so that nobody waits for others.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovtune.deploy import Deployment

Item = NDArray[np.float32]
ANSWER_S = 60.0


class Service:
    """Answers for single items by a deployment of a model with one input and one output."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._shape = tuple(deployment.compiled_model.input(0).shape)
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Item]] | None] = queue.SimpleQueue()
        deployment.queue.set_callback(self._done)
        self._dispatcher = threading.Thread(target=self._dispatch)
        self._dispatcher.start()

    def answer(self, item: Item) -> Item:
        """The model's output for one item."""
        future: Future[Item] = Future()
        self._waiting.put((item, future))
        return future.result(ANSWER_S)

    def close(self) -> None:
        """Answers what waits, and ends."""
        self._waiting.put(None)
        self._dispatcher.join()
        self._deployment.queue.wait_all()

    def _dispatch(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            while len(batch) < self._shape[0]:
                try:
                    another = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if another is None:
                    self._waiting.put(None)
                    break
                batch.append(another)
            data = np.zeros(self._shape, np.float32)
            for place, (item, _) in enumerate(batch):
                data[place] = item.reshape(self._shape[1:])
            self._deployment.queue.start_async({0: data}, [future for _, future in batch])

    @staticmethod
    def _done(request: Any, futures: list[Future[Item]]) -> None:
        output = request.output_tensors[0].data.copy()
        for place, future in enumerate(futures):
            future.set_result(output[place])


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


@contextlib.contextmanager
def serving(deployment: Deployment) -> Iterator[str]:
    """A service on loopback; its address is given as ``HOST:PORT``."""
    service = Service(deployment)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = service.answer(np.frombuffer(body, np.float32)).tobytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        service.close()
