"""The edge to Kafka: the only package that imports the client library.

client    connection settings, and the client's errors in our words
admin     topics, their offsets, the group's place
reader    a member of a consumer group
writer    an idempotent or transactional producer
"""
