/** Moments: RFC 3339 text and UTC milliseconds since 1970. Local time is made in `day.ts` and `words.ts` only. */

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** UTC milliseconds of an RFC 3339 time, or null when the text is none (a time without a zone is none). */
export function parseInstant(text: string): number | null {
  if (!RFC_3339.test(text)) return null;
  const instantMs = Date.parse(text.toUpperCase());
  return Number.isNaN(instantMs) ? null : instantMs;
}

/** RFC 3339 in UTC; whole seconds are written without a fraction. */
export function formatInstant(instantMs: number): string {
  return new Date(Math.round(instantMs)).toISOString().replace('.000Z', 'Z');
}
