"""What spark-submit takes: `spark-submit deploy/spark/score.py --help`."""

from churnstream.spark.bulk_job import main

main()
