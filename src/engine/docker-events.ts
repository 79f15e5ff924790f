import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { DockerCalls } from './docker-call.ts';
import { engineTime } from './docker-description.ts';
import { engineUnavailable } from './docker-errors.ts';

const eventSchema = z.object({ Action: z.string(), Actor: z.object({ ID: z.string() }) });

/**
 * Whether the engine remembers that it has made this container. It forgets the latest few hundred events with its own end; so
 * yes means that it has been up ever since, and knows whether the container was started. No means that this cannot be said: it was
 * restarted, or so much has happened since that the making is no longer among the latest. Nothing else in its API tells since when it is up.
 * Throws EngineUnavailable.
 */
export function remembersCreation(calls: DockerCalls, containerId: string): Promise<boolean> {
  return remembers(calls, containerId, ['create']);
}

/** The same where the name was changed before the start: that is later, and so longer remembered. */
export function remembersNaming(calls: DockerCalls, containerId: string): Promise<boolean> {
  return remembers(calls, containerId, ['create', 'rename']);
}

async function remembers(calls: DockerCalls, containerId: string, actions: readonly string[]): Promise<boolean> {
  const now = engineTime((await calls.ask('GET', '/info')).body);
  // without an end that has passed the engine would go on telling
  const query = { since: 1, until: now / 1000, filters: { type: ['container'], container: [containerId], event: actions } };
  const said = await buffer(await calls.open('GET', '/events', { query })).catch((error: unknown) => {
    throw engineUnavailable(error);
  });
  return said
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .some((line) => {
      const event = eventSchema.safeParse(parsed(line));
      return event.success && actions.includes(event.data.Action) && event.data.Actor.ID === containerId;
    });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
