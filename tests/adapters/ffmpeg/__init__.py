"""Tests of everything that knows ffmpeg: with the real one."""
