"""Cases, scorers and runs: measures any callable."""
