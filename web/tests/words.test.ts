import { describe, expect, it } from 'vitest';
import type { Camera, Gap } from '../src/api/types';
import { dayOf } from '../src/model/day';
import { ServerClock } from '../src/model/server_clock';
import {
  countWords, dayWords, factWords, gapWords, latencyWords, spanWords, stateWords, veilWords, whyWords,
} from '../src/model/words';
import { inZone } from './zone';

const NOW_MS = Date.UTC(2026, 10, 22, 21);
const PORCH: Camera = {
  id: 'porch', name: 'Front porch', state: 'recording', stateSinceMs: null, lastError: null,
  firstMs: NOW_MS - 9e6, lastMs: NOW_MS - 1000, playlist: '/hls/porch/index.m3u8', video: null, audio: null,
  gapReason: null, clock: null, mediaSequence: null,
};

it.each([
  [-400, '0 s'], [4400, '4 s'], [99_000, '99 s'], [100_000, '2 min'], [5_940_000, '99 min'], [6_000_000, '1 h 40 min'],
  [7_200_000, '2 h'], [172_800_000, '2 days'],
])('%d ms are %j', (durationMs, words) => {
  expect(spanWords(durationMs)).toBe(words);
});

describe('the latency', () => {
  it.each<[string, Partial<Camera>, boolean, number | null, string]>([
    ['live', {}, true, NOW_MS - 5000, 'live, 5 s behind'],
    ['live, clocks a little apart', {}, true, NOW_MS + 300, 'live, 0.0 s behind'],
    ['live before the first picture', {}, true, null, ''],
    ['the past', {}, false, NOW_MS - 720_000, '12 min behind live'],
    ['a silent camera', { state: 'waiting', lastMs: NOW_MS - 180_000 }, true, NOW_MS - 180_000, 'no picture for 3 min'],
    ['a stalled camera', { state: 'stalled', lastMs: NOW_MS - 12_000 }, true, NOW_MS - 12_000, 'no picture for 12 s'],
    ['a camera that is tried again', { state: 'starting', lastMs: NOW_MS - 180_000 }, true, null, 'no picture for 3 min'],
    ['a camera that never sent', { state: 'starting', lastMs: null }, true, null, ''],
    ['a camera that is off', { state: 'disabled' }, true, NOW_MS - 5000, ''],
  ])('of %s', (_what, changes, live, pictureMs, words) => {
    expect(latencyWords({ ...PORCH, ...changes }, live, false, pictureMs, NOW_MS)).toBe(words);
  });

  it('is not called live while nothing arrives', () => {
    expect(latencyWords(PORCH, true, true, NOW_MS - 26_000, NOW_MS)).toBe('picture of 26 s ago');
    expect(latencyWords(PORCH, true, true, null, NOW_MS)).toBe('');
    expect(latencyWords(PORCH, false, true, NOW_MS - 720_000, NOW_MS)).toBe('12 min behind live');
  });
});

describe('in place of a picture', () => {
  it.each<[Partial<Camera>, boolean, boolean, string | null, string]>([
    [{}, true, true, null, ''],
    [{}, true, false, null, 'Loading…'],
    [{ lastMs: null, state: 'starting' }, true, false, null, 'Starting…'],
    [{ lastMs: null, state: 'recording' }, true, false, null, 'Starting…'],
    [{ lastMs: null, state: 'waiting' }, true, false, null, 'Waiting for the camera'],
    [{ lastMs: null, state: 'stalled' }, true, false, null, 'Waiting for the camera'],
    [{ state: 'disabled' }, true, false, null, 'Switched off'],
    [{ state: 'disabled' }, false, true, null, ''],
    [{}, true, true, 'Reconnecting…', 'Reconnecting…'],
  ])('%j, live %j, picture %j, trouble %j: %j', (changes, live, hasPicture, trouble, words) => {
    expect(veilWords({ ...PORCH, ...changes }, live, hasPicture, trouble)).toBe(words);
  });
});

it.each<[Partial<Camera>, string]>([
  [{ state: 'waiting', lastError: 'the camera refuses the connection' }, 'The camera refuses the connection.'],
  [{ state: 'waiting', lastError: 'No answer (check its power)' }, 'No answer (check its power)'],
  [{ state: 'waiting' }, ''],
  [{ state: 'waiting', gapReason: 'authentication' }, 'Camera refused the password.'],
  [{ state: 'waiting', gapReason: 'disk_full', lastError: 'no space left' }, 'No space left.'],
  [{ state: 'stalled', lastError: 'no fragment for 10 s' }, 'No fragment for 10 s.'],
  [{ state: 'starting', lastError: 'it was away' }, 'It was away.'],
  [{ state: 'starting' }, ''],
  [{ state: 'disabled', gapReason: 'disabled' }, ''],
  [{ state: 'recording', lastError: 'it was away' }, ''],
])('why nothing is new from %j: %j', (changes, words) => {
  expect(whyWords({ ...PORCH, ...changes })).toBe(words);
});

it.each<[Partial<Camera>, string]>([
  [{ state: 'recording', stateSinceMs: NOW_MS - 11_100_000 }, 'Recording for 3 h 5 min'],
  [{ state: 'stalled', stateSinceMs: NOW_MS - 12_000 }, 'Stalled for 12 s'],
  [{ state: 'waiting', stateSinceMs: NOW_MS - 300_000 }, 'Waiting for 5 min'],
  [{ state: 'starting', stateSinceMs: NOW_MS - 3000 }, 'Starting'],
  [{ state: 'starting', stateSinceMs: NOW_MS + 90_000 }, 'Starting'],
  [{ state: 'disabled', stateSinceMs: null }, 'Off'],
  [{ state: 'stopped', stateSinceMs: NOW_MS - 172_800_000 }, 'Stopped for 2 days'],
])('the state of %j: %j', (changes, words) => {
  expect(stateWords({ ...PORCH, ...changes }, NOW_MS)).toBe(words);
});

