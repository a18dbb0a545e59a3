"""Small function assets, written by the tests themselves."""

import base64
import hashlib
import io
import zipfile

from local.aws.functions import Function


def zipped(files: dict[str, str]) -> bytes:
    """A zip with fixed times, so that the same files have the same hash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def function(
    source: str, name: str = "probe", timeout_s: float = 20, files: dict[str, str] | None = None, **environment: str
) -> Function:
    """A function whose module `main` is `source`; handler `main.handler`."""
    code = zipped({"main.py": source, **(files or {})})
    return Function(
        name=name,
        arn=f"arn:aws:lambda:eu-west-2:123456789012:function:{name}",
        handler="main.handler",
        timeout_s=timeout_s,
        memory_mb=256,
        environment=tuple(sorted(environment.items())),
        code_sha256=base64.b64encode(hashlib.sha256(code).digest()).decode(),
        code=code,
    )
