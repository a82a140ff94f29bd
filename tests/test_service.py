"""A deployment under a real load: a small HTTP service, and a thousand requests at once."""

import http.client
import threading
from pathlib import Path

import numpy as np
import pytest

from ovtune.config import Config, Property
from ovtune.deploy import apply
from ovtune.model import digest
from tests import models, promised
from tests.service import serving

pytestmark = pytest.mark.runtime

CLIENTS = 1000
EXACT: dict[str, Property] = {"INFERENCE_PRECISION_HINT": "f32"}
CONFIGS = {
    "baseline": Config(device="CPU", properties=EXACT | {"PERFORMANCE_HINT": "LATENCY"}, nireq=1),
    "tuned": Config(device="CPU", properties=EXACT | {"PERFORMANCE_HINT": "THROUGHPUT"}, nireq=4, batch_size=8),
    "batched": Config(device="BATCH:CPU(4)", properties=EXACT | {"AUTO_BATCH_TIMEOUT": 5}, nireq=8),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_client_gets_its_own_answer(name: str, tmp_path: Path) -> None:
    """A thousand clients ask at once, each with an item of its own, and each gets the output of its own."""
    path = models.saved(models.dense(), tmp_path)
    document = promised.document(CONFIGS[name], model={"name": "m", "path": path, "sha256": digest(path)})
    items = np.random.default_rng(0).normal(size=(CLIENTS, 8)).astype(np.float32)
    expected = items @ np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    answers: list[np.ndarray | None] = [None] * CLIENTS
    ready = threading.Barrier(CLIENTS)

    def ask(place: int, address: str) -> None:
        ready.wait()
        connection = http.client.HTTPConnection(address, timeout=120)
        connection.request("POST", "/", items[place].tobytes())
        answers[place] = np.frombuffer(connection.getresponse().read(), np.float32)
        connection.close()

    with apply(document) as deployment, serving(deployment) as address:
        clients = [threading.Thread(target=ask, args=(place, address)) for place in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    got = np.array([answer for answer in answers if answer is not None])
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert len({row.tobytes() for row in expected}) == CLIENTS
