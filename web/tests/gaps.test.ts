import { describe, expect, it } from 'vitest';
import type { Gap } from '../src/api/types';
import { gapNear, gapsDurationMs, gapsOf, isPlanned } from '../src/model/gaps';

const gap = (startMs: number, endMs: number | null, reason: Gap['reason'] = 'unreachable'): Gap => (
  { startMs, endMs, reason, message: null }
);
const NOW_MS = 900;
const DAY = { startMs: 100, endMs: 1000 };
const OVERNIGHT = gap(50, 150);
const SHORT = gap(400, 410);
const LASTING = gap(800, null);

describe('the gaps of a day', () => {
  it('are those of which a part lies within it, oldest first', () => {
    const gaps = [LASTING, SHORT, gap(20, 100), OVERNIGHT, gap(1000, 1200)];
    expect(gapsOf(DAY, gaps, NOW_MS)).toEqual([OVERNIGHT, SHORT, LASTING]);
  });

  it('take up the time that lies within it', () => {
    expect(gapsDurationMs(DAY, [OVERNIGHT, SHORT, LASTING], NOW_MS)).toBe(50 + 10 + 100);
    expect(gapsDurationMs(DAY, [], NOW_MS)).toBe(0);
  });

  it('that lasts ends now, and never before it began', () => {
    expect(gapsDurationMs(DAY, [LASTING], 700)).toBe(0); // the page's clock is behind the server's
    expect(gapsDurationMs(DAY, [LASTING], 5000)).toBe(200);
  });
});

describe('the gap at a moment', () => {
  const gaps = [OVERNIGHT, SHORT, LASTING];

  it.each<[number, number, Gap | null]>([
    [400, 0, SHORT],
    [405, 0, SHORT],
    [395, 0, null],
    [395, 5, SHORT],
    [415, 5, SHORT],
    [416, 5, null],
    [60, 0, OVERNIGHT],
    [850, 0, LASTING],
    [950, 0, null],
  ])('%d, within reach of %d', (instantMs, reachMs, found) => {
    expect(gapNear(gaps, instantMs, reachMs, NOW_MS)).toBe(found);
  });

  it('is the nearest of two', () => {
    const other = gap(420, 430);
    expect(gapNear([SHORT, other], 413, 50, NOW_MS)).toBe(SHORT);
    expect(gapNear([SHORT, other], 418, 50, NOW_MS)).toBe(other);
  });
});

it.each<[Gap['reason'], boolean]>([
  ['stopped', true], ['disabled', true], ['clock_stepped', true],
  ['unreachable', false], ['server_crashed', false], [null, false],
])('a gap because of %j is planned: %j', (reason, planned) => {
  expect(isPlanned(gap(0, 1, reason))).toBe(planned);
});
