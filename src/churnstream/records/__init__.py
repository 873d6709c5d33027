"""What comes of an event: a prediction, or a rejection and its dead letter."""
