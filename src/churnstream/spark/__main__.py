"""`python -m churnstream.spark`."""

from churnstream.spark.bulk_job import main

main()
