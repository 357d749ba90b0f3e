"""ISO base media files as recordings are written: boxes, codec strings, init sections, fragments.

Sans-IO: nothing here opens a file, awaits or reads a clock. `reader.RecordingReader` is the way in; README.md shows
the two forms of a recording and which module knows what.
"""
