"""``make findings``: docs/findings.md, made of the catalogue of what a look at blue looks for."""

from __future__ import annotations

import re

from bluegreen.preflight.catalogue import BEFORE_ALL, OF_RDS, OF_THE_SERVER, TRIED
from bluegreen.preflight.findings import SEVERITIES, Check
from bluegreen.preflight.of_account import OF_ACCOUNT
from bluegreen.preflight.of_databases import IN_EACH_DATABASE
from bluegreen.preflight.of_topology import OF_TOPOLOGY

HEAD = """\
# Findings

What `CheckBlue` looks for before a release touches blue. It names everything at once, each object with what puts it
right. The input `{"mode": "check"}` does only this: it takes no lock, changes nothing, and is refused while a release
is under way. The result is the execution's output, and a mail.

- A **blocker** ends the release.
- A **warning** does too, unless the input accepts it: `{"accept": ["unlogged-table"]}`. What was accepted, and by whom
  (`requested_by`), is in the request for approval and in the release's summary.
- A **note** is only told.

Those marked with ↻ are looked for again right before the freeze. A fix that ends in a semicolon is a statement; the
finding has it with all names filled in and quoted, to be run as it is in the database that is named with it.

`python -m local check DSN…` asks the same of the databases of any server, but for what RDS and EC2 know. The state of
the cluster, its engine, and the records with their zones are looked at before, in `PlanRelease`; TLS, by connecting.

What cannot be known before green is there:

- Whether green can reach blue. Blue subscribes to itself for trial (`subscription-refused`), which tries rights,
  name, TLS and the replication protocol, but no security group: none looks at what a host sends to itself. Their rules
  are read (`security-group-closed`). `CreateSubscriptions` is the proof.
- Whether green keeps up. The rate of blue's log is measured while blue is looked at (`much-written`); what an apply
  worker takes depends on green's class and on the size of transactions. `WaitForCatchUp` is the proof; nothing on
  blue waits for it.
- How much the log will grow. `log-outgrows-room` reckons with the rate of these moments until `approval_timeout_s` is
  over, against `max_slot_wal_keep_size` and the 128 TiB that every Aurora volume can grow to, less the databases of the
  release and what slots retain already. A server elsewhere has a disk, whose free space no statement tells.
- Which extensions another engine version brings: RDS has no call for it. `extension-out-of-date` compares with what
  blue itself could install; see the list of extensions of the version in AWS's documentation.

This page is made of the catalogue in `lambdas/bluegreen/preflight/` by `make findings`.
"""

SECTIONS = {
    "Before all else": BEFORE_ALL,
    "In each database": IN_EACH_DATABASE,
    "On the server": OF_THE_SERVER,
    "By trying": TRIED,
    "At RDS and EC2": OF_RDS,
    "Topology": OF_TOPOLOGY,
    "Another account": OF_ACCOUNT,
}


def page() -> str:
    """The page as it has to be."""
    parts = [HEAD]
    for title, checks in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| finding | severity | why it matters | fix |\n|---|---|---|---|\n")
        parts += [_row(check) for severity in SEVERITIES for check in checks if check.severity == severity]
    return "".join(parts)


def _row(check: Check) -> str:
    again = " ↻" if check.is_rechecked else ""
    fix = re.sub(r"\{(\w+)(![il])?\}", r"<\1>", check.fix)
    shown = f"`{fix}`" if fix.endswith(";") or fix.startswith("aws ") else fix.replace("<", "&lt;")
    return f"| `{check.id}` | {check.severity}{again} | {check.why} | {shown} |\n"


if __name__ == "__main__":
    print(page(), end="")
