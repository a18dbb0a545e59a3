"""The errors of a release. Their class names are the contract with the state machine (``ErrorEquals``).

::

    BlueGreenError
    ├── Refused                    a person has to change something; never retried
    │   ├── InputInvalid               the execution input breaks release-input.schema.json
    │   ├── ReleaseInProgress          another execution holds the cluster's lock
    │   ├── BlueNotFound               no such cluster, the writer record points at none, or no such record
    │   ├── BlueUnfit                  blue cannot be released as it is: see docs/findings.md
    │   ├── SlotBlocked                an open transaction keeps the slot from being created
    │   ├── CloneUnusable              green is not a clone of blue taken after its publication and slots
    │   ├── GreenFailed                Aurora gave up on green
    │   ├── ReplicationBroken          a subscription is disabled, erring, or misses tables
    │   ├── ChangesRefused             a script would break replication, cannot be read, or has changed since it ran
    │   ├── ChangeFailed               a script failed on green, and was rolled back as far as it can be
    │   ├── SchemaDrifted              schema, roles or settings differ between blue and green
    │   ├── NotReadyToFreeze           something changed since the approval
    │   ├── WritersRemain              sessions or prepared transactions outlive the freeze
    │   ├── FreezeBudgetExceeded       the switchover took longer than it may
    │   ├── SwitchoverAborted          the abort came first: it must not be frozen, nor opened, any more
    │   ├── SequencesDiffer            a sequence of blue is absent or different on green
    │   ├── RowCountsDiffer            a table has another number of rows on green
    │   ├── DataDiffers                a row is absent or different on green
    │   ├── GreenWrittenTo             somebody wrote to green: it was tested, and cannot take over
    │   ├── TableRewritten             VACUUM FULL or the like moved a table's rows while it was compared
    │   ├── VerificationStalled        the comparison makes no progress, or takes more rounds than there are
    │   ├── RecordChanged              a record is not what the release expects
    │   ├── ClusterInUse               a cluster that is to be ended is production, not fenced, or has sessions
    │   ├── SnapshotFailed             there is no final snapshot, so nothing is stopped or deleted
    │   └── AwsRefused                 an AWS API said no
    ├── NotYet                     asked too early; the state machine asks again
    │   ├── GreenNotReady
    │   ├── GreenNotGone
    │   ├── ReplicationLagging
    │   ├── ChangeRunning
    │   ├── DnsNotInSync
    │   ├── ClusterBusy
    │   └── ExecutionNotOver
    └── Unavailable                out of reach; the state machine tries again
        ├── DatabaseUnavailable
        └── AwsUnavailable
"""

from .lines import in_lines, on_one_line

MESSAGE_CHARACTERS = 8_000
"""How long a message about scripts or an input may be, which may quote them. Step Functions cuts a cause at 32,768
characters, and what is cut is no JSON any more; a character that is not ASCII is escaped there, and so counted here."""


def _shortened(message: str) -> str:
    """
    >>> _shortened("line 1: ü"), _shortened("x" * 8_001)[7_997:], _shortened("ü" * 8_000)[1_997:]
    ('line 1: ü', 'xxx … (this message was shortened)', 'üüü … (this message was shortened)')
    """
    escaped = message.encode("unicode_escape")
    if len(escaped) <= MESSAGE_CHARACTERS:
        return message
    kept = escaped[:MESSAGE_CHARACTERS].decode("unicode_escape", errors="ignore")
    return f"{kept} … (this message was shortened)"


class BlueGreenError(Exception):
    """Root of all errors of a release. The message names the thing and the way out, never a secret.

    It is given as its lines, of which most have one: mails show it, and what servers and scripts say begins none.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(in_lines(lines))


class Refused(BlueGreenError):
    """The release must not go on; a person has to change something."""


class NotYet(BlueGreenError):
    """Asked too early: nothing is wrong, ask again."""


class Unavailable(BlueGreenError):
    """A database or an AWS API cannot be reached right now."""


class InputInvalid(Refused):
    """The execution input breaks ``release-input.schema.json``; the message names the field."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*_shortened(in_lines(lines)).split("\n"))


class ReleaseInProgress(Refused):
    """Another execution holds the lock of this cluster; the message names it."""