describe('a gap', () => {
  const at = (hour: number, minute: number, second = 0): number => Date.UTC(2026, 10, 22, hour, minute, second);
  const gap = (startMs: number, endMs: number | null, reason: Gap['reason'] = 'unreachable'): Gap => (
    { startMs, endMs, reason, message: null }
  );

  it.each<[Gap, string]>([
    [gap(at(10, 2), at(10, 7)), 'camera unreachable, 10:02 to 10:07 (5 min)'],
    [gap(at(10, 2, 3), at(10, 3), 'server_crashed'), 'server crashed, 10:02:03 to 10:03:00 (57 s)'],
    [gap(at(20, 59, 20), null, 'stalled'), 'camera stalled since 20:59:20 (40 s)'],
    [gap(at(18, 0), null, null), 'nothing recorded since 18:00 (3 h)'],
  ])('%j is told as %j', (told, words) => {
    inZone('UTC', () => {
      expect(gapWords(told, dayOf(NOW_MS), NOW_MS)).toBe(words);
    });
  });

  it('is told in local time', () => {
    inZone('Asia/Kathmandu', () => {
      const words = gapWords(gap(at(10, 2), at(10, 15)), dayOf(at(10, 2)), NOW_MS);
      expect(words).toBe('camera unreachable, 15:47 to 16:00 (13 min)');
    });
  });

  it('that began on another day says on which', () => {
    inZone('UTC', () => {
      const words = gapWords(gap(at(-1, 50), at(1, 0), 'disabled'), dayOf(NOW_MS), NOW_MS);
      expect(words).toMatch(/^switched off, .*21.*, 23:50 to 01:00 \(70 min\)$/);
    });
  });
});

it('counts cameras', () => {
  expect(countWords([])).toBe('');
  expect(countWords([PORCH])).toBe('1 camera, recording');
  expect(countWords([PORCH, { ...PORCH, state: 'waiting' }])).toBe('2 cameras, 1 recording');
});

it('tells what a camera sends', () => {
  const video = { codec: 'hvc1.1.6.L93.B0', width: 1280, height: 720, frameRate: 29.97003, bitRateBps: 2_140_000 };
  expect(factWords(video, { codec: 'mp4a.40.2', sampleRateHz: 16_000, channels: 1 }, { errorMs: 11.3, driftPpm: null }))
    .toBe('1280 × 720, 29.97 fps, H.265, 2.1 Mbit/s · AAC, 16 kHz · clock within 12 ms');
  const unknown = { ...video, frameRate: null, bitRateBps: null, codec: 'vvc1' };
  expect(factWords(unknown, null, null)).toBe('1280 × 720, vvc1 · no sound');
  expect(factWords(unknown, null, { errorMs: null, driftPpm: 3 })).toBe('1280 × 720, vvc1 · no sound');
  expect(factWords(unknown, null, { errorMs: 2500, driftPpm: null })).toBe('1280 × 720, vvc1 · no sound · clock within 3 s');
});

it('a day is today by the local calendar', () => {
  inZone('Asia/Tokyo', () => {
    expect(dayWords(Date.UTC(2026, 10, 22, 15), NOW_MS)).toBe('Today'); // 00:00 of the 23rd there
    expect(dayWords(Date.UTC(2026, 10, 22, 14), NOW_MS)).not.toBe('Today');
  });
});

describe("the server's clock", () => {
  const clock = (): ServerClock => new ServerClock(() => NOW_MS);

  it('is exact where the server says so, by the quickest answer of late', () => {
    const told = clock();
    told.observeExactly(NOW_MS + 340, NOW_MS - 100, NOW_MS);
    expect(told.now()).toBe(NOW_MS + 390);
    told.observeExactly(NOW_MS + 400, NOW_MS - 20, NOW_MS);
    expect(told.now()).toBe(NOW_MS + 410);
    told.observeExactly(NOW_MS + 900, NOW_MS - 800, NOW_MS);
    told.observe(new Date(NOW_MS + 5000).toUTCString(), NOW_MS - 10, NOW_MS);
    expect(told.now()).toBe(NOW_MS + 410);
    told.observeExactly(NOW_MS + 60_900, NOW_MS + 60_000, NOW_MS + 60_800);
    expect(told.now()).toBe(NOW_MS + 500);
  });

  it.each<[string, string | null, number]>([
    ['no header', null, 0],
    ['a header that is none', 'soon', 0],
    ['clocks that agree within what the header can tell', new Date(NOW_MS).toUTCString(), 0],
  ])('with %s is ours', (_what, header, offsetMs) => {
    const observed = clock();
    observed.observe(header, NOW_MS - 40, NOW_MS + 40);
    expect(observed.now()).toBe(NOW_MS + offsetMs);
  });

  it('is followed when ours is wrong, and when that is mended', () => {
    const observed = clock();
    observed.observe(new Date(NOW_MS + 60_000).toUTCString(), NOW_MS - 40, NOW_MS + 40);
    expect(observed.now()).toBe(NOW_MS + 60_500);
    observed.observe(new Date(NOW_MS).toUTCString(), NOW_MS - 40, NOW_MS + 40);
    expect(observed.now()).toBe(NOW_MS);
  });
});
