"""The edge to Kafka: the only package that imports the client library.

client      connection settings, and the client's errors in our words
properties  which of the client's properties a user may set
admin       topics, their offsets, and those of a group in them
reader      a topic read as a member of a group; see membership, member, leaving, group_offsets
writer      records sent, in transactions where asked for; see producer_client, transactions
tail, scan  a topic read without a group: on and on, or a stretch of it
"""
