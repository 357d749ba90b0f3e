/**
 * The connection to `/ws/{camera}`, for as long as somebody watches. It is made again whenever it breaks, sooner at
 * first and later then, and goes on behind the last fragment that came, so that nothing is missing and nothing comes
 * twice; who follows live goes on with what is live then, after a long absence.
 *
 * A connection that says nothing is as good as none: a ping is asked now and then, whose answer also tells what the
 * server's clock says. Only what was asked can be missed: timers of a hidden page come once a minute.
 *
 * While it is paused no connection is made: a new one brings footage before it can be told not to.
 */
import { BadAnswer } from '../api/read';
import { Backoff } from '../model/backoff';
import { hasBytes, parseMessage, type Fragment, type Init, type Message } from './ws_messages';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 3000;
const PING_EVERY_MS = 4000;
const SILENT_AFTER_MS = 10_000;
/** What was missed in a longer time nobody who watches live wants to see. */
const RESUMES_WITHIN_MS = 15_000;

export interface LinkEvents {
  readonly onBytes: (what: Init | Fragment, data: ArrayBuffer) => void;
  /** The server's time, and when by our clock it was asked and answered. */
  readonly onServerTime: (serverMs: number, sentMs: number, receivedMs: number) => void;
  /** The server does not know the last fragment that came: what it sends instead has no place behind that one. */
  readonly onLost: () => void;
  /** It broke, or could not be made, so many times in a row. */
  readonly onDown: (times: number) => void;
}

export class WsLink {
  readonly #url: string;
  readonly #events: LinkEvents;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  #socket: WebSocket | null = null;
  #waitingFor: Init | Fragment | null = null;
  #after: string | null = null;
  #heardMonoMs = 0;
  /** Since when an answer is awaited; null when all that was asked was answered. */
  #askedMonoMs: number | null = null;
  #fragmentMonoMs = -Infinity;
  #pingSentMs: ReadonlyMap<number, number> = new Map();
  #pings = 0;
  #pauseTimer = 0;
  #pingTimer = 0;
  #isDown = false;
  #isLive = true;
  #isRefused = false;
  #closed = false;
  #paused = false;

  constructor(cameraId: string, events: LinkEvents) {
    this.#url = `/ws/${encodeURIComponent(cameraId)}`;
    this.#events = events;
    this.#connect();
  }

  /** Whether it is down now. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** There is reason to believe that it works now. */
  hurry(): void {
    if (this.#paused) return;
    const open = this.#socket?.readyState === WebSocket.OPEN;
    const silentMs = performance.now() - this.#heardMonoMs;
    if (!open || silentMs > SILENT_AFTER_MS / 4) this.#connect();
  }

  pause(): void {
    this.#paused = true;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#say({ type: 'pause' });
    else this.#rest();
  }

  /** Goes on with the very next fragment, which is the past by now. */
  play(): void {
    this.#paused = false;
    this.#isLive = false;
    if (this.#socket === null) this.#connect();
    else this.#say({ type: 'play' });
  }

  /** Begins anew with live: what was buffered is gone. */
  startAgain(): void {
    this.#after = null;
    this.#isLive = true;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #connect(): void {
    this.#drop();
    if (this.#closed || this.#paused) return;
    const isRecent = performance.now() - this.#fragmentMonoMs < RESUMES_WITHIN_MS;
    const resumes = this.#after !== null && (isRecent || !this.#isLive);
    const url = new URL(this.#url + (resumes ? `?after=${this.#after ?? ''}` : ''), window.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => { this.#hear(event.data); };
    socket.onclose = () => { this.#broke(); };
    this.#socket = socket;
    this.#heardMonoMs = this.#askedMonoMs = performance.now();
    this.#pingTimer = window.setInterval(() => { this.#ping(); }, PING_EVERY_MS);
  }

  /** A socket that is dropped tells nothing any more. */
  #drop(): void {
    this.#isRefused = false;
    window.clearTimeout(this.#pauseTimer);
    window.clearInterval(this.#pingTimer);
    const socket = this.#socket;
    this.#socket = null;
    this.#waitingFor = null;
    if (socket === null) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Not connected, and not meant to be: the place is kept for `play`. */
  #rest(): void {
    this.#drop();
    this.#isDown = false;
  }

  #broke(): void {
    if (this.#paused) {
      this.#rest();
      return;
    }
    this.#drop();
    this.#isDown = true;
    const pauseMs = this.#backoff.next();
    this.#pauseTimer = window.setTimeout(() => { this.#connect(); }, pauseMs);
    this.#events.onDown(this.#backoff.tries);
  }

  #hear(data: string | ArrayBuffer): void {
    this.#heardMonoMs = performance.now();
    this.#askedMonoMs = null;
    if (typeof data !== 'string') {
      this.#take(data);
      return;
    }
    try {
      this.#heed(parseMessage(data));
    } catch (error) {
      if (!(error instanceof BadAnswer)) throw error;
      this.#broke(); // whoever speaks there is not our server
    }
  }

  #heed(message: Message): void {
    if (hasBytes(message)) this.#waitingFor = message;
    else if (message.kind === 'hello') {
      this.#isDown = false;
      this.#ping();
    } else if (message.kind === 'pong') {
      this.#backoff.reset(); // not with the greeting: a server that greets and closes is not asked on the double
      const sentMs = this.#pingSentMs.get(message.id);
      if (sentMs !== undefined) this.#events.onServerTime(message.serverMs, sentMs, Date.now());
    } else if (message.kind === 'error') {
      this.#isRefused = true;
    }
  }

  #take(data: ArrayBuffer): void {
    const what = this.#waitingFor;
    this.#waitingFor = null;
    if (what === null) return;
    if (this.#isRefused) {
      // A server in trouble closes after an error. One that goes on does not know that place, and sends live.
      this.#drop();
      this.#events.onLost();
      return;
    }
    if (what.kind === 'fragment') {
      this.#after = what.position;
      this.#fragmentMonoMs = this.#heardMonoMs;
    }
    this.#backoff.reset();
    this.#events.onBytes(what, data);
  }

  #ping(): void {
    const monoMs = performance.now();
    this.#askedMonoMs ??= monoMs;
    if (monoMs - this.#askedMonoMs > SILENT_AFTER_MS) {
      this.#broke();
      return;
    }
    this.#pings += 1;
    this.#pingSentMs = new Map([[this.#pings, Date.now()]]);
    this.#say({ type: 'ping', id: this.#pings });
  }

  #say(message: Readonly<Record<string, unknown>>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
