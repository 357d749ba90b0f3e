/**
 * A local day as a strip from its first to its last moment.
 *
 * A day is not always 24 hours: where clocks change it has 23 or 25, and in some zones it does not even start at
 * 00:00. So the strip is linear in elapsed time, and every label is asked of the calendar; nothing is ever
 * multiplied by 24.
 */
import type { Span } from '../api/types';

const HOUR_MS = 3_600_000;

/** The half-open range [startMs, endMs) of one local calendar day. */
export interface Day {
  readonly startMs: number;
  readonly endMs: number;
}

export interface Tick {
  readonly fraction: number;
  readonly label: string;
}

/** The local day that contains a moment. */
export function dayOf(instantMs: number): Day {
  const date = new Date(instantMs);
  const [year, month, dayOfMonth] = [date.getFullYear(), date.getMonth(), date.getDate()];
  return {
    startMs: new Date(year, month, dayOfMonth).getTime(),
    endMs: new Date(year, month, dayOfMonth + 1).getTime(),
  };
}

export function contains(day: Day, instantMs: number): boolean {
  return day.startMs <= instantMs && instantMs < day.endMs;
}

/** Where a moment lies on the strip: 0 at the day's start, 1 at its end, held within. */
export function fractionOf(day: Day, instantMs: number): number {
  return clamp((instantMs - day.startMs) / (day.endMs - day.startMs), 0, 1);
}

/** The moment at a place on the strip, in whole seconds, always within the day. */
export function instantAt(day: Day, fraction: number): number {
  const elapsedMs = clamp(fraction, 0, 1) * (day.endMs - day.startMs);
  return Math.min(day.startMs + Math.floor(elapsedMs / 1000) * 1000, day.endMs - 1000);
}

/**
 * The moment of a wall clock reading ("21:03" or "21:03:10") on a day, or null when the text is none.
 * An hour that comes twice means its first pass; one that the clocks skip means the moment after the skip.
 */
export function instantOfClock(day: Day, text: string): number | null {
  const found = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?$/.exec(text);
  if (found === null) return null;
  const date = new Date(day.startMs);
  date.setHours(Number(found[1]), Number(found[2]), Number(found[3] ?? 0), 0);
  return clamp(date.getTime(), day.startMs, day.endMs - 1000);
}

/** The wall clock reading of a moment as a time input wants it: "21:03:10". */
export function clockOf(instantMs: number): string {
  const date = new Date(instantMs);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** Labels at whole local hours, every `everyHours`; an hour that comes twice is labelled twice. */
export function hourTicks(day: Day, everyHours: number): Tick[] {
  const ticks: Tick[] = [];
  // Zones differ from UTC by quarter hours, so whole local hours lie on quarters of an hour.
  for (let instantMs = day.startMs; instantMs < day.endMs; instantMs += HOUR_MS / 4) {
    const date = new Date(instantMs);
    if (date.getMinutes() !== 0 || date.getHours() % everyHours !== 0) continue;
    ticks.push({ fraction: fractionOf(day, instantMs), label: String(date.getHours()).padStart(2, '0') });
  }
  return ticks;
}

/** The parts of the spans that lie within the day. */
export function clipSpans(day: Day, spans: readonly Span[]): Span[] {
  return spans
    .map((span) => ({ startMs: Math.max(span.startMs, day.startMs), endMs: Math.min(span.endMs, day.endMs) }))
    .filter((span) => span.startMs < span.endMs);
}

/**
 * The moment to play for a wish: itself where footage is, else the start of the next footage, else null (go live).
 */
export function snapToFootage(spans: readonly Span[], wishMs: number): number | null {
  const next = spans
    .filter((span) => span.endMs > wishMs)
    .reduce<Span | null>((best, span) => (best === null || span.startMs < best.startMs ? span : best), null);
  return next === null ? null : Math.max(next.startMs, wishMs);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
