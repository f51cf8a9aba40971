"""Fine-tuning, the only room that may import torch. Empty until its first feature lands."""