class BlueNotFound(Refused):
    """There is no such cluster, the writer record points at none that can be seen, or a record is not a simple one."""


class BlueUnfit(Refused):
    """Blue cannot be released as it is; the message lists every reason with its remedy."""


class SlotBlocked(Refused):
    """Transactions were open on blue for longer than the creation of a slot may wait; the message names them."""


class CloneUnusable(Refused):
    """Green is not a clone of blue that was taken after its publication and slots were made."""


class GreenFailed(Refused):
    """Aurora gave up on green, or green is gone."""


class ReplicationBroken(Refused):
    """A subscription is disabled, reports errors, or does not follow every published table."""


class ChangesRefused(Refused):
    """Scripts would break replication or the comparison, cannot be read, or have changed since they ran; the message
    lists script, line and reason of all."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*_shortened(in_lines(lines)).split("\n"))


class ChangeFailed(Refused):
    """A script failed on green; the message holds script, line and what the server said."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*_shortened(in_lines(lines)).split("\n"))


class SchemaDrifted(Refused):
    """What replication does not carry is not the same on both sides; the message lists it with the statements."""


class NotReadyToFreeze(Refused):
    """What was true when the approval was asked for is true no more."""


class WritersRemain(Refused):
    """Sessions or prepared transactions on blue outlived the freeze."""


class FreezeBudgetExceeded(Refused):
    """The switchover took longer than ``freeze_budget_s``."""


class SwitchoverAborted(Refused):
    """The abort of this release was decided first, so blue must not be frozen and green must not be opened."""


class SequencesDiffer(Refused):
    """A sequence of blue is absent on green, or did not take blue's value."""


class RowCountsDiffer(Refused):
    """A table has another number of rows on green than on blue."""


class DataDiffers(Refused):
    """Rows are absent or different on green; the message names them by table, key and column, never by value."""


class GreenWrittenTo(Refused):
    """Somebody other than replication wrote to green since its comparison began; the message names the tables."""


class TableRewritten(Refused):
    """Rows have left their blocks without being changed, so some may have been passed over."""


class VerificationStalled(Refused):
    """The comparison of all rows came to nothing in the last rounds, or needs more than an execution can hold."""


class RecordChanged(Refused):
    """A record points at neither blue nor green, or lost its lowered TTL: somebody else changed it."""


class ClusterInUse(Refused):
    """A cluster that is to be ended is production, was not replaced by a release, or is used by somebody."""


class SnapshotFailed(Refused):
    """The final snapshot failed or cannot be taken, and without it no cluster is stopped or deleted."""


class AwsRefused(Refused):
    """An AWS API refused a call; the message holds operation and error code."""


class GreenNotReady(NotYet):
    """Green's cluster or its instances are still being made."""


class GreenNotGone(NotYet):
    """Green's instances or cluster are still being deleted."""


class ReplicationLagging(NotYet):
    """Green is further behind blue than the release allows."""


class ChangeRunning(NotYet):
    """A script is still at work on green: it goes on in the server while nobody listens."""


class DnsNotInSync(NotYet):
    """Route 53 has not yet told all its servers of the change."""


class ClusterBusy(NotYet):
    """A cluster that is being ended, an instance or a snapshot of it, or its global cluster, is still changing."""


class ExecutionNotOver(NotYet):
    """An execution has ended, but Step Functions calls it running still, or a function of it may yet take the lock;
    or a deployment has it."""


class DatabaseUnavailable(Unavailable):
    """No connection to a database, or it broke."""


class AwsUnavailable(Unavailable):
    """An AWS API could not be reached, or throttled the call for longer than the client retried."""


class SqlError(BlueGreenError):
    """PostgreSQL refused a statement. ``sqlstate`` is its five-character code: decide on that, never on the text."""

    def __init__(self, sqlstate: str, message: str, detail: str = "", hint: str = "") -> None:
        super().__init__(f"{' '.join(filter(None, (message, detail, hint)))} (SQLSTATE {sqlstate})")
        self.sqlstate = sqlstate
        self.without_detail = on_one_line(f"{' '.join(filter(None, (message, hint)))} (SQLSTATE {sqlstate})")
        """The detail may hold the values of a row."""
