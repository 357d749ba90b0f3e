import type { HlsConfig, RetryConfig } from 'hls.js';
import { describe, expect, it } from 'vitest';
import { loadPolicies, Patience } from '../src/player/load_policies';

type Kind = 'fragLoadPolicy' | 'playlistLoadPolicy' | 'manifestLoadPolicy';
const RESTART_MS = 30_000;

function retryOf(policies: Partial<HlsConfig>, kind: Kind): RetryConfig {
  const retry = policies[kind]?.default.errorRetry;
  if (retry === null || retry === undefined) throw new Error(`no errorRetry in ${kind}`);
  return retry;
}

/** How long hls.js would go on asking when each answer has this status (its own rule where the policy has none). */
function patienceMs(retry: RetryConfig, status: number, tries = 200): number {
  let totalMs = 0;
  for (let count = 0; count < tries; count += 1) {
    const response = { url: '/', code: status };
    const again = retry.shouldRetry?.(retry, count, false, response, false) ?? count < retry.maxNumRetry;
    if (!again) break;
    totalMs += Math.min(retry.retryDelayMs * 2 ** count, retry.maxRetryDelayMs);
  }
  return totalMs;
}

describe('hls.js asks on', () => {
  it.each<[Kind, number]>([
    ['fragLoadPolicy', 0],
    ['fragLoadPolicy', 502],
    ['fragLoadPolicy', 503],
    ['playlistLoadPolicy', 0],
    ['playlistLoadPolicy', 503],
    ['manifestLoadPolicy', 0],
    ['manifestLoadPolicy', 502],
  ])('by the %s while a server restarts and the answer is %d', (kind, status) => {
    expect(patienceMs(retryOf(loadPolicies(new Patience()), kind), status)).toBeGreaterThan(RESTART_MS);
  });

  it('for ever for segments that nobody answers for: the past must have no hole', () => {
    const retry = retryOf(loadPolicies(new Patience()), 'fragLoadPolicy');
    expect(patienceMs(retry, 0, 5000)).toBeGreaterThan(5000 * 1900);
  });

  it('when requests time out', () => {
    const policies = loadPolicies(new Patience());
    expect(policies.fragLoadPolicy?.default.timeoutRetry?.maxNumRetry).toBe(Infinity);
    expect(policies.playlistLoadPolicy?.default.timeoutRetry?.maxNumRetry).toBe(Infinity);
  });

  it.each<[Kind, number]>([
    ['fragLoadPolicy', 404],
    ['fragLoadPolicy', 410],
    ['manifestLoadPolicy', 404],
    ['manifestLoadPolicy', 503],
  ])('not by the %s after a %d: somebody said no, or can say why', (kind, status) => {
    expect(patienceMs(retryOf(loadPolicies(new Patience()), kind), status)).toBe(0);
  });
});

describe('patience', () => {
  it('ends with a server that answers again and again that it cannot', () => {
    const patience = new Patience();
    const answers = Array.from({ length: 40 }, () => patience.askAgain(500));
    expect(answers.indexOf(false)).toBe(30);
    expect(answers.at(-1)).toBe(false);
  });

  it('is restored by success, and by silence: then it is another server that answers', () => {
    for (const restore of [(it: Patience): void => { it.satisfied(); }, (it: Patience): void => { it.askAgain(0); }]) {
      const patience = new Patience();
      for (let tries = 0; tries < 30; tries += 1) patience.askAgain(503);
      restore(patience);
      expect(patience.askAgain(503)).toBe(true);
    }
  });

  it('has nothing to do with what cannot be read', () => {
    expect(new Patience().askAgain(undefined)).toBe(false);
  });
});
