/** A credential that is not accepted, and why, in words that its owner may read and that quote nothing of it. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}
