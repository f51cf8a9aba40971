"""Production: sampling, drift, errors, incidents. Empty until its first feature lands."""
