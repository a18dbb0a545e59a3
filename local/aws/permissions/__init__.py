"""Permissions as IAM would decide them: who calls, what that call needs, and whether the caller's role allows it."""
