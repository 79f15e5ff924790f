import type { Readable } from 'node:stream';

/** One line of a log, and where it ends. */
export interface LogLine {
  /** Without its line end; what is not UTF-8 is replaced. */
  readonly text: string;
  /** Bytes from the beginning of the log to the end of this line. */
  readonly end: number;
}

/** Longer lines are cut into several (bytes): a job may write without ever ending a line. */
const LONGEST = 64 * 1024;

const LF = 0x0a;

/** The lines of a log from `start` (bytes) on; the last one also without a line end. */
export async function* linesFrom(log: Readable, start: number): AsyncGenerator<LogLine> {
  let seen = 0;
  let end = start;
  let rest = Buffer.alloc(0);
  for await (const chunk of log as AsyncIterable<Buffer>) {
    const fresh = chunk.subarray(Math.max(0, start - seen));
    seen += chunk.length;
    rest = Buffer.concat([rest, fresh]);
    for (let cut = cutOf(rest); cut > 0; cut = cutOf(rest)) {
      end += cut;
      yield { text: textOf(rest.subarray(0, cut)), end };
      rest = rest.subarray(cut);
    }
  }
  if (rest.length > 0) yield { text: textOf(rest), end: end + rest.length };
}

/** Bytes of the first line with its end, 0 while it has none. */
function cutOf(bytes: Buffer): number {
  const lf = bytes.indexOf(LF);
  if (lf !== -1 && lf < LONGEST) return lf + 1;
  return bytes.length >= LONGEST ? LONGEST : 0;
}

function textOf(line: Buffer): string {
  return line.toString('utf8').replace(/\r?\n$/, '');
}
