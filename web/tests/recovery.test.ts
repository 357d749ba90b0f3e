import { describe, expect, it } from 'vitest';
import { Backoff } from '../src/model/backoff';
import { Recovery } from '../src/player/recovery';

const longest = (): number => 1;
const shortest = (): number => 0;

describe('back-off', () => {
  it('doubles up to its limit and starts over after a success', () => {
    const backoff = new Backoff(1000, 8000, longest);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
    expect(backoff.tries).toBe(6);
    backoff.reset();
    expect(backoff.tries).toBe(0);
    expect(backoff.next()).toBe(1000);
  });

  it('is jittered down to half', () => {
    const backoff = new Backoff(1000, 8000, shortest);
    expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([500, 1000, 2000, 4000, 4000]);
  });

  it('stays finite however long the server is away', () => {
    const backoff = new Backoff(1000, 8000, longest);
    for (let tries = 0; tries < 5000; tries += 1) expect(backoff.next()).toBeLessThanOrEqual(8000);
  });
});

describe('a network fault', () => {
  it('loads on twice, then starts again, for ever', () => {
    const recovery = new Recovery(longest);
    const acts = Array.from({ length: 6 }, () => recovery.cureFor({ kind: 'network', started: true }));
    expect(acts.map((cure) => cure.act)).toEqual([
      'load_on', 'load_on', 'start_again', 'start_again', 'start_again', 'start_again',
    ]);
    expect(acts.map((cure) => cure.delayMs)).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
    expect(acts.every((cure) => cure.skipMs === 0)).toBe(true);
  });

  it('starts again at once when no playlist was ever loaded', () => {
    expect(new Recovery(longest).cureFor({ kind: 'network', started: false }).act).toBe('start_again');
  });

  it('is forgiven once pictures move', () => {
    const recovery = new Recovery(longest);
    for (let faults = 0; faults < 5; faults += 1) recovery.cureFor({ kind: 'network', started: true });
    recovery.progressed();
    expect(recovery.faults).toBe(0);
    expect(recovery.cureFor({ kind: 'network', started: true })).toEqual({ act: 'load_on', delayMs: 1000, skipMs: 0 });
  });
});

describe('a media fault', () => {
  it('resets the decoder without a pause, then starts again, then steps over ever more', () => {
    const recovery = new Recovery(longest);
    const cures = Array.from({ length: 4 }, () => recovery.cureFor({ kind: 'media', started: true }));
    expect(cures).toEqual([
      { act: 'reset_decoder', delayMs: 0, skipMs: 0 },
      { act: 'start_again', delayMs: 2000, skipMs: 0 },
      { act: 'start_again', delayMs: 4000, skipMs: 5000 },
      { act: 'start_again', delayMs: 8000, skipMs: 10_000 },
    ]);
  });
});

it('a format that this browser cannot play is tried again rarely: the camera may be set otherwise', () => {
  const cure = new Recovery(longest).cureFor({ kind: 'unplayable', started: true });
  expect(cure).toEqual({ act: 'start_again', delayMs: 30_000, skipMs: 0 });
});
