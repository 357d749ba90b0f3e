/** WebSockets that go nowhere: a test plays the server. */
import { vi } from 'vitest';

export class FakeSocket {
  static readonly OPEN = 1;
  /** All that were made, in this order. */
  static made: FakeSocket[] = [];
  readyState = 0;
  binaryType = '';
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  readonly url: URL;

  constructor(url: URL) {
    this.url = url;
    FakeSocket.made.push(this);
  }

  static get newest(): FakeSocket {
    const socket = FakeSocket.made.at(-1);
    if (socket === undefined) throw new Error('There is no socket yet.');
    return socket;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
    const { type, id } = this.sent.at(-1) ?? {};
    if (type === 'ping' && !this.isSilent) this.tell({ type: 'pong', id, server_time: 1 });
  }

  close(): void {
    this.readyState = 3;
  }

  // From here on: what the server does.

  isSilent = false;

  greet(): this {
    this.readyState = FakeSocket.OPEN;
    this.tell({ type: 'hello' });
    return this;
  }

  tell(message: Readonly<Record<string, unknown>>): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  bring(position: string): void {
    this.tell({ type: 'fragment', position, time: 1, start_s: 1, duration_s: 0.5, independent: true });
    this.onmessage?.({ data: new ArrayBuffer(1) });
  }

  breakOff(): void {
    this.close();
    this.onclose?.();
  }
}

/** Puts them in the place of the browser's, together with what else of a browser the link needs; time stands still. */
export function fakeSockets(): void {
  FakeSocket.made = [];
  vi.useFakeTimers();
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('location', { href: 'http://hlscam.test/' });
  vi.stubGlobal('WebSocket', FakeSocket);
}
