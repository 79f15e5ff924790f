/** What of the data folder is in a backup; everything else there can be made again, or belongs to the process that runs. */
export const FILES = ['jobs.db', 'link-key', 'bases.json', 'audit.jsonl'] as const;

export const RESULTS = 'results';

/** The last entry of an archive: the SHA-256 of every other, so that one that was cut off is seen to be. */
export const SUMS = 'SHA256SUMS';

/** The names of entries; nothing else is ever written by a restore. */
export const ENTRY = /^(?:jobs\.db|link-key|bases\.json|audit\.jsonl|results\/(?:[a-z]+-)?[0-9a-f-]{36}\/[0-9a-f]{64})$/;
