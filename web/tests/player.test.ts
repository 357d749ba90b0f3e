import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WAYS } from '../src/model/way';
import type { OnFault } from '../src/player/engine';
import type { Player, PlayerParts } from '../src/player/player';

const PICTURE_MS = 1_795_385_400_000;
/** The way of what goes on from there. */
const THE_PAST = 'hls /hls/porch/timeline.m3u8?from=2026-11-22T22:10:00Z';
const LONG_MS = 60_000;

/** An engine that does nothing: a test says what befalls it. */
class FakeEngine {
  static readonly isSupported = true;
  /** All that were made, in this order. */
  static made: FakeEngine[] = [];
  readonly hls = null;
  readonly failing = false;
  readonly asksOn = true;
  readonly cure = vi.fn(() => true);
  readonly goOn = vi.fn(() => true);
  readonly pauseLoading = vi.fn();
  readonly resumeLoading = vi.fn();
  readonly close = vi.fn();
  readonly way: string;
  readonly fail: OnFault;
  readonly answer: () => void;

  constructor(way: string, fail: OnFault, answer: () => void) {
    this.way = way;
    this.fail = fail;
    this.answer = answer;
    FakeEngine.made.push(this);
  }

  static get newest(): FakeEngine {
    const engine = FakeEngine.made.at(-1);
    if (engine === undefined) throw new Error('There is no engine yet.');
    return engine;
  }

  pictureMs(): number {
    return PICTURE_MS;
  }
}

vi.mock('hls.js', () => ({ default: { isSupported: () => true } }));
vi.mock('../src/player/ws_engine', () => ({
  WsEngine: class extends FakeEngine {
    constructor(_video: unknown, _camera: string, fail: OnFault, onServerTime: PlayerParts['onServerTime']) {
      super('ws', fail, () => { onServerTime(0, 0, 0); });
    }
  },
}));
vi.mock('../src/player/hls_engine', () => ({
  HlsEngine: class extends FakeEngine {
    constructor(_video: unknown, playlist: { url: string }, fail: OnFault, way: string) {
      super(`${way} ${playlist.url}`, fail, () => undefined);
    }
  },
}));
vi.mock('../src/player/native_engine', () => ({ NativeEngine: FakeEngine }));

let player: Player;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('location', { search: '', hash: '' });
  vi.stubGlobal('HTMLMediaElement', { HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 });
  FakeEngine.made = [];
  const video = Object.assign(new EventTarget(), { paused: false, readyState: 4, pause: () => undefined });
  const made = await import('../src/player/player');
  player = new made.Player({
    video: video as unknown as HTMLVideoElement,
    cameraId: 'porch',
    livePlaylist: '/hls/porch/live.m3u8',
    ways: WAYS,
    ask: () => Promise.resolve('ok'),
    onServerTime: () => undefined,
  });
  player.play(null);
});

afterEach(() => {
  player.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function fail(kind: 'network' | 'media' | 'other'): Promise<void> {
  FakeEngine.newest.fail({ kind, started: true });
  await vi.advanceTimersByTimeAsync(LONG_MS);
}

describe('a page on which nothing moves', () => {
  it('stays with WebSocket through restarts of the server', async () => {
    for (let restart = 0; restart < 5; restart += 1) {
      await fail('network');
      FakeEngine.newest.answer();
    }
    expect([FakeEngine.made.length, player.way]).toEqual([1, 'ws']);
  });

  it('leaves WebSocket when only the rest of the server answers', async () => {
    for (let time = 0; time < 3; time += 1) await fail('network');
    expect(player.way).toBe('ll-hls /hls/porch/live.m3u8');
  });
});

describe('a picture that stands because somebody paused it', () => {
  it.each(['network', 'media', 'other'] as const)('is not taken away by a fault: %s', async (kind) => {
    player.pause();
    for (let time = 0; time < 5; time += 1) await fail(kind);
    expect(FakeEngine.made).toHaveLength(1);
    expect([FakeEngine.newest.cure.mock.calls, FakeEngine.newest.close.mock.calls]).toEqual([[], []]);
  });

  it('is what is played on from, though the engine that showed it cannot be cured', async () => {
    player.pause();
    player.resume();
    FakeEngine.newest.cure.mockReturnValue(false);
    await fail('media');
    expect([player.live, player.way]).toEqual([false, THE_PAST]);
  });

  it('is what a fault is cured from when it is resumed', async () => {
    player.pause();
    await fail('other');
    player.resume();
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect([player.live, player.way]).toEqual([false, THE_PAST]);
  });
});
