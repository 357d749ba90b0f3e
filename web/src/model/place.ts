/**
 * Where a viewer was, exactly.
 *
 * The URL says it to the second, which is good for links and history. What a reload needs besides (the very picture,
 * and whether it stood) is kept in this tab's session storage together with the hash that it belongs to, so that it
 * counts only where that hash is opened again.
 */
export interface Place {
  readonly hash: string;
  readonly atMs: number;
  readonly paused: boolean;
}

export function writePlace(place: Place): string {
  return JSON.stringify(place);
}

/** The place that was kept for a hash; null when there is none. Never fails: anybody can write into a storage. */
export function readPlace(text: string | null, hash: string): Place | null {
  try {
    const { hash: itsHash, atMs, paused } = JSON.parse(text ?? 'null') as Record<string, unknown>;
    if (itsHash !== hash || typeof atMs !== 'number' || !Number.isFinite(atMs)) return null;
    return { hash, atMs, paused: paused === true };
  } catch {
    return null;
  }
}
