import { describe, expect, it } from 'vitest';
import { parseWay, WALL_WAYS, WayChoice, type Way } from '../src/model/way';

const anything = (): boolean => true;

describe('the way that an address asks for', () => {
  it.each([
    ['?way=hls', '#/', 'hls'],
    ['', '#/camera/porch?way=ll-hls', 'll-hls'],
    ['', '#/camera/porch?at=2026-11-22T21:00:00Z&way=ws', 'ws'],
    ['?way=ws', '#/camera/porch?way=hls', 'ws'],
    ['?way=rtsp', '', null],
    ['', '', null],
  ] as const)('%s %s', (search, hash, way) => {
    expect(parseWay(search, hash)).toBe(way);
  });
});

function fail(choice: WayChoice, times: number): Way {
  for (let time = 0; time < times; time += 1) choice.failed();
  return choice.current;
}

describe('the way that is taken', () => {
  it('is the quickest that works here', () => {
    expect(new WayChoice(null, anything).current).toBe('ws');
    expect(new WayChoice(null, (way) => way === 'll-hls').current).toBe('ll-hls');
    expect(new WayChoice(null, () => false).current).toBe('hls');
  });

  it('is left for the next one when it failed three times in a row', () => {
    const choice = new WayChoice(null, anything);
    expect(fail(choice, 2)).toBe('ws');
    choice.works();
    expect(fail(choice, 2)).toBe('ws');
    expect(choice.failed()).toBe(true);
    expect(choice.current).toBe('ll-hls');
    expect(fail(choice, 3)).toBe('hls');
    expect(fail(choice, 100)).toBe('hls');
  });

  it('is kept when it was silent now and then, and answered in between', () => {
    const choice = new WayChoice(null, anything);
    for (let restart = 0; restart < 10; restart += 1) {
      expect([choice.failed(true), choice.failed(true)]).toEqual([false, false]);
      choice.answers();
    }
    expect(fail(choice, 2)).toBe('ws');
  });

  it('is left when it answers, and what comes does not play', () => {
    const choice = new WayChoice(null, anything);
    choice.failed();
    choice.answers();
    choice.failed();
    choice.answers();
    expect(choice.failed(true)).toBe(true);
  });

  it('is left at once when it cannot work', () => {
    const choice = new WayChoice(null, anything);
    expect([choice.cannot(), choice.cannot(), choice.cannot()]).toEqual([true, true, false]);
    expect(choice.current).toBe('hls');
  });

  it('holds no requests on the wall, unless that was asked for', () => {
    const choice = new WayChoice(null, anything, WALL_WAYS);
    expect(choice.current).toBe('ws');
    expect(fail(choice, 3)).toBe('hls');
    expect(new WayChoice(null, (way) => way === 'll-hls', WALL_WAYS).current).toBe('hls');
    expect(new WayChoice('ll-hls', anything, WALL_WAYS).current).toBe('ll-hls');
  });

  it('is the one that was asked for, whatever becomes of it', () => {
    const choice = new WayChoice('ws', () => false);
    expect(fail(choice, 100)).toBe('ws');
    expect(choice.cannot()).toBe(false);
  });
});
