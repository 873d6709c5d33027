import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Poll, score an event at a time, send, commit: a flush or a transaction for each batch. */
final class PlainFlow implements Peer.Flow {
  @Override
  public void run(Peer.Task task, Model model, String group, Meter meter) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(task, group);
        KafkaProducer<byte[], byte[]> producer = producer(task, group)) {
      if (task.exactlyOnce()) {
        producer.initTransactions();
      }
      consumer.subscribe(List.of(task.input()));
      boolean done = false;
      while (!done) {
        ConsumerRecords<byte[], byte[]> events = consumer.poll(Duration.ofMillis(500));
        if (!events.isEmpty()) {
          publish(task, model, consumer, producer, events);
          done = meter.add(events.count());
        }
      }
    }
  }

  private static void publish(
      Peer.Task task,
      Model model,
      KafkaConsumer<byte[], byte[]> consumer,
      KafkaProducer<byte[], byte[]> producer,
      ConsumerRecords<byte[], byte[]> events) {
    if (task.exactlyOnce()) {
      producer.beginTransaction();
    }
    String now = Instant.now().toString();
    for (ConsumerRecord<byte[], byte[]> event : events) {
      byte[] value = model.prediction(event.value(), event.partition(), event.offset(), now);
      producer.send(new ProducerRecord<>(task.output(), event.key(), value), PlainFlow::orDie);
    }
    if (task.exactlyOnce()) {
      producer.sendOffsetsToTransaction(events.nextOffsets(), consumer.groupMetadata());
      producer.commitTransaction();
    } else {
      producer.flush();
      consumer.commitSync();
    }
  }

  private static void orDie(Object sent, Exception error) {
    if (error != null) {
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  private static KafkaConsumer<byte[], byte[]> consumer(Peer.Task task, String group) {
    Map<String, Object> own = new HashMap<>();
    own.put("bootstrap.servers", task.broker());
    own.put("group.id", group);
    own.put("auto.offset.reset", "earliest");
    own.put("enable.auto.commit", false);
    own.put("isolation.level", "read_committed");
    own.put("max.poll.records", task.batchSize()); // 500 by default: a transaction for each
    return new KafkaConsumer<>(own, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static KafkaProducer<byte[], byte[]> producer(Peer.Task task, String group) {
    Map<String, Object> own = new HashMap<>();
    own.put("bootstrap.servers", task.broker());
    own.put("batch.size", 256 * 1024); // 16 KB by default: a hundred requests for each batch
    if (task.exactlyOnce()) {
      own.put("transactional.id", group);
    }
    return new KafkaProducer<>(own, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
