import { describe, expect, it } from 'vitest';
import { MediaMap } from '../src/player/media_map';
import type { Fragment, Init } from '../src/player/ws_messages';

function init(discontinuity: number): Init {
  return { kind: 'init', mimeType: 'video/mp4', discontinuity };
}

function fragment(startS: number, timeMs: number, durationS = 0.5): Fragment {
  return { kind: 'fragment', position: '1.1', timeMs, startS, durationS, independent: true };
}

describe('the video’s timeline', () => {
  it('begins where sound may begin a little before the picture', () => {
    const map = new MediaMap();
    expect(map.offsetS).toBeNull();
    map.begin(init(0));
    expect(map.add(fragment(700, 0))).toBe(1);
    expect(map.offsetS).toBe(-699);
  });

  it('keeps distances within a discontinuity, over a hole and a second connection', () => {
    const map = new MediaMap();
    map.begin(init(0));
    map.add(fragment(700, 0));
    map.begin(init(0));
    expect(map.add(fragment(710, 10_000))).toBe(11);
  });

  it('puts another discontinuity right behind what is there', () => {
    const map = new MediaMap();
    map.begin(init(0));
    map.add(fragment(700, 0));
    map.begin(init(1));
    expect(map.add(fragment(3, 90_000))).toBe(1.5);
    expect(map.add(fragment(3.5, 90_500))).toBe(2);
    expect(map.offsetS).toBe(-1.5);
  });
});

describe('the moment at a place', () => {
  it('is the fragment’s that is there', () => {
    const map = new MediaMap();
    map.begin(init(0));
    expect(map.pictureMs(1)).toBeNull();
    map.add(fragment(0, 10_000));
    map.add(fragment(0.5, 10_500));
    map.begin(init(1));
    map.add(fragment(40, 90_000));
    expect([1, 1.25, 1.75, 2.1].map((place) => map.pictureMs(place))).toEqual([10_000, 10_250, 10_750, 90_100]);
  });

  it('is not known in a hole, nor before and long behind all', () => {
    const map = new MediaMap();
    map.begin(init(0));
    map.add(fragment(0, 10_000));
    map.add(fragment(5, 15_000));
    expect([0.5, 3, 8].map((place) => map.pictureMs(place))).toEqual([null, null, null]);
    expect(map.pictureMs(6.52)).toBeCloseTo(15_520);
  });

  it('is forgotten after a while, and the later one counts where two are the same', () => {
    const map = new MediaMap();
    map.begin(init(0));
    for (let startS = 0; startS < 300; startS += 0.5) map.add(fragment(startS, startS * 1000));
    expect(map.pictureMs(100)).toBeNull();
    expect(map.pictureMs(290)).toBe(289_000);
    map.add(fragment(280, 280_000));
    expect(map.pictureMs(281.2)).toBe(280_200);
    expect(map.pictureMs(290)).toBeNull();
  });
});
