"""Whole releases: the synthesized template, deployed and run against real servers."""
