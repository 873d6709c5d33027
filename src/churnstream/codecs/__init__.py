"""Bytes to records, and back.

event_encoder     rows of customers to events
event_decoder     events to what a model scores; lenient_decoder and repeated_fields help it
prediction_codec  predictions, both ways
json_schema       the same for those who read and write without churnstream

All of it is JSON. Another format is another encoder and decoder beside these, with the methods of
`EventDecoder`, which is all that the other parts know of a format. Dead letters are no matter of a
codec: they keep the bytes that came.
"""
