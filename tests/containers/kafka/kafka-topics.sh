#!/bin/sh
exec java -cp '/opt/kafka/libs/*' $KAFKA_JVM_PERFORMANCE_OPTS org.apache.kafka.tools.TopicCommand "$@"
