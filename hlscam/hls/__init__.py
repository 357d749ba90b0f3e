"""HLS playlists as text (RFC 8216bis). Sans-IO: facts in, text out; no clock, no files."""
