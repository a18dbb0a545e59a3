"""The end of a cluster: which one may go, and how it is archived and goes. See statemachine/decommission.asl.json."""
