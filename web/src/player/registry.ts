/**
 * The players on the page by camera id, at `window.hlscam.players`: for tests, and for curious people at the
 * console.
 */
import type { Player } from './player';

declare global {
  interface Window {
    hlscam?: { readonly players: ReadonlyMap<string, Player> };
  }
}

const players = new Map<string, Player>();

export function publishPlayers(): void {
  window.hlscam = { players };
}

export function enter(cameraId: string, player: Player): void {
  players.set(cameraId, player);
}

/** Takes a player out, unless another one has taken its place already. */
export function leave(cameraId: string, player: Player): void {
  if (players.get(cameraId) === player) players.delete(cameraId);
}

export function allPlayers(): Iterable<Player> {
  return players.values();
}
