"""Models that judge answers: instruments with a name, a digest and a record of how well they agree with people."""
