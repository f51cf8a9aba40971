"""Question in, cited answer or a stated refusal out."""
