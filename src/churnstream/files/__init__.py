"""Any file of customers as rows of text, in bounded memory.

Every value stays the text that stands in the file, or becomes the shortest text that means the
same where the format is typed: what it means is decided once, by the schema's field.
"""
