/** Which gap lies where on a day's strip. Pure: the time is an argument. */
import type { Gap, GapReason } from '../api/types';
import type { Day } from './day';

const PLANNED: ReadonlySet<GapReason> = new Set(['stopped', 'disabled', 'clock_stepped']);

/** Whether somebody wanted it so: nothing to worry about. */
export function isPlanned(gap: Gap): boolean {
  return gap.reason !== null && PLANNED.has(gap.reason);
}

export function gapEndMs(gap: Gap, nowMs: number): number {
  return gap.endMs ?? Math.max(nowMs, gap.startMs);
}

/** The gaps of which at least a part lies within the day, oldest first. */
export function gapsOf(day: Day, gaps: readonly Gap[], nowMs: number): Gap[] {
  return gaps
    .filter((gap) => gap.startMs < day.endMs && gapEndMs(gap, nowMs) > day.startMs)
    .sort((a, b) => a.startMs - b.startMs);
}

/** The gap that holds a moment, or the nearest within reach: most are narrower than a finger. */
export function gapNear(gaps: readonly Gap[], instantMs: number, reachMs: number, nowMs: number): Gap | null {
  let nearest: Gap | null = null;
  let nearestMs = reachMs;
  for (const gap of gaps) {
    const awayMs = Math.max(gap.startMs - instantMs, instantMs - gapEndMs(gap, nowMs), 0);
    if (awayMs > nearestMs || (awayMs === nearestMs && nearest !== null)) continue;
    [nearest, nearestMs] = [gap, awayMs];
  }
  return nearest;
}

/** Wall time of the day that the gaps take up. */
export function gapsDurationMs(day: Day, gaps: readonly Gap[], nowMs: number): number {
  const parts = gaps.map((gap) => Math.min(gapEndMs(gap, nowMs), day.endMs) - Math.max(gap.startMs, day.startMs));
  return parts.reduce((total, part) => total + Math.max(0, part), 0);
}
