import { pino } from 'pino';

/** What the program may say about itself. Fields are data, never spliced into the text, so a line cannot be forged. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger whose every line carries `fields` (a job's id, say). */
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** One JSON object a line on standard error. Credentials that reach a field by accident are struck out. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    { level, base: null, redact: ['authorization', '*.authorization', 'headers.authorization', 'password', '*.password'] },
    pino.destination({ dest: 2, sync: true }),
  );
}
