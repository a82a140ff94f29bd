"""The runtime: its devices, and the models that it reads and compiles.

What it raises leaves here, and the modules beside it, as :class:`ModelError` or :class:`DeviceError`, cut down to the
sentence that tells something.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ovtune import demo
from ovtune.backend import ov, translated
from ovtune.compiled import Compiled, plain
from ovtune.config import Config, Scalar, as_compiled
from ovtune.environment import Device
from ovtune.errors import DeviceError, ModelError
from ovtune.model import DEMO_PREFIX

VERSION: str = ov.get_version().partition("-")[0]
_MEMORY = ("GPU_DEVICE_TOTAL_MEM_SIZE", "NPU_DEVICE_TOTAL_MEM_SIZE")
_EXACT: Mapping[str, Scalar] = {
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "KV_CACHE_PRECISION": "f32",
}
_STARTS_UP_ELSEWHERE = ("AUTO", "MULTI")


class Runtime:
    """An OpenVINO core with the plugins that the user registered.

    Args:
        plugins: Further device names, each with the library that serves it, such as
            ``{"CPUX": "openvino_intel_cpu_plugin"}``.

    Raises:
        DeviceError: a plugin cannot be registered or loaded.
    """

    def __init__(self, plugins: Mapping[str, str]) -> None:
        self._core = ov.Core()
        for name, library in plugins.items():
            with translated(DeviceError, f"plugin {name}={library} cannot be registered"):
                self._core.register_plugin(library, name)
                self._core.get_versions(name)  # registering alone never looks at the library

    def devices(self) -> tuple[Device, ...]:
        """The devices that the runtime lists, each as it describes itself."""
        return tuple(self._device(name) for name in self._core.available_devices)

    def read(self, path: str) -> ov.Model:
        """The model at ``path``, a file, a SavedModel directory or ``demo:NAME``.

        Raises:
            ModelError: the runtime cannot read it.
        """
        if path.startswith(DEMO_PREFIX):
            return demo.build(path.removeprefix(DEMO_PREFIX))
        with translated(ModelError, f"model {path} cannot be read", "give a model that OpenVINO reads"):
            return self._core.read_model(path)

    def compile(self, network: ov.Model, config: Config, *, cache: str | None = None) -> Compiled:
        """``network``, already of the config's batch and shapes, compiled as ``config`` says.

        With a ``cache`` folder, what was compiled alike before is taken from there, or else put there; except for
        AUTO, which would leave out its start-up device and be another config.

        Raises:
            DeviceError: the runtime refuses.
        """
        settings = as_compiled(config.properties)
        what, todo = f"{config.device} refuses {settings}", "choose other settings or another device"
        if not settings:
            what, todo = f"{config.device} does not take the model", "choose another device"
        with translated(DeviceError, what, todo):
            if cache is not None and not config.device.startswith(_STARTS_UP_ELSEWHERE):
                self._core.set_property({"CACHE_DIR": cache})
            compiled = self._core.compile_model(network, config.device, settings)
        return Compiled(compiled, config)

    def exact(self) -> Config:
        """The config whose outputs others are compared with: the CPU where there is one, in full precision.

        The CPU quantizes activations of compressed weights, and keeps caches of attention, in fewer bits even where
        its inference precision is f32.
        """
        names = self._core.available_devices
        device = next((name for name in names if name == "CPU"), names[0])
        known = self._supported(device)
        return Config(device=device, properties={k: v for k, v in _EXACT.items() if k in known}, nireq=1)

    def rough(self) -> Config:
        """As :meth:`exact`, in bf16 where the device has it."""
        exact = self.exact()
        if "BF16" not in self._device(exact.device).capabilities:
            return exact
        return replace(exact, properties={"INFERENCE_PRECISION_HINT": "bf16"})

    def unknown(self, config: Config) -> tuple[str, ...]:
        """The config's properties that none of its devices knows: AUTO drops them without a word."""
        scheduler, _, rest = config.device.partition(":")
        listed = [part.strip().partition("(")[0] for part in rest.split(",") if part and not part.startswith("-")]
        names = {scheduler, *(listed or self._core.available_devices)}
        known = {str(key) for name in names for key in self._supported(name)}
        return tuple(name for name in config.properties if name not in known | {"DEVICE_PROPERTIES"})

    def auto_batches(self, network: ov.Model, device: str) -> bool:
        """Whether automatic batching engages on ``network``; it stays silent where it does not."""
        try:
            compiled = self.compile(network, Config(device=f"BATCH:{device}(2)", nireq=2))
        except DeviceError:
            return False
        joined = compiled.joined
        if joined is not None:
            return joined == 2
        alone = self.compile(network, Config(device=device, nireq=1))
        return compiled.optimal_nireq >= 2 * alone.optimal_nireq

    def _settable(self, name: str) -> tuple[str, ...]:
        with contextlib.suppress(RuntimeError):
            supported = self._core.get_property(name, "SUPPORTED_PROPERTIES")
            return tuple(sorted(key for key, access in supported.items() if access == "RW"))
        return ()

    def _supported(self, name: str) -> list[str]:
        with contextlib.suppress(RuntimeError):
            return list(self._core.get_property(name, "SUPPORTED_PROPERTIES"))
        return []

    def _device(self, name: str) -> Device:
        def read(key: str) -> Any:
            with contextlib.suppress(RuntimeError, TypeError):
                return plain(self._core.get_property(name, key))
            return None

        streams = read("RANGE_FOR_STREAMS")
        return Device(
            name=name,
            full_name=str(read("FULL_DEVICE_NAME") or name),
            driver=str(read("NPU_DRIVER_VERSION") or read("GPU_DRIVER_VERSION") or ""),
            capabilities=tuple(read("OPTIMIZATION_CAPABILITIES") or ()),
            precision=str(read("INFERENCE_PRECISION_HINT") or "f32"),
            streams=int(streams[1]) if streams else 1,
            settings=self._settable(name),
            tiles=int(read("NPU_MAX_TILES") or 1),
            memory_bytes=next((int(size) for name in _MEMORY if (size := read(name))), None),
        )
