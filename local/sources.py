"""What is deployed is made of these files: whatever was found out about it holds as long as they stay the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("app.py", "cdk.json", "requirements.lock", "stacks", "statemachine", "lambdas")
"""What the synthesis reads, the functions' code included."""


def fingerprint(*more: str) -> str:
    """Of these files, their names and contents, and of whatever else matters."""
    digest = hashlib.sha256("\0".join(more).encode())
    for source in SOURCES:
        for path in (ROOT / source, *sorted((ROOT / source).rglob("*"))):
            if path.is_file() and path.parent.name != "__pycache__":
                content = path.read_bytes()
                digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:32]
