"""A run as one HTML file: opens without a server, without JavaScript for what matters, and asks the network nothing."""
