import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { DockerCalls } from './docker-call.ts';
import { engineTime } from './docker-description.ts';
import { engineUnavailable } from './docker-errors.ts';
import type { Exit } from './engine.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

/** As an exit code: SIGKILL, the kernel's for want of memory or anybody's. */
const KILLED = 137;

/** How long after the end of a program the kernel's word on it may come (milliseconds). */
const LATE = 1_000;

const eventSchema = z.object({ Action: z.string(), Actor: z.object({ ID: z.string() }) });

/**
 * Whether the engine remembers that it has made this container. It forgets the latest few hundred events with its own end; so
 * yes means that it has been up ever since, and knows whether the container was started. No means that this cannot be said: it was
 * restarted, or so much has happened since that the making is no longer among the latest. Nothing else in its API tells since when it is up.
 * Throws EngineUnavailable.
 */
export async function remembersCreation(calls: DockerCalls, containerId: string): Promise<boolean> {
  return (await remembered(calls, containerId)).has('create');
}

/** The same where the name was changed before the start: that is later, and so longer remembered. */
export async function remembersNaming(calls: DockerCalls, containerId: string): Promise<boolean> {
  const actions = await remembered(calls, containerId);
  return actions.has('create') || actions.has('rename');
}

/**
 * Takes a container away of which the engine knows that it was never started, so that nobody can start it any more. False where it does
 * not know that. One that is started, or removed by others, at this moment is left as it is. Throws EngineUnavailable, DockerStatusError.
 */
export async function removeUnstarted(calls: DockerCalls, containerId: string): Promise<boolean> {
  const neverStarted = async (): Promise<boolean> => {
    const actions = await remembered(calls, containerId);
    return actions.has('create') && !actions.has('start');
  };
  if (!(await neverStarted())) return false;
  // without force: the engine itself refuses to remove what runs
  const { status } = await calls.ask('DELETE', `/containers/${containerId}`, { query: { v: true }, accept: [NOT_FOUND, CONFLICT] });
  // it may have been started between the two, and over already
  return status === NOT_FOUND || status === CONFLICT || neverStarted();
}

/**
 * The exit of these containers, with the kernel's word on their memory where the engine has not taken it in: the two come to it apart, and
 * it marks a container only if the word is there before the end. Throws EngineUnavailable, and the signal's reason.
 */
export async function exitWithMemory(calls: DockerCalls, exit: Exit, containers: readonly string[], signal: AbortSignal): Promise<Exit> {
  if (exit.code !== KILLED || exit.outOfMemory) return exit;
  const told = await Promise.all(containers.map((container) => eventsOf(calls, container, ['oom'], LATE, signal)));
  return told.some((events) => events.has('oom')) ? { ...exit, outOfMemory: true } : exit;
}

/** What the engine remembers to have done with the container. */
function remembered(calls: DockerCalls, containerId: string): Promise<ReadonlySet<string>> {
  return eventsOf(calls, containerId, ['create', 'rename', 'start'], 0);
}

/** Which of these events the container has had, as far as the engine remembers; those of the next `wait` milliseconds are waited for. */
async function eventsOf(calls: DockerCalls, containerId: string, event: readonly string[], wait: number, signal?: AbortSignal): Promise<ReadonlySet<string>> {
  const now = engineTime((await calls.ask('GET', '/info', { signal })).body);
  // without an end the engine would go on telling for ever
  const query = { since: 1, until: (now + wait) / 1000, filters: { type: ['container'], container: [containerId], event } };
  const said = await buffer(await calls.open('GET', '/events', { query, signal })).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw engineUnavailable(error);
  });
  const events = said
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => eventSchema.safeParse(parsed(line)));
  return new Set(events.flatMap(({ data }) => (data?.Actor.ID === containerId ? [data.Action] : [])));
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
