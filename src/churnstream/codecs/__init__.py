"""Bytes to records, and back.

Our own form, which is JSON:

    event_encoder     rows of customers to events
    event_decoder     events to what a model scores; lenient_decoder and repeated_fields help it
    prediction_codec  predictions, both ways
    json_schema       the same for those who read and write without churnstream
    scan/             usual events and their predictions once more, many at once

Other people's events become events in our own form, and take the same way:

    source_*, *_splice  where a customer is in an event, and how its values are written
    registry_*          records in the framing of a schema registry; avro_* and protobuf_values read
                        what is framed, avro_batches many at once
    registered_*        our own records, written so

Dead letters are no matter of a codec: they keep the bytes that came.
"""
