"""SNS: moto drops what is published to an e-mail subscription. Here each mail becomes a file, as it is received."""

from __future__ import annotations

import itertools
import re
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate
from pathlib import Path
from typing import Any

from moto.sns.models import Subscription

from .patching import Seams

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"


def install(seams: Seams, folder: Path) -> None:
    """Mails go to `folder` as `NNN-subject.eml`. A subscription needs no confirmation, as moto has it already."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)

    def publish(original: Any, subscription: Any, message: str, message_id: str, **details: Any) -> None:
        if subscription.protocol != "email":
            original(subscription, message, message_id, **details)
            return
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(details.get("message_attributes"), message):
            return
        # Without a subject SNS takes this one.
        subject = details.get("subject") or "AWS Notification Message"
        _write(folder, next(numbers), subscription.endpoint, subject, message)

    seams.wrap(Subscription, "publish", publish)


def _write(folder: Path, number: int, recipient: str, subject: str, body: str) -> None:
    mail = EmailMessage(policy=default.clone(cte_type="8bit"))
    mail["From"] = SENDER
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Date"] = formatdate()
    mail.set_content(body, charset="utf-8", cte="8bit")
    slug = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:60]
    path = folder / f"{number:03}-{slug}.eml"
    partial = path.with_suffix(".partial")
    partial.write_bytes(mail.as_bytes())
    partial.replace(path)
