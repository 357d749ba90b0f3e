import { describe, expect, it } from 'vitest';
import { BadAnswer } from '../src/api/read';
import { hasBytes, parseMessage } from '../src/player/ws_messages';

const FRAGMENT = {
  type: 'fragment', position: '4711.3', time: 1795385400.125, start_s: 12.5, duration_s: 0.5, independent: true,
};

describe('a message of the server', () => {
  it('says hello', () => {
    expect(parseMessage('{"type":"hello","codecs":null,"server_time":1795385400.5}')).toEqual({ kind: 'hello' });
  });

  it('announces what is to be played', () => {
    const init = parseMessage('{"type":"init","codecs":"video/mp4","discontinuity_sequence":3,"hash":"1a","id":null}');
    expect(init).toEqual({ kind: 'init', mimeType: 'video/mp4', discontinuity: 3 });
    const fragment = parseMessage(JSON.stringify(FRAGMENT));
    expect(fragment).toEqual({
      kind: 'fragment', position: '4711.3', timeMs: 1795385400125, startS: 12.5, durationS: 0.5, independent: true,
    });
    expect([init, fragment].map(hasBytes)).toEqual([true, true]);
  });

  it('tells the time', () => {
    expect(parseMessage('{"type":"pong","id":2,"server_time":1.5}')).toEqual({ kind: 'pong', id: 2, serverMs: 1500 });
  });

  it('refuses a wish', () => {
    expect(parseMessage('{"type":"error","message":"no segment 7 yet","id":null}')).toEqual({ kind: 'error' });
  });

  it.each(['{"type":"state","state":"waiting"}', '{"type":"gap"}', '{"type":"of a newer server"}', '{}'])(
    'that a player has no use for is passed over: %s', (text) => {
      const message = parseMessage(text);
      expect(message).toEqual({ kind: 'other' });
      expect(hasBytes(message)).toBe(false);
    },
  );

  it.each([
    '', '[]', 'null', '{"type":"init"}', '{"type":"pong"}',
    JSON.stringify({ ...FRAGMENT, position: 4711.3 }), JSON.stringify({ ...FRAGMENT, time: '12:00' }),
    JSON.stringify({ ...FRAGMENT, start_s: null }),
  ])('that cannot be used is refused: %s', (text) => {
    expect(() => parseMessage(text)).toThrow(BadAnswer);
  });
});
