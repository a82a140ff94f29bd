"""The errors that ovtune raises on purpose.

    OvtuneError
    ├── UsageError         a request that makes no sense: a bad name, number, rate or option
    ├── ModelError         a model that cannot be found, read or reshaped
    ├── DeviceError        a device, or a setting of one, that this host does not offer
    ├── DocumentError      a config document that cannot be read
    ├── RecordingError     a recording that cannot be read, or not be added to
    ├── StudyError         a study that is missing, taken, or belongs to other circumstances
    ├── StorageError       a database or directory that cannot be used
    ├── HostBusyError      another ovtune is measuring on this host
    ├── MeasurementError   no measurement could be made at all
    └── DeploymentError    a config that does not hold on this host (``apply(strict=True)``)

Every message has one form: what failed, which value, what to do.
"""


class OvtuneError(Exception):
    """Base of everything that ovtune raises on purpose."""


class UsageError(OvtuneError):
    """A request that makes no sense, whatever the host."""


class ModelError(OvtuneError):
    """A model that cannot be found, read or given the asked shape."""


class DeviceError(OvtuneError):
    """A device, or a setting of one, that this host does not offer."""


class DocumentError(OvtuneError):
    """A config document that cannot be read."""


class RecordingError(OvtuneError):
    """A recording that cannot be read, or not be added to."""


class StudyError(OvtuneError):
    """A study that is missing, taken, or belongs to other circumstances."""


class StorageError(OvtuneError):
    """A database or a directory that cannot be used."""


class HostBusyError(OvtuneError):
    """Another ovtune is measuring on this host."""


class MeasurementError(OvtuneError):
    """No measurement could be made at all."""


class DeploymentError(OvtuneError):
    """A config that does not hold on this host."""
