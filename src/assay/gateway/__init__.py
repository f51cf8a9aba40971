"""What stands between a caller and a model: cache, budget, pace. Each is a ChatModel around a ChatModel."""
