"""Reads predictions and says what they mean. Knows nothing of Kafka."""

DRIFT_THRESHOLD = 0.2
"""The population stability index above which a feature has drifted, where nobody says another."""
