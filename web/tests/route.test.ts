import { describe, expect, it } from 'vitest';
import { formatInstant, parseInstant } from '../src/model/instant';
import { formatHash, parseHash, type Route } from '../src/model/route';

const AT_MS = Date.UTC(2026, 10, 22, 21, 0, 0);
const camera = (id: string, atMs: number | null = null): Route => ({ page: 'camera', id, atMs });

describe('the hash', () => {
  it.each<[string, Route]>([
    ['', { page: 'wall' }],
    ['#', { page: 'wall' }],
    ['#/', { page: 'wall' }],
    ['#/camera/', { page: 'wall' }],
    ['#/elsewhere', { page: 'wall' }],
    ['#/camera/a/b', { page: 'wall' }],
    ['#/camera/%E0%A4%A', { page: 'wall' }],
    ['#/camera/porch', camera('porch')],
    ['#/camera/porch/', camera('porch')],
    ['#/camera/porch?at=', camera('porch')],
    ['#/camera/porch?at=yesterday', camera('porch')],
    ['#/camera/porch?at=2026-11-22T21:00:00', camera('porch')],
    ['#/camera/porch?at=2026-11-22T21:00:00Z', camera('porch', AT_MS)],
    ['#/camera/porch?at=2026-11-22T21%3A00%3A00Z', camera('porch', AT_MS)],
    ['#/camera/porch?at=2026-11-22T22:00:00+01:00', camera('porch', AT_MS)],
    ['#/camera/porch?at=2026-11-22T22:00:00%2B01:00', camera('porch', AT_MS)],
    ['#/camera/h%C3%B6f?at=2026-11-22T21:00:00.250Z', camera('höf', AT_MS + 250)],
  ])('%j is read', (hash, route) => {
    expect(parseHash(hash)).toEqual(route);
  });

  it.each<[Route, string]>([
    [{ page: 'wall' }, '#/'],
    [camera('porch'), '#/camera/porch'],
    [camera('porch', AT_MS), '#/camera/porch?at=2026-11-22T21:00:00Z'],
    [camera('a/b?c#d', AT_MS), '#/camera/a%2Fb%3Fc%23d?at=2026-11-22T21:00:00Z'],
  ])('%j is written, and read back', (route, hash) => {
    expect(formatHash(route)).toBe(hash);
    expect(parseHash(hash)).toEqual(route);
  });
});

describe('a moment', () => {
  it.each(['2026-11-22', '2026-13-01T00:00:00Z', '2026-11-22T25:00:00Z', '1795381200', 'now', '2026-11-22 21:00:00Z'])(
    '%j is none',
    (text) => {
      expect(parseInstant(text)).toBeNull();
    },
  );

  it('keeps milliseconds and takes microseconds', () => {
    expect(formatInstant(AT_MS + 7)).toBe('2026-11-22T21:00:00.007Z');
    expect(parseInstant('2026-11-22T21:00:00.007891Z')).toBe(AT_MS + 7);
    expect(parseInstant('2026-11-22t21:00:00z')).toBe(AT_MS);
  });
});
