import { describe, expect, it } from 'vitest';
import { SleepWatch } from '../src/model/sleep_watch';

describe('a sleep', () => {
  it('is a wall clock that went on while timers stood', () => {
    const watch = new SleepWatch();
    const told = [0, 1000, 2000, 3600_000, 3601_000, 3602_500].map((wallMs) => watch.slept(wallMs));
    expect(told).toEqual([false, false, false, true, false, false]);
  });

  it('is not a clock that was set back', () => {
    const watch = new SleepWatch();
    expect([100_000, 20_000, 21_000].map((wallMs) => watch.slept(wallMs))).toEqual([false, false, false]);
  });
});
