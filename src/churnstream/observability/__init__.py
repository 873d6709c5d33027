"""What the running system shows of itself: logs, metrics, health."""
