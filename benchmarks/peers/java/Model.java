import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;

/** The exported model; reads an event with Jackson's streaming parser, and adds its terms up. */
final class Model {
  private final JsonFactory json = new JsonFactory();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream(512);
  private final Map<String, Term> terms = new HashMap<>();
  private final String version;
  private final double threshold;
  private final double base;

  Model(JsonNode exported) {
    version = exported.get("version").asText();
    threshold = exported.get("threshold").asDouble();
    base = exported.get("base").asDouble();
    exported.get("terms").properties().forEach(e -> terms.put(e.getKey(), Term.of(e.getValue())));
  }

  /** The prediction of an event, as JSON. */
  byte[] prediction(byte[] event, int partition, long offset, String now) {
    try (JsonParser parser = json.createParser(event)) {
      String customer = null;
      String time = null;
      double logOdds = base;
      int found = 0;
      parser.nextToken();
      for (String name; (name = parser.nextFieldName()) != null; ) {
        JsonToken token = parser.nextToken();
        Term term = terms.get(name);
        if (term != null) {
          logOdds += term.of(parser, token);
          found++;
        } else if (name.equals("customerID")) {
          customer = parser.getText();
        } else if (name.equals("event_ts")) {
          time = parser.getText();
        }
      }
      if (found != terms.size()) {
        throw new IllegalArgumentException("an event without all fields: " + new String(event));
      }
      return written(customer, 1 / (1 + Math.exp(-logOdds)), time, now, partition, offset);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private byte[] written(
      String customer, double probability, String time, String now, int partition, long offset)
      throws IOException {
    out.reset();
    try (JsonGenerator to = json.createGenerator(out)) {
      to.writeStartObject();
      to.writeStringField("customerID", customer);
      to.writeNumberField("churn_probability", probability);
      to.writeStringField("prediction", probability >= threshold ? "Yes" : "No");
      to.writeStringField("event_ts", time);
      to.writeStringField("processed_ts", now);
      to.writeStringField("model_version", version);
      to.writeNumberField("source_partition", partition);
      to.writeNumberField("source_offset", offset);
      to.writeEndObject();
    }
    return out.toByteArray();
  }

  private interface Term {
    double of(JsonParser parser, JsonToken token) throws IOException;

    static Term of(JsonNode own) {
      return own.get("type").asText().equals("table") ? new Table(own) : new Curve(own);
    }
  }

  private static final class Table implements Term {
    private final Map<String, Double> terms = new HashMap<>();
    private final double other;
    private final double missing;

    Table(JsonNode own) {
      own.get("terms").properties().forEach(e -> terms.put(e.getKey(), e.getValue().asDouble()));
      other = own.get("other").asDouble();
      missing = own.get("missing").asDouble();
    }

    @Override
    public double of(JsonParser parser, JsonToken token) throws IOException {
      if (token == JsonToken.VALUE_NULL) {
        return missing;
      }
      Double term = terms.get(parser.getText());
      return term == null ? other : term;
    }
  }

  private static final class Curve implements Term {
    private final double[] knots;
    private final double[][] pieces;
    private final double missing;

    Curve(JsonNode own) {
      knots = numbers(own.get("knots"));
      pieces = new double[own.get("coefficients").size()][];
      for (int piece = 0; piece < pieces.length; piece++) {
        pieces[piece] = numbers(own.get("coefficients").get(piece));
      }
      missing = own.get("missing").asDouble();
    }

    @Override
    public double of(JsonParser parser, JsonToken token) throws IOException {
      if (token == JsonToken.VALUE_NULL) {
        return missing;
      }
      double value = parser.getDoubleValue();
      double log = Math.copySign(Math.log1p(Math.abs(value)), value);
      log = Math.min(Math.max(log, knots[0]), knots[knots.length - 1]);
      int piece = 0;
      while (piece + 1 < pieces.length && log >= knots[piece + 1]) {
        piece++;
      }
      double distance = log - knots[piece];
      double sum = 0;
      for (double coefficient : pieces[piece]) {
        sum = sum * distance + coefficient;
      }
      return sum;
    }

    private static double[] numbers(JsonNode list) {
      double[] found = new double[list.size()];
      for (int at = 0; at < found.length; at++) {
        found[at] = list.get(at).asDouble();
      }
      return found;
    }
  }
}
