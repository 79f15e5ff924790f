import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import type { Instant } from '../clock.ts';

/** Bytes of the key. */
const KEY = 32;

/** Signs links to results with a key that only this site has (HMAC-SHA256). A new key is the end of all links there are. */
export class SignedLinks {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Over the id of the job, of the result, and the instant (milliseconds) until which it is good. */
  sign(jobId: string, resultId: string, expires: Instant): string {
    // as JSON, so that no two different lists of parts are the same text
    return createHmac('sha256', this.#key).update(JSON.stringify(['result', jobId, resultId, expires])).digest('base64url');
  }

  /** Takes as long whatever the signature is. */
  isSigned(jobId: string, resultId: string, expires: Instant, signature: string): boolean {
    const [right, given] = [Buffer.from(this.sign(jobId, resultId, expires)), Buffer.from(signature)];
    return right.length === given.length && timingSafeEqual(right, given);
  }
}

/** The key in this file, which is made where there is none, readable for its owner only. Throws where it cannot be read or is no key. */
export async function siteKey(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(randomBytes(KEY));
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = await readFile(file);
  if (key.length !== KEY) throw new Error(`${file} is no key of ${String(KEY)} bytes; remove it, and a new one is made`);
  return key;
}
