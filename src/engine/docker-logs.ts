import { engineUnavailable } from './docker-errors.ts';

const HEADER = 8;
const STREAMS = { stdout: 1, stderr: 2 } as const;
/** The engine writes frames of 16 kB, with the local log driver of at most 1 MiB; a longer one is no frame. */
const LONGEST_FRAME = 64 * 2 ** 20;

/**
 * The payload of one stream out of the engine's multiplexed one (frames of `[kind, 0, 0, 0, length as uint32 BE]`), passed on as
 * it comes: a frame is never collected, so memory does not grow with it. Throws EngineUnavailable when the stream is cut in
 * a frame or is none.
 */
export async function* demultiplexed(source: AsyncIterable<unknown>, stream: keyof typeof STREAMS): AsyncGenerator<Uint8Array> {
  let head: Buffer = Buffer.alloc(0);
  let left = 0;
  let wanted = false;
  for await (const piece of unbroken(source)) {
    let chunk = Buffer.from(piece as Uint8Array);
    while (chunk.length > 0) {
      if (left > 0) {
        const part = chunk.subarray(0, left);
        chunk = chunk.subarray(part.length);
        left -= part.length;
        if (wanted) yield part;
        continue;
      }
      const missing = HEADER - head.length;
      head = Buffer.concat([head, chunk.subarray(0, missing)]);
      chunk = chunk.subarray(missing);
      if (head.length < HEADER) break;
      ({ left, wanted } = readHeader(head, STREAMS[stream]));
      head = Buffer.alloc(0);
    }
  }
  if (left > 0 || head.length > 0) throw engineUnavailable(undefined, 'the log of the container broke off');
}

/** A connection that is lost is the engine's outage, whatever Node calls it. */
async function* unbroken(source: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  try {
    yield* source;
  } catch (error) {
    throw engineUnavailable(error);
  }
}

function readHeader(head: Buffer, kind: number): { left: number; wanted: boolean } {
  const left = head.readUInt32BE(4);
  const known = (head[0] ?? 255) <= 2 && head[1] === 0 && head[2] === 0 && head[3] === 0;
  if (!known || left > LONGEST_FRAME) throw engineUnavailable(undefined, 'the container engine gave a log that is none');
  return { left, wanted: head[0] === kind };
}
