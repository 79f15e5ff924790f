import type { PinnedRestart } from '../task/project.ts';

/** Restarts of one container in one job, at most. */
export const MOST_RESTARTS = 10;

const ON_FAILURE = /^on-failure(?::(\d{1,6}))?$/;

/** What a service says of its restarts; undefined where it is none, or none that there is. Where nobody says how many: as many as may be. */
export function restartOf(text: string | undefined): PinnedRestart | undefined {
  if (text === 'always' || text === 'unless-stopped') return { always: true, most: MOST_RESTARTS };
  const match = ON_FAILURE.exec(text ?? '');
  return match === null ? undefined : { always: false, most: match[1] === undefined ? MOST_RESTARTS : Number(match[1]) };
}
