import { readFile } from 'node:fs/promises';
import type { AskSession } from './ask-session.ts';

/** A parameter of the job that nobody else is to see: `SECRET.<NAME>`, `REGISTRY.<HOST>`. */
export interface Confidential {
  readonly name: string;
  readonly value: string;
}

/** Reads `NAME=FILE` words: the value is what the file has. Throws as `malformed` makes it where one is none, and an Error where a file cannot be read. */
export async function readConfidential(prefix: 'SECRET' | 'REGISTRY', words: readonly string[], malformed: (word: string) => Error): Promise<readonly Confidential[]> {
  return Promise.all(
    words.map(async (word) => {
      const equals = word.indexOf('=');
      if (equals < 1) throw malformed(word);
      const text = await readFile(word.slice(equals + 1), 'utf8');
      // a login is one line; a secret is its file, to the last byte
      return { name: `${prefix}.${word.slice(0, equals)}`, value: prefix === 'REGISTRY' ? text.replace(/\r?\n$/, '') : text };
    }),
  );
}

/** Throws an Error where the job list is somebody else's than the planner that the user has named: an offer is no reason to give secrets away. */
export function mustBeAtPlanner({ url }: AskSession, endpoint: string): void {
  if (new URL(endpoint).origin !== url.origin) throw new Error(`the job list that is offered is at ${new URL(endpoint).origin}, and what is secret goes to ${url.origin} alone: ask the planner there`);
}
