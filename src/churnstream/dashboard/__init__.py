"""The live page: Kafka on one side, a browser on the other, and bounded memory in between."""
