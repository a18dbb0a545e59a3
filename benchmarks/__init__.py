"""Measurements that are too long or too dependent on the machine to be tests; figures are ratios within one run."""
