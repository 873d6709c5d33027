"""Scoring on Apache Spark, where a lake or the history of a topic is too much for one machine.

In a job of your own, `score` and `score_events` add predictions to a DataFrame. The job that comes
along is `python -m churnstream.spark --help`; docs/spark.md shows both.
"""

from churnstream.spark.scored_frames import score, score_events

__all__ = ["score", "score_events"]
