import { describe, expect, it } from 'vitest';
import { readPlace, writePlace } from '../src/model/place';

const HASH = '#/camera/porch?at=2026-11-22T21:00:00Z';
const AT_MS = Date.UTC(2026, 10, 22, 21, 0, 0, 437);

describe('a place', () => {
  it.each([true, false])('comes back as it was kept, paused %j', (paused) => {
    const place = { hash: HASH, atMs: AT_MS, paused };
    expect(readPlace(writePlace(place), HASH)).toEqual(place);
  });

  it('counts only where it was kept: a link to elsewhere is followed', () => {
    const text = writePlace({ hash: HASH, atMs: AT_MS, paused: true });
    expect(readPlace(text, '#/camera/porch')).toBeNull();
    expect(readPlace(text, HASH.replace('porch', 'garden'))).toBeNull();
  });

  it.each([null, '', 'null', '7', '[]', '{', '{"hash":"#/"}', `{"hash":"${HASH}","atMs":"1"}`, `{"hash":"${HASH}","atMs":null}`])(
    'is not made of %j',
    (text) => {
      expect(readPlace(text, HASH)).toBeNull();
    },
  );
});
