#!/bin/sh
# Creates churnstream's topics with Kafka's own kafka-topics.sh; run again, it changes nothing.
set -eu

PATH="$PATH:/opt/kafka/bin" # where the official image keeps it
BOOTSTRAP_SERVERS=${BOOTSTRAP_SERVERS:-localhost:9092}
PARTITIONS=${PARTITIONS:-3}
REPLICATION_FACTOR=${REPLICATION_FACTOR:-1}

topics() {
    # COMMAND_CONFIG names a file of client properties, for brokers that want SASL or TLS.
    kafka-topics.sh --bootstrap-server "$BOOTSTRAP_SERVERS" \
        ${COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"} "$@"
}

create() {
    topic=$1 partitions=$2
    shift 2
    topics --create --if-not-exists --topic "$topic" --partitions "$partitions" \
        --replication-factor "$REPLICATION_FACTOR" "$@"
}

create telco.raw.customers "$PARTITIONS"
create telco.churn.predictions "$PARTITIONS"
# A dead letter is the whole original and what went wrong with it: larger than any original.
create telco.deadletter 1 --config max.message.bytes=2097152
# Only the latest place in each input file counts.
create telco.producer.checkpoints 1 --config cleanup.policy=compact

# Those that are for some only: each is created if it is named, as telco.churn.newest.
# The newest prediction of each customer (topics.newest in the settings).
[ -z "${NEWEST_TOPIC:-}" ] || create "$NEWEST_TOPIC" "$PARTITIONS" --config cleanup.policy=compact
# Who was notified of by webhooks (topics.notified), as telco.churn.notified.
[ -z "${NOTIFIED_TOPIC:-}" ] || create "$NOTIFIED_TOPIC" 1 --config cleanup.policy=compact
