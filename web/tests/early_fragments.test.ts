import { expect, it } from 'vitest';
import { EarlyFragments } from '../src/player/early_fragments';
import type { Fragment, Init } from '../src/player/ws_messages';

const MIB = 1024 * 1024;

function init(discontinuity: number): Init {
  return { kind: 'init', mimeType: 'video/mp4', discontinuity };
}

function fragment(position: string, independent = false): Fragment {
  return { kind: 'fragment', position, timeMs: 0, startS: 0, durationS: 0.5, independent };
}

/** What is kept of arrivals of so many bytes each, by position or discontinuity. */
function kept(whats: readonly (Init | Fragment)[], bytes = 1): (string | number)[] {
  const early = new EarlyFragments();
  for (const what of whats) early.add(what, new ArrayBuffer(bytes));
  return early.take().map(([what]) => what.kind === 'init' ? what.discontinuity : what.position);
}

it('keeps what live begins with: the newest init section, and all from the newest sync sample on', () => {
  expect(kept([init(1), fragment('1.0', true), fragment('1.1')])).toEqual([1, '1.0', '1.1']);
  const row = [init(1), fragment('1.0', true), fragment('1.1'), fragment('2.0', true), fragment('2.1')];
  expect(kept(row)).toEqual([1, '2.0', '2.1']);
  expect(kept([init(1), fragment('1.0', true), init(2), fragment('2.0', true)])).toEqual([2, '2.0']);
});

it('keeps an init section that comes again in a row, as it does after a lost connection', () => {
  expect(kept([init(1), fragment('1.0', true), init(1), fragment('1.1')])).toEqual([1, '1.0', 1, '1.1']);
});

it('keeps less than 32 MiB of a camera that sends no sync samples', () => {
  const whats = Array.from({ length: 100 }, (_, index) => fragment(`1.${index}`));
  expect(kept([init(1), ...whats], MIB)).toEqual([1, ...whats.slice(95).map((each) => each.position)]);
});

it('gives what is kept once', () => {
  const early = new EarlyFragments();
  early.add(init(1), new ArrayBuffer(1));
  expect([early.take().length, early.take().length]).toEqual([1, 0]);
});
