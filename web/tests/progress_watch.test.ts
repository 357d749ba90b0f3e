import { describe, expect, it } from 'vitest';
import { ProgressWatch, type Sight, type Verdict } from '../src/player/progress_watch';

/** Looks every half second for `seconds`; `at` says what is seen then. */
function watch(seconds: number, at: (elapsedS: number) => Omit<Sight, 'monoMs'>): Verdict[] {
  const watcher = new ProgressWatch();
  return Array.from({ length: seconds * 2 }, (_, index) => watcher.look({ monoMs: index * 500, ...at(index / 2) }));
}

describe('a player', () => {
  it('that plays near live is moving', () => {
    const verdicts = watch(60, (s) => ({ positionS: s, pictureMs: s * 1000, newestMs: s * 1000 + 5000, live: true }));
    expect(verdicts.slice(5)).toEqual(verdicts.slice(5).map(() => 'moving'));
    expect(verdicts[0]).toBe('unsure');
  });

  it('that stands still because the camera is silent is left alone', () => {
    const verdicts = watch(120, () => ({ positionS: 9, pictureMs: 9000, newestMs: 11_000, live: true }));
    expect(verdicts).not.toContain('stuck');
  });

  it('that stands still although newer footage is there is stuck', () => {
    const verdicts = watch(60, (s) => ({ positionS: 9, pictureMs: 9000, newestMs: 40_000 + s * 1000, live: false }));
    expect(verdicts.indexOf('stuck') / 2).toBeGreaterThan(15);
    expect(verdicts.at(-1)).toBe('stuck');
  });

  it('that plays live but stays far behind is stuck', () => {
    const verdicts = watch(60, (s) => ({ positionS: s, pictureMs: s * 1000, newestMs: s * 1000 + 60_000, live: true }));
    expect(verdicts.at(-1)).toBe('stuck');
  });

  it('that plays the past may be as far behind as it likes', () => {
    const verdicts = watch(60, (s) => ({ positionS: s, pictureMs: s * 1000, newestMs: s * 1000 + 9e7, live: false }));
    expect(verdicts.at(-1)).toBe('moving');
  });

  it('that was paused by a person starts over', () => {
    const watcher = new ProgressWatch();
    const stuck = { positionS: 9, pictureMs: 9000, newestMs: 90_000, live: false };
    watcher.look({ monoMs: 0, ...stuck });
    watcher.reset();
    expect(watcher.look({ monoMs: 600_500, ...stuck })).toBe('unsure');
  });

  it('that hears of newer footage after a lost network is given its time', () => {
    const lostForS = 120;
    const verdicts = watch(150, (s) => (
      { positionS: 9, pictureMs: 9000, newestMs: s < lostForS ? 11_000 : 130_000, live: true }
    ));
    expect(verdicts.indexOf('stuck') / 2).toBeGreaterThan(lostForS + 15);
    expect(verdicts.at(-1)).toBe('stuck');
  });
});
