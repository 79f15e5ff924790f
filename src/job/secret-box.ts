import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Digest } from '../image/digest.ts';

const CIPHER = 'aes-256-gcm';
/** Bytes of the nonce, and of the tag that proves that nothing was changed. */
const NONCE = 12;
const TAG = 16;

/** Closes values that nobody may read, with a key that only this site has. */
export class SecretBox {
  readonly #seal: Buffer;
  readonly #print: Buffer;

  /** `key`: 32 bytes of chance; a key of its own for each purpose is derived from it. */
  constructor(key: Buffer) {
    this.#seal = Buffer.from(hkdfSync('sha256', key, '', 'pratique secrets at rest', 32));
    this.#print = Buffer.from(hkdfSync('sha256', key, '', 'pratique fingerprints', 32));
  }

  /** The value, encrypted; good for this job and this name alone. */
  seal(jobId: string, name: string, value: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, this.#seal, nonce).setAAD(belongs(jobId, name));
    const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
  }

  /** The value that was sealed; undefined where the key is another one now, or it is not this job's. */
  open(jobId: string, name: string, sealed: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv(CIPHER, this.#seal, bytes.subarray(0, NONCE), { authTagLength: TAG }).setAAD(belongs(jobId, name));
      decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  /** The same for the same texts; says nothing of them, not even to who guesses, without the key. */
  fingerprint(texts: readonly string[]): Digest {
    return `sha256:${createHmac('sha256', this.#print).update(JSON.stringify(texts)).digest('hex')}`;
  }
}

/** As JSON, so that no two pairs are the same text. */
function belongs(jobId: string, name: string): Buffer {
  return Buffer.from(JSON.stringify([jobId, name]));
}
