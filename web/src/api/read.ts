/**
 * Readers that turn untrusted JSON into typed values.
 *
 * Each takes the value and its path in the document, and refuses with a BadAnswer that names that path, so that a
 * server and a page that do not fit together say where.
 */
import { parseInstant } from '../model/instant';

export class BadAnswer extends Error {
  override name = 'BadAnswer';
}

export type Fields = Readonly<Record<string, unknown>>;
type Reader<T> = (value: unknown, path: string) => T;

function refuse(value: unknown, path: string, wanted: string): never {
  const got = value === undefined ? 'is missing' : `is ${JSON.stringify(value).slice(0, 40)}`;
  throw new BadAnswer(`The server's answer cannot be used: ${path} ${got}, and should be ${wanted}.`);
}

export function readObject(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(value, path, 'an object');
  return value as Fields;
}

export function readList<T>(value: unknown, path: string, item: Reader<T>): T[] {
  if (!Array.isArray(value)) return refuse(value, path, 'a list');
  return value.map((each: unknown, index) => item(each, `${path}[${index}]`));
}

export function readText(value: unknown, path: string): string {
  return typeof value === 'string' && value !== '' ? value : refuse(value, path, 'text');
}

export function readNumber(value: unknown, path: string): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : refuse(value, path, 'a number');
}

/** RFC 3339 text to UTC milliseconds. */
export function readInstant(value: unknown, path: string): number {
  const instantMs = typeof value === 'string' ? parseInstant(value) : null;
  return instantMs ?? refuse(value, path, 'an RFC 3339 time');
}

export function readOneOf<T extends string>(allowed: readonly T[]): Reader<T> {
  const wanted = `one of ${allowed.join(', ')}`;
  return (value, path) => allowed.find((word) => word === value) ?? refuse(value, path, wanted);
}

/** A path on this server. `//host/` and `https:` would be another server, which the page never asks. */
export function readLocalPath(value: unknown, path: string): string {
  const text = readText(value, path);
  return /^\/(?![/\\])/.test(text) ? text : refuse(value, path, 'a path on this server');
}

/** null and a missing key both mean "not known". */
export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null || value === undefined ? null : reader(value, path));
}
