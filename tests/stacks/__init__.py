"""The CDK app: what it synthesizes, packages and refuses."""
