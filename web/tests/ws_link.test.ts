import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';
import { WsLink, type LinkEvents } from '../src/player/ws_link';
import { FakeSocket, fakeSockets } from './fake_socket';

const LONGEST_PAUSE_MS = 3000;
const MINUTE_MS = 60_000;

const onBytes = vi.fn<LinkEvents['onBytes']>();
const onLost = vi.fn<LinkEvents['onLost']>();
const onDown = vi.fn<LinkEvents['onDown']>();
let link: WsLink;

function open(): void {
  link = new WsLink('porch', { onBytes, onServerTime: () => undefined, onLost, onDown });
}

beforeEach(() => {
  fakeSockets();
  onBytes.mockClear();
  onLost.mockClear();
  onDown.mockClear();
  open();
});

afterEach(() => {
  link.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a connection', () => {
  it('goes on behind the last fragment when it is made again', () => {
    FakeSocket.newest.greet().bring('7.1');
    FakeSocket.newest.breakOff();
    vi.advanceTimersByTime(LONGEST_PAUSE_MS);
    expect(FakeSocket.made.map((each) => each.url.href)).toEqual([
      'ws://hlscam.test/ws/porch', 'ws://hlscam.test/ws/porch?after=7.1',
    ]);
  });

  it('is made again when nothing answers for ten seconds', () => {
    FakeSocket.newest.greet().isSilent = true;
    vi.advanceTimersByTime(2 * LONGEST_PAUSE_MS + 15_000);
    expect(FakeSocket.made.length).toBeGreaterThan(1);
  });

  it('is made again when it is not even greeted', () => {
    vi.advanceTimersByTime(LONGEST_PAUSE_MS + 15_000);
    expect(FakeSocket.made.length).toBeGreaterThan(1);
  });

  it('is kept where the timers of a hidden page come once a minute, and every ping is answered', () => {
    link.close();
    const { setTimeout, clearTimeout, clearInterval } = globalThis;
    const setHiddenInterval = (run: () => void): unknown => setInterval(run, MINUTE_MS);
    vi.stubGlobal('window', { location, setTimeout, clearTimeout, clearInterval, setInterval: setHiddenInterval });
    open();
    FakeSocket.newest.greet();
    vi.advanceTimersByTime(5 * MINUTE_MS);
    expect(FakeSocket.made).toHaveLength(2);
  });
});

describe('an error', () => {
  /** The connection broke behind 7.1, and the server has an answer to `?after=7.1`. */
  function reconnect(): FakeSocket {
    FakeSocket.newest.greet().bring('7.1');
    FakeSocket.newest.breakOff();
    vi.advanceTimersByTime(LONGEST_PAUSE_MS);
    return FakeSocket.newest.greet();
  }

  it('before footage that was not asked for says that the place is lost; what comes is not mixed with what was', () => {
    const socket = reconnect();
    socket.tell({ type: 'error', message: 'no segment 7 yet', id: null });
    socket.bring('1.0');
    expect([onLost.mock.calls.length, onBytes.mock.calls.length]).toEqual([1, 1]);
    expect(socket.readyState).toBe(3);
  });

  it('of a server in trouble, which closes then, loses no place', () => {
    const socket = reconnect();
    socket.tell({ type: 'error', message: 'the disk is gone', id: null });
    socket.breakOff();
    vi.advanceTimersByTime(LONGEST_PAUSE_MS);
    FakeSocket.newest.greet().bring('7.2');
    expect(FakeSocket.newest.url.search).toBe('?after=7.1');
    expect([onLost.mock.calls.length, onBytes.mock.calls.length]).toEqual([0, 2]);
  });
});

describe('a pause', () => {
  it('is told, and so is its end', () => {
    const socket = FakeSocket.newest.greet();
    link.pause();
    link.play();
    expect(socket.sent.map((each) => each['type'])).toEqual(['ping', 'pause', 'play']);
  });

  it('makes no connection, which would bring footage, and goes on with the very next fragment', () => {
    FakeSocket.newest.greet().bring('7.1');
    link.pause();
    FakeSocket.newest.breakOff();
    vi.advanceTimersByTime(10 * MINUTE_MS);
    link.hurry();
    expect(FakeSocket.made).toHaveLength(1);
    expect([link.isDown, onDown.mock.calls.length]).toEqual([false, 0]);
    link.play();
    expect(FakeSocket.newest.url.search).toBe('?after=7.1');
  });

  it('gives up a connection that is being made', () => {
    FakeSocket.newest.greet().bring('7.1');
    FakeSocket.newest.breakOff();
    vi.advanceTimersByTime(LONGEST_PAUSE_MS);
    link.pause();
    expect([FakeSocket.newest.readyState, link.isDown]).toEqual([3, false]);
    link.play();
    expect(FakeSocket.newest.url.search).toBe('?after=7.1');
    expect(FakeSocket.made).toHaveLength(3);
  });
});
