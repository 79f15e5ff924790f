/** Capabilities that a rule can give to root in a container: what installers and servers of old need, and nothing that reaches the host. Without CAP_. */
export const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETUID'] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** What a rule gives a container that others do not have. What is absent is as for all. */
export interface Relaxations {
  /** The root file system can be written, on the engine's disk. */
  readonly writableRoot?: true;
  readonly capabilities?: readonly Capability[];
  /** It runs as root: `apart` = only where that is not root of the engine's host, `host` = there too. */
  readonly root?: 'apart' | 'host';
  /** One of the site's network profiles, by its name. */
  readonly network?: string;
  /** One of the engine's runtimes, by its name. */
  readonly runtime?: string;
  /** Graphics processors: the most that a rule gives; of a judged task, those that it has asked for. */
  readonly gpus?: number;
}

/** What the rule gives this task: graphics processors only as many as it asks for. */
export function relaxationsFor(given: Relaxations | undefined, gpus: number | undefined): Relaxations | undefined {
  if (given?.gpus === undefined) return given;
  const { gpus: most, ...others } = given;
  const relaxed = gpus === undefined || gpus === 0 ? others : { ...others, gpus: Math.min(gpus, most) };
  return Object.keys(relaxed).length === 0 ? undefined : relaxed;
}

/** Each by itself, as decisions tell it; a user that the rule names is one of them. */
export function relaxationLines({ writableRoot, capabilities, root, network, runtime, gpus }: Relaxations, user: string | undefined): readonly string[] {
  return [
    ...(user === undefined ? [] : [`user ${user}`]),
    ...(root === 'host' ? ['root of the host'] : []),
    ...(writableRoot === undefined ? [] : ['writable root']),
    ...(capabilities ?? []).map((name) => `capability ${name}`),
    ...(network === undefined ? [] : [`network ${network}`]),
    ...(runtime === undefined ? [] : [`runtime ${runtime}`]),
    ...(gpus === undefined ? [] : [`GPUs ${String(gpus)}`]),
  ];
}
