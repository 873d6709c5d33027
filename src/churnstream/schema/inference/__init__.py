"""From a file of customers to a schema, with a reason for every column."""
