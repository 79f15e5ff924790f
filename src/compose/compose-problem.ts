import { quoted } from '../image/quoted.ts';

/** Stable codes of what can be wrong with a compose file, as answers show them, and the general meaning of each. */
export const COMPOSE_PROBLEMS = {
  'compose.unreadable': 'The file is not YAML, is too large, too deep, or refers to itself',
  'compose.form': 'A value does not have the form that its key asks for',
  'compose.unknown-key': 'The key is not one of the Compose Specification',
  'compose.refused-key': 'The key reaches the host, another project or the network, and is refused whatever its value',
  'compose.refused-value': 'The value reaches the host, another project or the network, or is outside what this site allows',
  'compose.variable': 'A variable is used in a way that is none',
  'compose.missing-variable': 'A variable has no value: it has to be given with the request',
  'compose.missing-secret': 'A secret has no value: it has to be given with the job',
  'compose.reference': 'The file refers to something that it does not define, or to itself in a circle',
  'compose.build': 'An image would have to be built; only images from a registry can be judged',
  'compose.image': 'A service names no image',
  'compose.bind-mount': 'A folder of the host would be mounted',
  'compose.volume': 'A volume is not one of the file, or not of a kind that a job can have',
  'compose.host-port': 'A port of the host would be taken',
  'compose.network': 'A network is not one of the file, or not of a kind that a job can have',
  'compose.external': 'Something outside the file is referred to that this site does not offer to compose files',
  'compose.size': 'There are more services, containers, variables or bytes than this site takes in one file',
  'compose.resources': 'The services together ask for more than one job can have',
} as const;

export type ComposeCode = keyof typeof COMPOSE_PROBLEMS;

/** Where in a file: names of members, indices of items. */
export type ComposePath = readonly (string | number)[];

/** A value to write into a file. */
export type Written = string | number | boolean | null | readonly Written[] | { readonly [name: string]: Written };

/**
 * One change of a file that would make a problem go away. `add` does nothing where there is something already; `append` makes the
 * list where there is none.
 */
export type Edit =
  | { readonly do: 'remove'; readonly path: ComposePath }
  | { readonly do: 'set'; readonly path: ComposePath; readonly value: Written }
  | { readonly do: 'add'; readonly path: ComposePath; readonly value: Written }
  | { readonly do: 'append'; readonly path: ComposePath; readonly value: Written };

/** A value that a file leaves open. */
export interface ComposeParameter {
  /** Name of the variable; of a secret that of the parameter, `SECRET.<NAME>`. */
  readonly name: string;
  /** `image`: stands for a whole image name. `text`: any text will do. `secret`: any text, which nobody is shown. `other`: part of something that is judged once it is known. */
  readonly kind: 'image' | 'text' | 'secret' | 'other';
  /** Named like something that others should not see. */
  readonly secret: boolean;
}

/** One thing that is wrong with a compose file, where, and what to write instead. */
export interface ComposeProblem {
  readonly code: ComposeCode;
  readonly path: ComposePath;
  /** Line of the file, from 1; 0 = nowhere in particular. */
  readonly line: number;
  /** For a person: what is wrong and what would make it right. */
  readonly text: string;
  /** What would be written instead, where a machine can tell. */
  readonly edits?: readonly Edit[];
  /** Of compose.missing-variable and compose.missing-secret. */
  readonly parameter?: ComposeParameter;
}

/** Something that is taken, but not acted on or not as it would be elsewhere. */
export interface ComposeWarning {
  readonly path: ComposePath;
  readonly line: number;
  readonly text: string;
}

/** A file that cannot be looked at at all; carries all that is known of why. */
export class ComposeUnreadable extends Error {
  override readonly name = 'ComposeUnreadable';
  readonly problems: readonly ComposeProblem[];

  constructor(problems: readonly ComposeProblem[]) {
    super(problems.map(({ text }) => text).join('; '));
    this.problems = problems;
  }
}

/** `services.webapp.ports[0]`; names that are no plain names in quotes, so that foreign text cannot forge a line. */
export function formatPath(path: ComposePath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${String(part)}]`;
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/.test(part)) return `${text}[${quoted(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
