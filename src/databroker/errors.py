"""Every exception and warning that Databroker raises.

::

    DatabrokerError
    ├── LookupError kin
    │   ├── RunNotFoundError            (KeyError)     no Run has this uid, partial uid or scan_id
    │   ├── RunIndexError               (IndexError)   catalog[-N] beyond the number of Runs
    │   ├── AmbiguousUidError           (ValueError)   several Runs match a partial uid
    │   ├── InvalidLookupError          (TypeError)    a Run cannot be looked up by this
    │   ├── StreamNotFoundError         (KeyError)     the Run has no stream of this name
    │   └── DataKeyNotFoundError        (KeyError)     the stream has no data key of this name
    ├── Query kin
    │   ├── InvalidQueryError           (ValueError)   not a Mapping, or malformed
    │   │   ├── NonExistentTimeError                 a local time that the clocks skipped
    │   │   └── AmbiguousTimeError                   a local time that came twice
    │   ├── UnsupportedQueryError       (NotImplementedError)   an operator that we do not have
    │   └── UnknownTimeZoneError        (KeyError)     no time zone has this name
    ├── Document kin
    │   ├── InvalidDocumentError        (ValueError)   not a document: no mapping, no uid
    │   ├── ConflictError               (ValueError)   same identity, other content
    │   └── NotMutable                  (TypeError)    a Document was asked to change
    ├── Store kin
    │   ├── InvalidStoreError           (OSError)      no store, or it cannot be opened
    │   ├── StoreVersionError           (OSError)      written by a newer version
    │   ├── UnsupportedOperationError   (NotImplementedError)   this kind of store cannot do it
    │   ├── ReadOnlyStoreError          (OSError)      an insert into a store opened for reading
    │   ├── StoreClosedError            (ValueError)   used after close()
    │   ├── RecordingError              (OSError)      documents are not stored yet, but held
    │   └── CorruptDataError            (OSError)      a checksum or a structure does not hold
    ├── Handler kin
    │   ├── DuplicateHandler            (KeyError, RuntimeError)   a spec has another handler
    │   └── ExternalDataError           (OSError)      external data cannot be opened
    ├── NotPicklableError               (TypeError)    it has no importable name
    ├── InvalidSettingError             (ValueError)   an argument that makes no sense
    └── PartitionIndexError             (IndexError)   beyond the last partition

    DatabrokerWarning                   (UserWarning)
    ├── CoercionWarning                 a value was stored as something plainer
    ├── ConflictWarning                 a document was kept aside
    ├── MetadataWarning                 a data key says something else than its data
    └── ExternalDataWarning             a column of external data cannot be read
"""


class DatabrokerError(Exception):
    """The base of all errors of this package."""

    # KeyError would show the message in quotes.
    __str__ = Exception.__str__


class RunNotFoundError(DatabrokerError, KeyError):
    """No Run matches the given uid, partial uid or scan_id."""


class RunIndexError(DatabrokerError, IndexError):
    """An index from the end goes beyond the oldest Run."""


class AmbiguousUidError(DatabrokerError, ValueError):
    """Several Runs match a partial uid."""


class InvalidLookupError(DatabrokerError, TypeError):
    """A Run cannot be looked up by something of this type."""


class StreamNotFoundError(DatabrokerError, KeyError):
    """The Run has no stream of this name."""


class DataKeyNotFoundError(DatabrokerError, KeyError):
    """The stream has no data key of this name."""


class InvalidQueryError(DatabrokerError, ValueError):
    """A query is not a Mapping, or is malformed."""


class NonExistentTimeError(InvalidQueryError):
    """A local time does not exist: the clocks skipped it."""


class AmbiguousTimeError(InvalidQueryError):
    """A local time came twice: the clocks were set back."""


class UnknownTimeZoneError(DatabrokerError, KeyError):
    """No time zone has this name."""


class UnsupportedQueryError(DatabrokerError, NotImplementedError):
    """A query uses an operator that is not supported."""


class InvalidDocumentError(DatabrokerError, ValueError):
    """What was inserted is not a document."""


class ConflictError(DatabrokerError, ValueError):
    """A document has the identity of a stored one but other content."""


class NotMutable(DatabrokerError, TypeError):
    """A Document was asked to change."""


class InvalidStoreError(DatabrokerError, OSError):
    """A path or URI is not a store, or cannot be opened as one."""


class StoreVersionError(DatabrokerError, OSError):
    """A store was written by a newer version of Databroker."""


class UnsupportedOperationError(DatabrokerError, NotImplementedError):
    """A kind of store cannot do what was asked of it."""


class ReadOnlyStoreError(DatabrokerError, OSError):
    """A document was inserted into a store that is open for reading only."""


class StoreClosedError(DatabrokerError, ValueError):
    """A store was used after it was closed."""


class RecordingError(DatabrokerError, OSError):
    """Documents could not be stored; they are held in memory and tried again."""


class CorruptDataError(DatabrokerError, OSError):
    """Stored bytes do not match their checksum or their structure."""


class DuplicateHandler(DatabrokerError, KeyError, RuntimeError):
    """Another handler is registered for this spec."""


class ExternalDataError(DatabrokerError, OSError):
    """External data that a Run refers to cannot be opened."""


class NotPicklableError(DatabrokerError, TypeError):
    """An object holds it has no importable name."""


class InvalidSettingError(DatabrokerError, ValueError):
    """An argument makes no sense."""


class PartitionIndexError(DatabrokerError, IndexError):
    """A partition beyond the last one was asked for."""


class DatabrokerWarning(UserWarning):
    """The base of all warnings of this package."""


class CoercionWarning(DatabrokerWarning):
    """A value was stored as something plainer than it was."""


class ConflictWarning(DatabrokerWarning):
    """A document was kept aside because it contradicts a stored one."""


class MetadataWarning(DatabrokerWarning):
    """A descriptor says something else than its data."""


class ExternalDataWarning(DatabrokerWarning):
    """A column of external data cannot be read."""
