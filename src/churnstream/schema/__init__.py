"""What a customer is: the schema, how its values are read, and the records made from it."""
