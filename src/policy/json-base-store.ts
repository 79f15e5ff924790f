import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { isDigest, type Digest } from '../image/digest.ts';
import type { BaseSighting } from './base-sighting.ts';
import type { BaseStore } from './base-store.ts';

const digest = z.custom<Digest>(isDigest);
const sighting = z.strictObject({
  reference: z.string().max(1024),
  platform: z.strictObject({ os: z.string(), architecture: z.string(), variant: z.string() }),
  tagDigest: digest,
  manifestDigest: digest,
  configDigest: digest,
  diffIds: z.array(digest).min(1),
  path: z.string().nullable(),
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  firstSeen: z.int(),
  lastSeen: z.int(),
});
const file = z.strictObject({ version: z.literal(1), sightings: z.array(sighting) });

/** One JSON file, replaced as a whole. Whoever can write it approves bases: it is the gateway's alone (mode 0600). */
export class JsonBaseStore implements BaseStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<readonly BaseSighting[]> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    try {
      return file.parse(JSON.parse(text)).sightings;
    } catch (error) {
      // Guessing would approve what nobody approved.
      throw new Error(`${this.#path} is not a file of base sightings; restore it, or remove it to forget every digest but the present ones`, {
        cause: error,
      });
    }
  }

  async save(sightings: readonly BaseSighting[]): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    const written = `${this.#path}.new`;
    const handle = await open(written, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ version: 1, sightings })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(written, this.#path);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
