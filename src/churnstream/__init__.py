"""churnstream scores customers for churn as their events pass through Kafka."""
