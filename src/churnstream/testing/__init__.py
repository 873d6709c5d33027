"""What users need to test their own: an embedded broker, broken records."""
