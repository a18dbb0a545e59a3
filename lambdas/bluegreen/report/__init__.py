"""The record of a release, and the page that shows it: what happened, who decided, what was proven, what it cost."""
