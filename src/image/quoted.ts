/** Long enough to recognise what is meant, short enough for a log line. */
const LONGEST = 120;

/**
 * Foreign text for a message: in double quotes, at most 120 characters, everything outside printable ASCII escaped, so
 * that it can neither forge a line nor turn the reading direction.
 */
export function quoted(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  // JSON escapes quotes and control characters; the rest of what is not ASCII follows here, the ellipsis excepted.
  return JSON.stringify(cut).replace(/[\u007f-\uffff]/g, (c, at: number, all: string) =>
    c === '…' && at === all.length - 2 ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
