import { createHash } from 'node:crypto';

/** In hexadecimal digits. */
export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
