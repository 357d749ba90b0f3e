import { describe, expect, it } from 'vitest';
import {
  clipSpans, clockOf, contains, dayOf, fractionOf, hourTicks, instantAt, instantOfClock, snapToFootage,
} from '../src/model/day';
import { inZone } from './zone';

const HOUR_MS = 3_600_000;
const utc = (text: string): number => Date.parse(text);

/** What the clocks do, a moment of that local day, how long the day is, and the hours that its strip is labelled with. */
const DAYS = [
  { what: 'a plain day', zone: 'Europe/Berlin', at: '2026-07-01T12:00:00Z', hours: 24, skipped: [], twice: [] },
  { what: 'clocks go forward', zone: 'Europe/Berlin', at: '2026-03-29T12:00:00Z', hours: 23, skipped: [2], twice: [] },
  { what: 'clocks go back', zone: 'Europe/Berlin', at: '2026-10-25T12:00:00Z', hours: 25, skipped: [], twice: [2] },
  { what: 'the day has no 00:00', zone: 'Africa/Cairo', at: '2026-04-24T12:00:00Z', hours: 23, skipped: [0], twice: [] },
  { what: 'half an hour back', zone: 'Australia/Lord_Howe', at: '2026-04-05T02:00:00Z', hours: 24.5, skipped: [], twice: [] },
  { what: 'a zone off by 45 min', zone: 'Asia/Kathmandu', at: '2026-07-01T12:00:00Z', hours: 24, skipped: [], twice: [] },
  { what: 'UTC', zone: 'UTC', at: '2026-07-01T12:00:00Z', hours: 24, skipped: [], twice: [] },
];

describe.each(DAYS)('$what ($zone)', ({ zone, at, hours, skipped, twice }) => {
  it('has its true length and contains its moments', () => {
    inZone(zone, () => {
      const day = dayOf(utc(at));
      expect((day.endMs - day.startMs) / HOUR_MS).toBe(hours);
      expect(contains(day, day.startMs)).toBe(true);
      expect(contains(day, day.endMs - 1)).toBe(true);
      expect(contains(day, day.endMs)).toBe(false);
      expect(dayOf(day.endMs).startMs).toBe(day.endMs);
    });
  });

  it('labels each hour as often as it comes, in order', () => {
    inZone(zone, () => {
      const ticks = hourTicks(dayOf(utc(at)), 1);
      const wanted = [...Array(24).keys()]
        .flatMap((hour) => (twice.some((each) => each === hour) ? [hour, hour] : [hour]))
        .filter((hour) => !skipped.some((each) => each === hour));
      expect(ticks.map((tick) => Number(tick.label))).toEqual(wanted);
      const fractions = ticks.map((tick) => tick.fraction);
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
      expect(fractions[0]).toBe(0);
    });
  });

  it('finds back each whole second it shows on the strip', () => {
    inZone(zone, () => {
      const day = dayOf(utc(at));
      for (let instantMs = day.startMs; instantMs < day.endMs; instantMs += 977_000) {
        expect(Math.abs(instantAt(day, fractionOf(day, instantMs)) - instantMs)).toBeLessThanOrEqual(1000);
      }
    });
  });

  it('reads back the wall clock it writes, except in an hour that comes twice', () => {
    inZone(zone, () => {
      const day = dayOf(utc(at));
      for (let instantMs = day.startMs; instantMs < day.endMs; instantMs += 977_000) {
        const read = instantOfClock(day, clockOf(instantMs)) ?? NaN;
        expect(clockOf(read)).toBe(clockOf(instantMs));
        expect(read).toBeLessThanOrEqual(instantMs);
        expect(contains(day, read)).toBe(true);
      }
    });
  });
});

describe('a place on the strip', () => {
  const day = { startMs: 1_000_000, endMs: 1_000_000 + 24 * HOUR_MS };

  it.each([[-0.5, 0], [0, 0], [0.5, 12 * HOUR_MS], [1, 24 * HOUR_MS - 1000], [7, 24 * HOUR_MS - 1000]])(
    '%d is a moment within the day',
    (fraction, elapsedMs) => {
      expect(instantAt(day, fraction)).toBe(day.startMs + elapsedMs);
    },
  );

  it('holds moments outside at its ends', () => {
    expect(fractionOf(day, 0)).toBe(0);
    expect(fractionOf(day, day.endMs * 2)).toBe(1);
  });
});

describe('a wall clock reading', () => {
  it.each(['', '24:00', '12:60', '1:00', '12:00:60', 'noon', '12:00 ', '-1:00'])('refuses %j', (text) => {
    expect(instantOfClock(dayOf(0), text)).toBeNull();
  });

  it('takes minutes, seconds and fractions', () => {
    inZone('UTC', () => {
      const day = dayOf(utc('2026-11-22T05:00:00Z'));
      expect(instantOfClock(day, '21:03')).toBe(utc('2026-11-22T21:03:00Z'));
      expect(instantOfClock(day, '21:03:10')).toBe(utc('2026-11-22T21:03:10Z'));
      expect(instantOfClock(day, '21:03:10.500')).toBe(utc('2026-11-22T21:03:10Z'));
    });
  });

  it('means the first pass of an hour that comes twice, and the moment after a skip', () => {
    inZone('Europe/Berlin', () => {
      const back = instantOfClock(dayOf(utc('2026-10-25T12:00:00Z')), '02:30');
      expect(back).toBe(utc('2026-10-25T00:30:00Z'));
      const forward = instantOfClock(dayOf(utc('2026-03-29T12:00:00Z')), '02:30');
      expect(forward).toBe(utc('2026-03-29T01:30:00Z'));
    });
  });
});

describe('footage on the day', () => {
  const spans = [{ startMs: 500, endMs: 600 }, { startMs: 100, endMs: 200 }];

  it('is clipped to the day', () => {
    expect(clipSpans({ startMs: 150, endMs: 550 }, spans)).toEqual([
      { startMs: 500, endMs: 550 }, { startMs: 150, endMs: 200 },
    ]);
    expect(clipSpans({ startMs: 200, endMs: 500 }, spans)).toEqual([]);
  });

  it.each([[50, 100], [100, 100], [150, 150], [200, 500], [599, 599], [600, null]])(
    'a wish for %d plays from %j',
    (wishMs, playedMs) => {
      expect(snapToFootage(spans, wishMs)).toBe(playedMs);
    },
  );
});
