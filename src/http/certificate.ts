import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Logger } from '../logger.ts';

/** What a server shows, in PEM: the certificate with those between it and its root, and the key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Between two looks at the files (milliseconds). */
const LOOK = 5_000;

/** Throws an Error for the operator where the files cannot be read or do not belong together. */
export async function readCertificate({ certificate, key }: CertificateFiles): Promise<Certificate> {
  try {
    const [cert, secret] = await Promise.all([readFile(certificate, 'utf8'), readFile(key, 'utf8')]);
    createSecureContext({ cert, key: secret });
    return { cert, key: secret };
  } catch (error) {
    throw new Error(`the certificate ${certificate} with the key ${key} (listen.tls) cannot be used`, { cause: error });
  }
}

/**
 * Has new connections see new files, whoever replaces them; old connections keep what they have. Files that do not belong together (one
 * is replaced before the other) are told, and the old ones stay. Returns what ends the watch.
 */
export function followCertificate(server: Pick<TlsServer, 'setSecureContext'>, files: CertificateFiles, logger: Logger, every = LOOK): () => void {
  const reload = (): void => {
    readCertificate(files).then(
      (certificate) => {
        server.setSecureContext(certificate);
        logger.info({ certificate: files.certificate }, 'new connections see the new certificate');
      },
      (error: unknown) => logger.error({ err: error }, 'the new certificate cannot be used; the old one stays'),
    );
  };
  // by looking: tools that renew certificates replace files, links and folders
  for (const file of [files.certificate, files.key]) watchFile(file, { interval: every, persistent: false }, reload);
  return () => {
    for (const file of [files.certificate, files.key]) unwatchFile(file, reload);
  };
}
