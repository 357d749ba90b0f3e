"""ffmpeg: its command lines, its process, what it says on stderr, and the test pattern it draws."""
