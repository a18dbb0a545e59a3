"""Faults: whatever fails and whenever, one writer, nothing lost, nobody stranded, nothing left behind."""
