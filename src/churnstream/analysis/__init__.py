"""Reads predictions and says what they mean. Knows nothing of Kafka."""
