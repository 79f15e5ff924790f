/** A document that came as an uploaded part: parsed only by who wants to know what is in it. */
export class UploadedDocument {
  readonly text: string;
  /** As the client says, in lower case. */
  readonly mediaType: string;

  constructor(text: string, mediaType: string) {
    this.text = text;
    this.mediaType = mediaType;
  }
}

/**
 * Anything that a request can say, whatever its format. Numbers and booleans are text, as they are in a query: `1.10` stays
 * `1.10`, and who needs a number reads one.
 */
export type Value = null | string | UploadedDocument | readonly Value[] | Branch;

/** Members by name. Has no prototype, so that no name means anything by itself. */
export interface Branch {
  readonly [name: string]: Value;
}

/** Something of a request that was not used, or not as it was meant. */
export interface Warning {
  /** Stable, for programs: `taskinfo.unknown` … */
  readonly code: string;
  readonly path: string;
  readonly text: string;
}

/** What a request says beyond its task type; only looked at when somebody here takes tasks of that type (note §3.5). */
export interface Details {
  readonly taskinfo: Branch;
  readonly resources: Branch;
  readonly warnings: readonly Warning[];
  /** The planners that this question has come through. */
  readonly via: readonly string[];
}

/** A question as read: the details of a task type that nobody here takes are not read at all. */
export interface Question {
  readonly tasktype: string;
  readonly details: Details | undefined;
}

/** No members. */
export const EMPTY: Branch = Object.freeze(Object.create(null) as Branch);

/** Whether a value has members. */
export function isBranch(value: Value | undefined): value is Branch {
  return typeof value === 'object' && value !== null && !isList(value) && !(value instanceof UploadedDocument);
}

/** Whether a value is a list. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}
