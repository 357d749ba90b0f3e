/**
 * How the page is built: hashed files under `assets/`, nothing inline and nothing from elsewhere, so a strict CSP
 * holds.
 */
import { defineConfig } from 'vitest/config';

const SERVER = 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/',
  build: {
    outDir: '../hlscam/server/page',
    emptyOutDir: true,
    assetsInlineLimit: 0, // no data: URLs
    modulePreload: { polyfill: false },
    license: { fileName: 'assets/licenses.md' }, // hls.js is Apache-2.0: its notice travels with the bundle
    chunkSizeWarningLimit: 700, // hls.js alone is 600 kB before gzip
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': SERVER, '/hls': SERVER, '/recordings': SERVER, '/ws': { target: SERVER, ws: true } },
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node', pool: 'forks' },
});
