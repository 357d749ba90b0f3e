/**
 * Where in the page we are, in the URL's hash, so that a reload and a link go on from there: `#/` is the wall,
 * `#/camera/porch` one camera live, `#/camera/porch?at=2026-11-22T21:00:00Z` that camera from then on.
 */
import { formatInstant, parseInstant } from './instant';

export type Route =
  | { readonly page: 'wall' }
  | { readonly page: 'camera'; readonly id: string; readonly atMs: number | null };

const WALL: Route = { page: 'wall' };

/** Never fails: what is not a known place is the wall, and a time that is none means live. */
export function parseHash(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const found = /^\/camera\/([^/]+)\/?$/.exec(path);
  const id = decode(found?.[1]);
  return id === null ? WALL : { page: 'camera', id, atMs: parseAt(query) };
}

export function formatHash(route: Route): string {
  if (route.page === 'wall') return '#/';
  const at = route.atMs === null ? '' : `?at=${formatInstant(route.atMs)}`;
  return `#/camera/${encodeURIComponent(route.id)}${at}`;
}

function parseAt(query: string): number | null {
  const at = new URLSearchParams(query).get('at');
  // A "+" in a query reads as a space: give "+01:00" back its sign.
  return at === null ? null : parseInstant(at.replace(' ', '+'));
}

function decode(text: string | undefined): string | null {
  try {
    return text === undefined ? null : decodeURIComponent(text);
  } catch {
    return null;
  }
}
