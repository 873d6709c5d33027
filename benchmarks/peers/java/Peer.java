import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;

/**
 * The same consumer in Java, as one would write it by hand, with one thread: with the plain clients,
 * or with Kafka Streams where the variant says so.
 *
 * <p>A virtual machine is slow until its compiler has done its work. So it first runs over the topic
 * again and again, with new clients each time, for as long as the task says; then the run that counts.
 */
public final class Peer {
  interface Flow {
    /** Scores the topic from its beginning, until the meter has enough. */
    void run(Task task, Model model, String group, Meter meter) throws Exception;
  }

  /** What this process is asked to do; see benchmarks/processes.py. */
  record Task(
      String broker,
      String input,
      String output,
      String group,
      boolean exactlyOnce,
      int batchSize,
      int warmup,
      int events,
      double warmSeconds,
      String folder) {}

  public static void main(String[] arguments) throws Exception {
    JsonNode asked = new ObjectMapper().readTree(arguments[0]);
    File exported = new File(asked.get("exported").asText());
    Task task =
        new Task(
            asked.get("broker").asText(),
            asked.get("input").asText(),
            asked.get("output").asText(),
            asked.get("group").asText(),
            asked.get("delivery").asText().equals("exactly-once"),
            asked.get("batch_size").asInt(),
            asked.get("warmup").asInt(),
            asked.get("events").asInt(),
            asked.get("warm_seconds").asDouble(),
            exported.getParent());
    Model model = new Model(new ObjectMapper().readTree(exported));
    Flow flow = asked.get("variant").asText().equals("streams") ? new StreamsFlow() : new PlainFlow();
    System.out.println("ready");
    while (System.in.read() != '\n') {}
    measured(task, model, flow);
    System.exit(0); // whatever threads the clients have left
  }

  private static void measured(Task task, Model model, Flow flow) throws Exception {
    double first = 0;
    double warm = Meter.now() + task.warmSeconds();
    for (int pass = 0; Meter.now() < warm; pass++) {
      Meter passing = new Meter(0, task.warmup() + task.events(), warm);
      flow.run(task, model, task.group() + "-" + pass, passing);
      first = first == 0 ? passing.first() : first;
    }
    Meter meter = new Meter(task.warmup(), task.events(), Double.MAX_VALUE);
    flow.run(task, model, task.group(), meter);
    meter.report(first == 0 ? meter.first() : first);
  }
}
