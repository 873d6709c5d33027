"""The same work by other means: what others would write by hand, or with a framework.

exported_model  reads the exported model, for those written in Python
orjson_loop     the plain loop: orjson and the client library, an event at a time
quix            Quix Streams, from an environment of its own
go/             franz-go and sonic
java/           the plain clients with Jackson, and Kafka Streams
"""
