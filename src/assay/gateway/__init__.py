"""What stands between a caller and a model. Empty until its first feature lands."""
