"""The lag monitor: once a minute while a release is under way, and never in the way of one."""
