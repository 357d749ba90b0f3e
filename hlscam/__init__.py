"""hlscam records cameras once and plays them for ever.

The floors (a module imports only from lower ones; `tests/house/test_floors.py` walks the imports):

    5  server/                        aiohttp: playlists, media, API
    4  services/                      recorder (supervises), indexer (follows), live publisher, cleaner (retention)
    3  adapters/                      ffmpeg, archive files and their disk, catalog database, watchdog
    2  domain/                        config, recordings and runs, timeline: pure, time is an argument
    1  isobmff/, hls/                 formats: sans-IO, no clock
    0  errors, clock, units           vocabulary

`app.py` composes them and `cli.py` is the command line.
"""

__version__ = "0.1.0"
