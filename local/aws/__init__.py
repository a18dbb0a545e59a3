"""AWS on this machine: the emulator with its seams, the Lambda runtime, embedded Aurora, DNS, deployment."""
