"""Features, training, evaluation and scoring. Knows nothing of Kafka."""
