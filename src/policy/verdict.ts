import type { UnacceptableCode } from '../image/image-unacceptable.ts';
import type { Decision } from '../task/decision.ts';
import type { Digest } from '../image/digest.ts';
import type { PinnedProject } from '../task/project.ts';
import type { PinnedTask, OfferedResources } from '../task/task.ts';
import type { RefusalCode } from './refusal-codes.ts';

/** One reason for a NO: a stable code, where in the request it lies, and what would have to change. */
export interface Reason {
  /** Stable, for programs: one of refusal-codes.ts or image/image-unacceptable.ts. */
  readonly code: string;
  /** Member of the task: `image`, `command`, `env.NAME`, `resources.cores`, `resources.memory`. */
  readonly path: string;
  /** For a person: what is wrong and what would make it right. */
  readonly text: string;
  /** Name of the rule that refused, where one did. */
  readonly rule?: string;
}

/** A reason as one check gives it; the rule's name is added by who asked. */
export interface Finding extends Omit<Reason, 'rule'> {
  readonly code: RefusalCode | UnacceptableCode;
}

/** The judge's answer. A yes always carries digests, so that what was judged is what runs. */
export type Verdict =
  | {
      readonly accepted: true;
      readonly task: PinnedTask;
      readonly decision: Decision;
      /** What would be refused if the rule's mode were `require` and not `warn`. */
      readonly warnings?: readonly Reason[];
    }
  | {
      readonly accepted: false;
      readonly reasons: readonly Reason[];
      readonly decision: Decision;
      /** The most that one task can have under the rule that decided, where one did. */
      readonly offered?: OfferedResources;
    };

/** A reason, or a warning, with its line in the file (0 = nowhere in particular). Its path is one of the file: `services.web.ports[0]`. */
export interface ProjectReason extends Reason {
  readonly line: number;
}

/** A value that a file leaves open. */
export interface ProjectParameter {
  readonly name: string;
  /** `image`: an image that the site accepts; `text`: any text; `secret`: any text, as a parameter of the job that nobody is shown. */
  readonly kind: 'image' | 'text' | 'secret';
  /** Named like something that others should not see. */
  readonly secret: boolean;
}

/** What would be accepted in the place of a file that was not. */
export interface ProjectOffer {
  /** The whole file, corrected; the file as it came where only parameters are missing. */
  readonly file: string;
  /** What was changed, one by one. */
  readonly changes: readonly { readonly path: string; readonly text: string }[];
  /** To be filled in before it is accepted. */
  readonly parameters: readonly ProjectParameter[];
}

/** The judge's answer to a compose file. */
export type ProjectVerdict = {
  /** Of the text that was judged. */
  readonly digest: Digest;
  readonly decision: Decision;
  readonly warnings: readonly ProjectReason[];
} & (
  | { readonly accepted: true; readonly project: PinnedProject }
  | {
      readonly accepted: false;
      readonly reasons: readonly ProjectReason[];
      /** What would be accepted instead; absent where a change of the file alone does not help. */
      readonly offer?: ProjectOffer;
    }
);
