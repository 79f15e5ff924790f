import type { Instant } from '../clock.ts';
import type { DockerCalls } from './docker-call.ts';
import { parseContainer } from './docker-inspect.ts';

const NOT_FOUND = 404;
const CONFLICT = 409;

/** What is remembered of a container at the end of its name: that can be changed, a label cannot. */
export interface Marks {
  /** It was about to be started after the project's first ones. */
  readonly asked: boolean;
  /** Times it was, or was about to be, started once more. */
  readonly restarts: number;
  /** When it had been started before the latest of them, as startMark has it; absent = it was not. */
  readonly since?: string | undefined;
  /** It is not to be started any more. */
  readonly held: boolean;
}

const MARKS = /(\.asked(?:-(\d+))?)?(?:\.again-(\d+)(?:-([0-9a-z]+))?)?(\.held)?$/;

/** The instant of a start, short enough for a name. */
export function startMark(startedAt: Instant | undefined): string {
  return Math.floor(startedAt ?? 0).toString(36);
}

/** What a container's name says. */
export function marksOf(name: string): Marks {
  const [, asked, , again, since, held] = MARKS.exec(name) ?? [];
  return { asked: asked !== undefined, restarts: Number(again ?? 0), since, held: held !== undefined };
}

/**
 * The name with other marks, all others kept. `asked` is another name each time, `.asked`, `.asked-2`: the engine remembers the latest
 * naming for a while only, and a start that was broken off is asked for again.
 */
export function marked(name: string, change: Partial<Marks>): string {
  const [, before, count = '1'] = MARKS.exec(name) ?? [];
  const { asked, restarts, since, held } = { ...marksOf(name), ...change };
  const again = before === undefined ? '.asked' : change.asked === true ? `.asked-${String(Number(count) + 1)}` : before;
  return `${name.replace(MARKS, '')}${asked ? again : ''}${restarts > 0 ? `.again-${String(restarts)}${since === undefined ? '' : `-${since}`}` : ''}${held ? '.held' : ''}`;
}

/** Changes the names of containers, each by one at a time: who writes a name that he has read earlier takes another's mark away. */
export class ProjectMarks {
  readonly #calls: DockerCalls;
  readonly #last = new Map<string, Promise<void>>();

  constructor(calls: DockerCalls) {
    this.#calls = calls;
  }

  /** None there = done. Throws DockerStatusError where the mark cannot be set. */
  async set(container: string, change: Partial<Marks>): Promise<void> {
    const before = this.#last.get(container) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(() => this.#set(container, change));
    this.#last.set(container, done);
    try {
      await done;
    } finally {
      if (this.#last.get(container) === done) this.#last.delete(container);
    }
  }

  async #set(container: string, change: Partial<Marks>): Promise<void> {
    const { body } = await this.#calls.ask('GET', `/containers/${container}/json`, { accept: [NOT_FOUND] });
    if (body === undefined) return;
    const name = parseContainer(body).Name.replace(/^\//, '');
    const changed = marked(name, change);
    if (changed === name) return;
    // one that is being removed needs no hold; but what counts must be written
    await this.#calls.ask('POST', `/containers/${container}/rename`, { query: { name: changed }, accept: change.held === true ? [NOT_FOUND, CONFLICT] : [NOT_FOUND] });
  }
}
