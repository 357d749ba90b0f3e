"""HTTP: playlists, media, the API and the page, over aiohttp. Reads the catalog, the live edge and the archive."""
