import java.time.Instant;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Kafka Streams: from the topic through one processor into the other topic. */
final class StreamsFlow implements Peer.Flow {
  @Override
  public void run(Peer.Task task, Model model, String group, Meter meter) throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(task.input(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .processValues(() -> new Scoring(model, meter, done))
        .to(task.output(), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    try (KafkaStreams streams = new KafkaStreams(builder.build(), properties(task, group))) {
      streams.setUncaughtExceptionHandler(
          error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
          });
      streams.start();
      done.await();
    }
  }

  private static Properties properties(Peer.Task task, String group) {
    Properties own = new Properties();
    own.put("application.id", group);
    own.put("bootstrap.servers", task.broker());
    own.put("state.dir", task.folder());
    own.put("num.stream.threads", 1);
    own.put("processing.guarantee", task.exactlyOnce() ? "exactly_once_v2" : "at_least_once");
    own.put("commit.interval.ms", 100); // as exactly once has it; at least once: half a minute
    own.put("consumer.auto.offset.reset", "earliest");
    own.put("consumer.max.poll.records", task.batchSize());
    own.put("producer.batch.size", 256 * 1024);
    return own;
  }

  private static final class Scoring extends ContextualFixedKeyProcessor<byte[], byte[], byte[]> {
    private final Model model;
    private final Meter meter;
    private final CountDownLatch done;

    Scoring(Model model, Meter meter, CountDownLatch done) {
      this.model = model;
      this.meter = meter;
      this.done = done;
    }

    @Override
    public void process(FixedKeyRecord<byte[], byte[]> event) {
      RecordMetadata from = context().recordMetadata().orElseThrow();
      String now = Instant.now().toString();
      byte[] value = model.prediction(event.value(), from.partition(), from.offset(), now);
      context().forward(event.withValue(value));
      if (meter.add(1)) {
        done.countDown();
      }
    }
  }
}
