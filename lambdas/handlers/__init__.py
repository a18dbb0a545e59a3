"""One module per state of the state machine: parse the event, call the library, return JSON."""
