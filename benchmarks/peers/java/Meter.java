import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Counts as benchmarks/workers/meter.py does; with a deadline, for passes that only warm up. */
final class Meter {
  private static final double TICKS = 100; // a second, on every Linux that there is

  private record Mark(int events, double wall, double user, double system) {}

  private final int warmup;
  private final int until;
  private final double deadline;
  private int count;
  private double first;
  private Mark begin;
  private Mark end;

  Meter(int warmup, int events, double deadline) {
    this.warmup = warmup;
    this.until = warmup + events;
    this.deadline = deadline;
  }

  /** Counts events that are done, and says whether that was all. */
  boolean add(int events) {
    count += events;
    if (first == 0) {
      first = now();
    }
    if (begin == null) {
      if (count >= warmup) {
        begin = mark();
      }
    } else if (end == null && (count >= until || isLate(events))) {
      end = mark();
    }
    return end != null;
  }

  /** Looked at now and then: asking for the time costs. */
  private boolean isLate(int events) {
    return (events > 1 || count % 1000 == 0) && now() > deadline;
  }

  double first() {
    return first;
  }

  void report(double firstOfAll) {
    System.out.printf(
        Locale.ROOT,
        "{\"events\":%d,\"begin\":%f,\"end\":%f,\"user\":%f,\"system\":%f,"
            + "\"rss_kb\":%s,\"first\":%f}%n",
        end.events() - begin.events(),
        begin.wall(),
        end.wall(),
        end.user() - begin.user(),
        end.system() - begin.system(),
        residentKb(),
        firstOfAll);
  }

  /** Seconds since 1970. */
  static double now() {
    return System.currentTimeMillis() / 1e3;
  }

  private Mark mark() {
    String stat = read("/proc/self/stat");
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    double user = Long.parseLong(fields[11]) / TICKS;
    return new Mark(count, now(), user, Long.parseLong(fields[12]) / TICKS);
  }

  private static String residentKb() {
    String status = read("/proc/self/status");
    return status.replaceFirst("(?s).*VmRSS:\\s+(\\d+).*", "$1");
  }

  private static String read(String path) {
    try {
      return Files.readString(Path.of(path));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
