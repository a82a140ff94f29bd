"""Stands for the child processes that ask OpenVINO: devices, a model, and answers, all made up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ovtune import asset, codec, preparation, survey
from ovtune.environment import Device
from ovtune.errors import OvtuneError
from ovtune.space import Advice
from tests import fake


def answer(device: str, hint: str, nireq: int, key: str) -> Advice:
    return Advice(device=device, hint=hint, nireq=nireq, effective={}, effective_key=key)


def answering(monkeypatch: pytest.MonkeyPatch, ask: Callable[..., str]) -> None:
    """Lets ``ask`` answer what child processes are asked before a search."""
    for module in (preparation, asset):
        monkeypatch.setattr(module, "ask", ask)


class FakeRuntime:
    """Answers what a child process is asked, and remembers what that was."""

    def __init__(self, *devices: Device, refuses: dict[str, OvtuneError] | None = None) -> None:
        self.devices = devices or (fake.CPU,)
        self.refuses = refuses or {}
        self.asked: list[tuple[str, str]] = []
        self.model = fake.MODEL
        self.one_batch = ""
        self.unbatched: set[str] = set()

    def ask(self, task: str, request: str, *, timeout_s: float = 120.0) -> str:
        match task:
            case "survey":
                question = codec.load(request, survey.Question)
                self.asked.append((task, question.path))
                model = None if question.path is None else replace(self.model, path=question.path)
                return codec.dump(survey.Sight(version="2026.4", devices=self.devices, model=model), survey.Sight)
            case "advise":
                asked = codec.load(request, survey.DeviceQuestion)
                self.asked.append((task, asked.device))
                if asked.device in self.refuses:
                    raise self.refuses[asked.device]
                hints = (("none", 1, "a"), ("LATENCY", 1, "a"), ("THROUGHPUT", 2, "b"))
                advice = tuple(answer(asked.device, h, n, f"{asked.device}{k}") for h, n, k in hints)
                return codec.dump(advice, survey.AdviceList)
            case "why_one_batch":
                self.asked.append((task, codec.load(request, survey.BatchQuestion).path))
                return self.one_batch
            case "auto_batches":
                device = codec.load(request, survey.DeviceQuestion).device
                self.asked.append((task, device))
                if device in self.refuses:
                    raise self.refuses[device]
                return codec.dump(device not in self.unbatched, bool)
            case "refer":
                wanted = codec.load(request, survey.ReferenceQuestion)
                self.asked.append((task, wanted.path))
                Path(wanted.target).write_text("outputs")
                return ""
            case _:
                conversion = codec.load(request, survey.Conversion)
                self.asked.append((task, conversion.precision))
                Path(conversion.target).write_text("model")
                return ""
