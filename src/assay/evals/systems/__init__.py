"""Systems: Assay's own answers, an HTTP endpoint, or anyone's callable, each as one `System`."""
