"""The edge to Kafka: the only package that imports the client library.

client        connection settings, and the client's errors in our words
properties    which of the client's properties a user may set
admin         topics, their offsets, and those of a group in them; see admin_client
reader        a topic read as a member of a group: group_membership, group_offsets, group_leave,
              starting_offsets, offset_commit, consumer_config
writer        records sent, in transactions where asked for; see producer_client, transactions
tail, scan    a topic read without a group: on and on, or an offset range of it
lost_client   a client that will never hear of a broker again; guarded_call: one that never returns
"""
