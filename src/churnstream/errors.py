"""Everything that churnstream raises, as one tree.

ChurnstreamError            a fault: the command says it in one line and exits 1
├── ConfigurationError      wrong use or wrong settings: exit 2
├── DataError               a file of customers cannot be used
├── ModelError              a model cannot be loaded, trusted or used
│   └── RegistryError            MLflow rejected it or could not be reached
├── BrokerError             the broker rejected it or could not be reached
│   ├── BrokerUnreachableError   nobody in charge answered in time
│   ├── TopicMissingError        a topic that must exist does not
│   ├── RightMissingError        the broker's access control forbids what was asked for
│   ├── RecordRejectedError      a topic will never take a record as it is
│   ├── AbortableError           this transaction failed; abort it and process again
│   │   ├── TopicRecreatedError      the topic that is read is another than before
│   │   └── SequenceLostError        the broker does not know the records that went before
│   ├── TransactionEndedError    the broker has ended this transaction by itself
│   ├── FencedError              a newer instance has taken this one's identity
│   └── SchemasUnavailableError  the registry of schemas cannot be asked now
└── CheckpointError         the producer's position in its file cannot be read or kept

A broken *record* is no exception: it is a value (`churnstream.records.rejection.Rejection`)
that travels to the dead-letter topic.
"""


class ChurnstreamError(Exception):
    """Base of all faults; `exit_code` is what the process answers with."""

    exit_code = 1


class ConfigurationError(ChurnstreamError):
    """Wrong use: an unknown setting, a value out of range, flags that exclude each other."""

    exit_code = 2


class DataError(ChurnstreamError):
    """A file of customers cannot be read or lacks a column."""


class ModelError(ChurnstreamError):
    """A model cannot be loaded, trusted or used."""


class RegistryError(ModelError):
    """MLflow rejected it, or could not be reached; says nothing of the model itself."""


class BrokerError(ChurnstreamError):
    """The broker rejected a request, or the connection is beyond repair."""


class BrokerUnreachableError(BrokerError):
    """No broker answered within the time allowed, or none that is in charge."""


class TopicMissingError(BrokerError):
    """A topic that must exist does not."""


class RightMissingError(BrokerError):
    """The broker's access control forbids it; asking again changes nothing."""


class RecordRejectedError(BrokerError):
    """A topic will not take a record, however often it is sent: for its size, timestamp or key."""


class AbortableError(BrokerError):
    """The transaction under way cannot succeed; abort it, go back and process again."""


class TopicRecreatedError(AbortableError):
    """The topic was deleted and created again: offsets of the old one say nothing of it."""


class SequenceLostError(AbortableError):
    """The broker has lost what a producer sent before, as when a topic was created again."""


class TransactionEndedError(BrokerError):
    """The broker knows no transaction under way: it has ended it, as it does when time is up."""


class FencedError(BrokerError):
    """A newer process with the same identity has taken over; this one must end."""


class SchemasUnavailableError(BrokerError):
    """The registry of schemas did not answer, or rejects us."""


class CheckpointError(ChurnstreamError):
    """The producer's position in its file cannot be read or kept."""
