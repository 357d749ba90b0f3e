"""What runs all the time: the recorder supervises, the indexer follows, the live streams tell."""
