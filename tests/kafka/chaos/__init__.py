"""Chaos: real `churnstream` processes on real Kafka, killed, paused and scaled, then counted.

`python -m chaos` runs every scenario and prints one table. Each works on topics of its own and
ends with `churnstream audit`, the command as a user would run it.

processes   one run of the command line: started, killed, paused, and what it said
flow        topics and a group of their own, and the commands that work on them
records     what goes in: a file of customers, and broken records in between
watch       what Kafka itself says: offsets, members, leaders
outages     for how long events waited after each fault
progress    how far processes have come
scenarios   one function a scenario, broker_scenarios those of brokers and of the network
"""
