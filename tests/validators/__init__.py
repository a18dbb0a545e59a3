"""Validators that others wrote: `make templates`."""
