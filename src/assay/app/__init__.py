"""The front doors: command line, HTTP, pages, settings, wiring."""
