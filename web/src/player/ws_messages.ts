/**
 * The messages of `/ws/{camera}` that a player needs, from JSON to types; hlscam/server/ws_messages.py says what they
 * mean. Moments are UTC milliseconds here, media time stays seconds.
 */
import { BadAnswer, readNumber, readObject, readText, type Fields } from '../api/read';

export interface Init {
  readonly kind: 'init';
  /** The MIME type for Media Source. */
  readonly mimeType: string;
  /** Within one of these, media time runs on. */
  readonly discontinuity: number;
}

export interface Fragment {
  readonly kind: 'fragment';
  readonly position: string;
  readonly timeMs: number;
  readonly startS: number;
  readonly durationS: number;
  readonly independent: boolean;
}

export interface Pong {
  readonly kind: 'pong';
  readonly id: number;
  readonly serverMs: number;
}

/** Somebody is there who speaks this. */
export interface Hello {
  readonly kind: 'hello';
}

/** A wish was not granted, and the server goes on with what it did; or it closes the connection. */
export interface Refusal {
  readonly kind: 'error';
}

/** What needs no answer here: the page asks for states and gaps by itself. */
export interface Other {
  readonly kind: 'other';
}

export type Message = Hello | Init | Fragment | Pong | Refusal | Other;

/** Whether a binary message belongs to it. */
export function hasBytes(message: Message): message is Init | Fragment {
  return message.kind === 'init' || message.kind === 'fragment';
}

/** Raises BadAnswer. What a newer server says besides is none of our business. */
export function parseMessage(text: string): Message {
  const fields = readObject(parsed(text), 'the message');
  switch (fields['type']) {
    case 'hello':
      return { kind: 'hello' };
    case 'init':
      return {
        kind: 'init',
        mimeType: readText(fields['codecs'], 'codecs'),
        discontinuity: readNumber(fields['discontinuity_sequence'], 'discontinuity_sequence'),
      };
    case 'fragment':
      return {
        kind: 'fragment',
        position: readText(fields['position'], 'position'),
        timeMs: moment(fields, 'time'),
        startS: readNumber(fields['start_s'], 'start_s'),
        durationS: readNumber(fields['duration_s'], 'duration_s'),
        independent: fields['independent'] === true,
      };
    case 'pong':
      return { kind: 'pong', id: readNumber(fields['id'], 'id'), serverMs: moment(fields, 'server_time') };
    case 'error':
      return { kind: 'error' };
    default:
      return { kind: 'other' };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BadAnswer('The server sent a message that is not JSON.');
  }
}

function moment(fields: Fields, name: string): number {
  return readNumber(fields[name], name) * 1000;
}
