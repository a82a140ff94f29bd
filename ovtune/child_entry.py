"""What a child process runs: ``python -m ovtune.child_entry TASK DESCRIPTOR``."""

import sys
from collections.abc import Callable, Mapping

from ovtune import child, codec, deploy, quantization, survey, trial
from ovtune.errors import OvtuneError
from ovtune.evaluator import Outcome


def _visit(request: str) -> str:
    return codec.dump(trial.visit(codec.load(request, trial.Order)), Outcome)


def _survey(request: str) -> str:
    return codec.dump(survey.look(codec.load(request, survey.Question)), survey.Sight)


def _advise(request: str) -> str:
    return codec.dump(survey.advise(codec.load(request, survey.DeviceQuestion)), survey.AdviceList)


def _convert(request: str) -> str:
    survey.convert(codec.load(request, survey.Conversion))
    return ""


def _quantize(request: str) -> str:
    quantization.quantize(codec.load(request, quantization.Quantization))
    return ""


def _refer(request: str) -> str:
    survey.refer(codec.load(request, survey.ReferenceQuestion))
    return ""


def _why_one_batch(request: str) -> str:
    return survey.why_one_batch(codec.load(request, survey.BatchQuestion))


def _auto_batches(request: str) -> str:
    return codec.dump(survey.auto_batches(codec.load(request, survey.DeviceQuestion)), bool)


def _rehearse(request: str) -> str:
    return codec.dump(deploy.rehearse(codec.load(request, deploy.Rehearsal)), deploy.Rehearsed)


TASKS: Mapping[str, Callable[[str], str]] = {
    "visit": _visit,
    "survey": _survey,
    "advise": _advise,
    "convert": _convert,
    "quantize": _quantize,
    "refer": _refer,
    "why_one_batch": _why_one_batch,
    "auto_batches": _auto_batches,
    "rehearse": _rehearse,
}

if __name__ == "__main__":
    child.serve(TASKS[sys.argv[1]], int(sys.argv[2]), OvtuneError)
