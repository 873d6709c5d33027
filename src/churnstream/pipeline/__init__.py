"""Everything that talks to Kafka; `kafka` alone imports the client library."""
