"""Tests of what runs all the time: with real ffmpegs, real files and real databases."""
