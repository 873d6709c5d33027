"""The fast way of the usual events: read into columns and written side by side, without objects.

Two functions that numba translates (`scan_kernel`, `write_kernel`), and what prepares for them. All
of it is left out where numba is not installed: the decoder and the encoder do the same, to the
byte, and what is unusual they do in any case.
"""
