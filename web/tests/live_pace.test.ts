import { describe, expect, it } from 'vitest';
import { LivePace } from '../src/player/live_pace';

const FRAGMENT_S = 0.5;
const LOOK_MS = 100;

/**
 * A camera whose fragments come every half second, a little late at times, and a player that begins so far behind; what
 * it comes to. `lateS` says how late the nth fragment is.
 */
class Scene {
  readonly pace = new LivePace();
  monoMs = 0;
  positionS: number;
  endS = 10;
  stalls = 0;
  jumps = 0;
  readonly rates: number[] = [];
  readonly #lateS: (n: number) => number;
  #next = 1;
  #standsSinceMs: number | null = null;

  constructor(behindS: number, lateS: (n: number) => number = () => 0) {
    this.positionS = this.endS - behindS;
    this.#lateS = lateS;
    this.pace.arrived(FRAGMENT_S, null);
  }

  play(seconds: number): this {
    for (let step = 0; step < seconds * 1000 / LOOK_MS; step += 1) this.#step();
    return this;
  }

  #step(): void {
    this.monoMs += LOOK_MS;
    const pace = this.pace.look({ monoMs: this.monoMs, positionS: this.positionS, startS: 0, endS: this.endS });
    if (pace.jumpToS !== null) {
      this.positionS = pace.jumpToS;
      this.jumps += 1;
    }
    this.rates.push(pace.rate);
    const next = this.positionS + pace.rate * LOOK_MS / 1000;
    if (next > this.endS && this.#standsSinceMs === null) this.#standsSinceMs = this.monoMs;
    this.positionS = Math.min(this.endS, next);
    if (this.monoMs < (this.#next * FRAGMENT_S + this.#lateS(this.#next)) * 1000) return;
    const stood = this.#standsSinceMs !== null;
    this.pace.arrived(FRAGMENT_S, stood ? null : this.endS - this.positionS);
    if (stood) {
      this.stalls += 1;
      this.pace.stalled(this.monoMs);
    }
    this.#standsSinceMs = null;
    this.endS += FRAGMENT_S;
    this.#next += 1;
  }

  /** How far behind the picture is when a fragment is due. */
  get behindS(): number {
    return this.endS - this.positionS;
  }
}

describe('a live picture', () => {
  it('comes nearer by playing a little faster, and then rests', () => {
    const scene = new Scene(1.5).play(40);
    expect(scene.jumps).toBe(0);
    expect(scene.stalls).toBe(0);
    expect(Math.max(...scene.rates)).toBeGreaterThan(1);
    expect(Math.max(...scene.rates)).toBeLessThanOrEqual(1.1);
    expect(scene.rates.slice(-50)).toEqual(Array(50).fill(1));
    expect(scene.behindS).toBeLessThan(FRAGMENT_S + 0.25);
  });

  it('jumps when it is too far behind to catch up', () => {
    const scene = new Scene(8).play(0.2);
    expect(scene.jumps).toBe(1);
    expect(scene.behindS).toBeLessThan(1);
  });

  it('goes on behind a hole that it stands in front of', () => {
    const pace = new LivePace();
    pace.arrived(FRAGMENT_S, null);
    const { jumpToS } = pace.look({ monoMs: 0, positionS: 5, startS: 5.4, endS: 6 });
    expect(jumpToS).toBeGreaterThanOrEqual(5.4);
    expect(pace.placeIn(5.9, 6)).toBe(5.9);
  });

  it('stays further behind where fragments come late now and then, until that is over', () => {
    const late = (n: number): number => (n < 60 && n % 5 === 4 ? 0.4 : 0);
    const scene = new Scene(0.6, late).play(30);
    const { stalls } = scene;
    expect(stalls).toBeGreaterThan(0);
    expect(stalls).toBeLessThan(4);
    expect(scene.behindS).toBeGreaterThan(FRAGMENT_S + 0.25);
    scene.play(400);
    expect(scene.stalls).toBe(stalls);
    expect(scene.pace.neededS).toBeCloseTo(0.08);
    expect(scene.behindS).toBeLessThan(FRAGMENT_S + 0.25);
  });

  it('plays a little slower when next to nothing is left', () => {
    const scene = new Scene(0.51).play(5);
    expect(Math.min(...scene.rates)).toBeLessThan(1);
    expect(Math.min(...scene.rates)).toBeGreaterThanOrEqual(0.95);
  });
});
