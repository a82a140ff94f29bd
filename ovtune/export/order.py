"""What is exported, and what an export is made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovtune.config import Config, Scalar, split_batch
from ovtune.device_string import is_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A config to export.

    Attributes:
        config: The config.
        effective: Its settings as read back when it was measured.
        name: The model's name.
        model: The model's file: as it was measured, batch, shapes and weights included.
        source: The file that it was measured from.
    """

    config: Config
    effective: Mapping[str, object]
    name: str
    model: str
    source: str

    @property
    def device(self) -> str:
        """The device string without automatic batching around it."""
        return split_batch(self.config.device)[0]

    @property
    def batched(self) -> bool:
        """Whether automatic batching is asked for by the device's name."""
        return self.device != self.config.device

    @property
    def plain(self) -> dict[str, Scalar]:
        """The properties without those that are for one device of a list."""
        return {name: value for name, value in self.config.properties.items() if not isinstance(value, Mapping)}

    @property
    def nested(self) -> dict[str, Mapping[str, Scalar]]:
        """The properties of single devices of a list."""
        found: dict[str, Mapping[str, Scalar]] = {}
        for value in self.config.properties.values():
            if isinstance(value, Mapping):
                found |= value
        return found

    @property
    def streams(self) -> int | None:
        """The streams that were read back; None for a list of devices, which has none of its own."""
        if is_list(self.device):
            return None
        value = self.effective.get("NUM_STREAMS")
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What another tool needs.

    Attributes:
        files: The text of each file, by its name.
        command: How the tool is run with them, or what is written into its place.
        notes: What it cannot express and what that does, and what else is to be known.
    """

    files: Mapping[str, str]
    command: str
    notes: tuple[str, ...]


def spelled(value: Scalar) -> str:
    """A value as the tools that take text spell it."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    return str(value)


def dropped(name: str, value: object, why: str) -> str:
    """The note on a property that is left out."""
    return f"{name}={value} is left out: {why}"
