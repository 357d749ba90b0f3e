import { describe, expect, it } from 'vitest';
import { parseCameras, parseProblem, parseTimeline } from '../src/api/parse';
import { BadAnswer } from '../src/api/read';

const PORCH = {
  id: 'porch',
  name: 'Front porch',
  state: 'recording',
  state_since: '2026-11-22T20:00:00Z',
  last_error: null,
  first: '2026-11-01T00:00:00.000Z',
  last: '2026-11-22T21:00:00.500+00:00',
  playlist: '/hls/porch/index.m3u8',
  video: { codec: 'avc1.640028', width: 1920, height: 1080, frame_rate: 29.97, bit_rate_bps: 4_000_000 },
  audio: { codec: 'mp4a.40.2', sample_rate_hz: 48000, channels: 2 },
};

describe('the list of cameras', () => {
  it('is read', () => {
    expect(parseCameras({ cameras: [PORCH] })).toEqual([{
      id: 'porch',
      name: 'Front porch',
      state: 'recording',
      stateSinceMs: Date.UTC(2026, 10, 22, 20),
      lastError: null,
      firstMs: Date.UTC(2026, 10, 1),
      lastMs: Date.UTC(2026, 10, 22, 21, 0, 0, 500),
      playlist: '/hls/porch/index.m3u8',
      video: { codec: 'avc1.640028', width: 1920, height: 1080, frameRate: 29.97, bitRateBps: 4_000_000 },
      audio: { codec: 'mp4a.40.2', sampleRateHz: 48000, channels: 2 },
      gapReason: null,
      clock: null,
      mediaSequence: null,
    }]);
  });

  it('tells why a camera is silent, how sure its clock is, and how far its numbers went', () => {
    const clock = { error_ms: 12.3, drift_ppm: -4.1 };
    const told = { ...PORCH, state: 'stalled', gap_reason: 'stalled', clock, media_sequence: 17 };
    expect(parseCameras({ cameras: [told] })[0]).toMatchObject({
      state: 'stalled', gapReason: 'stalled', clock: { errorMs: 12.3, driftPpm: -4.1 }, mediaSequence: 17,
    });
  });

  it('may give a reason that this page has no word for', () => {
    const [camera] = parseCameras({ cameras: [{ ...PORCH, gap_reason: 'eclipse', clock: { error_ms: null } }] });
    expect(camera).toMatchObject({ gapReason: null, clock: { errorMs: null, driftPpm: null } });
  });

  it('may be empty, know nothing of the media yet, and have keys that we do not know', () => {
    expect(parseCameras({ cameras: [] })).toEqual([]);
    const [camera] = parseCameras({
      cameras: [{ ...PORCH, state: 'starting', first: null, last: null, video: null, audio: null, extra: 1 }],
    });
    expect(camera).toMatchObject({ state: 'starting', firstMs: null, lastMs: null, video: null, audio: null });
  });

  it.each<[string, unknown, string]>([
    ['no object', [], 'the answer is [], and should be an object'],
    ['nothing', null, 'the answer is null'],
    ['no list', {}, 'cameras is missing'],
    ['a list of numbers', { cameras: [7] }, 'cameras[0] is 7'],
    ['no id', { cameras: [PORCH, { ...PORCH, id: undefined }] }, 'cameras[1].id is missing'],
    ['an empty name', { cameras: [{ ...PORCH, name: '' }] }, 'cameras[0].name is ""'],
    ['an unknown state', { cameras: [{ ...PORCH, state: 'on' }] }, 'one of starting, recording, stalled, waiting,'],
    ['a time without zone', { cameras: [{ ...PORCH, last: '2026-11-22T21:00:00' }] }, 'cameras[0].last is'],
    ['a time as a number', { cameras: [{ ...PORCH, first: 5 }] }, 'cameras[0].first is 5'],
    ['a playlist elsewhere', { cameras: [{ ...PORCH, playlist: '//evil.example/x' }] }, 'a path on this server'],
    ['a playlist with a scheme', { cameras: [{ ...PORCH, playlist: 'javascript:1' }] }, 'a path on this server'],
    ['a clock error as text', { cameras: [{ ...PORCH, clock: { error_ms: '12' } }] }, 'cameras[0].clock.error_ms'],
    ['a width as text', { cameras: [{ ...PORCH, video: { ...PORCH.video, width: '1920' } }] }, 'cameras[0].video.width'],
  ])('refuses %s and says where', (_what, document, told) => {
    expect(() => parseCameras(document)).toThrow(BadAnswer);
    expect(() => parseCameras(document)).toThrow(told);
  });
});

describe('the timeline', () => {
  it('is read', () => {
    const spans = [{ start: '2026-11-22T20:00:00Z', end: '2026-11-22T21:00:00Z' }];
    expect(parseTimeline({ spans, next: null })).toEqual({
      spans: [{ startMs: Date.UTC(2026, 10, 22, 20), endMs: Date.UTC(2026, 10, 22, 21) }], gaps: [], next: null,
    });
    expect(parseTimeline({ spans: [], gaps: [], next: 'c2' })).toEqual({ spans: [], gaps: [], next: 'c2' });
  });

  it('has gaps with reasons, and the last of them may still last', () => {
    const gaps = [
      { start: '2026-11-22T20:00:00Z', end: '2026-11-22T20:05:00Z', reason: 'unreachable', message: 'no route' },
      { start: '2026-11-22T21:00:00Z', end: null, reason: 'eclipse', message: '' },
    ];
    expect(parseTimeline({ spans: [], gaps, next: null }).gaps).toEqual([
      {
        startMs: Date.UTC(2026, 10, 22, 20), endMs: Date.UTC(2026, 10, 22, 20, 5), reason: 'unreachable',
        message: 'no route',
      },
      { startMs: Date.UTC(2026, 10, 22, 21), endMs: null, reason: null, message: null },
    ]);
  });

  it.each<[string, unknown]>([
    ['no spans', { next: null }],
    ['a span without end', { spans: [{ start: '2026-11-22T20:00:00Z' }], next: null }],
    ['a span that ends before it starts', {
      spans: [{ start: '2026-11-22T20:00:00Z', end: '2026-11-22T19:00:00Z' }], next: null,
    }],
    ['a gap without start', { spans: [], gaps: [{ end: '2026-11-22T20:00:00Z' }] }],
    ['a gap that ends before it starts', {
      spans: [], gaps: [{ start: '2026-11-22T20:00:00Z', end: '2026-11-22T19:00:00Z', reason: 'stalled' }],
    }],
    ['a cursor that is none', { spans: [], next: 5 }],
  ])('refuses %s', (_what, document) => {
    expect(() => parseTimeline(document)).toThrow(BadAnswer);
  });
});

describe('a problem document (RFC 9457)', () => {
  it.each<[unknown, string | null]>([
    [{ title: 'Gone', detail: 'That footage was removed.', status: 410 }, 'That footage was removed.'],
    [{ title: 'Gone', status: 410 }, 'Gone'],
    [{ title: 5, detail: '' }, null],
    [null, null],
    ['Bad gateway', null],
  ])('%j says %j', (document, told) => {
    expect(parseProblem(document)).toBe(told);
  });
});
