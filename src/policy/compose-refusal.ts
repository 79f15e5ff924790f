import type { Place } from '../compose/compose-node.ts';
import { type ComposeCode, type ComposeParameter, type ComposeProblem, type ComposeWarning, type Edit, formatPath } from '../compose/compose-problem.ts';

/** Collects what is wrong with a file, each with its place and what to write instead. */
export class ComposeFindings {
  readonly problems: ComposeProblem[] = [];
  readonly warnings: ComposeWarning[] = [];

  /** A problem; without edits no machine can correct it. `parameter`: what has to be given for it to go away. */
  refuse(code: ComposeCode, { path, line }: Place, why: string, edits?: readonly Edit[], parameter?: ComposeParameter): void {
    this.problems.push({ code, path, line, text: `${formatPath(path)}: ${why}`, ...(edits === undefined ? {} : { edits }), ...(parameter === undefined ? {} : { parameter }) });
  }

  /** A value that is refused, and left out of a corrected file. */
  drop(place: Place, why: string, code: ComposeCode = 'compose.refused-value'): void {
    this.refuse(code, place, why, [{ do: 'remove', path: place.path }]);
  }

  warn({ path, line }: Place, text: string): void {
    this.warnings.push({ path, line, text: `${formatPath(path)}: ${text}` });
  }
}

/** Foreign text for a message: cut, in quotes, what is not plain ASCII escaped. */
export { quoted } from '../image/quoted.ts';

/** The name of a variable after the name of something in a file. */
export function variableName(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_').replace(/^(?=\d)/, '_');
}
