import { GatewayError } from '../errors.ts';
import { type Branch, isBranch, isList, type Value } from './question.ts';

/** Path of a dotted name at most; and names of one request at most. */
const MAX_DEPTH = 8;
const MAX_NAMES = 200;

/** What a tree is made of while it grows. */
type Growing = Record<string, Value>;

/**
 * Members from dotted names (`taskinfo.image`, note §3.5): each name is a path. Nothing is overwritten: what cannot be both is
 * refused.
 */
export class FieldTree {
  readonly #root = Object.create(null) as Growing;
  #names = 0;

  get root(): Branch {
    return this.#root;
  }

  /**
   * Puts a value at the place that `name` says. The same name again makes a list, as does `name[]`. Throws BadRequest for a name
   * that is no path, is too deep, or contradicts an earlier one.
   */
  add(name: string, value: Value): void {
    this.#names += 1;
    if (this.#names > MAX_NAMES) throw new GatewayError('BadRequest', `more than ${String(MAX_NAMES)} names`);
    const asList = name.endsWith('[]');
    const path = pathOf(asList ? name.slice(0, -2) : name);
    const last = path.pop() ?? '';
    let branch = this.#root;
    for (const member of path) branch = branchOf(branch, member, name);
    const present = branch[last];
    if (present === undefined) branch[last] = asList ? [value] : value;
    else if (isBranch(present) || isBranch(value)) throw conflict(name);
    else branch[last] = [...(isList(present) ? present : [present]), value];
  }
}

function branchOf(branch: Growing, member: string, name: string): Growing {
  const present = branch[member];
  if (present === undefined) return (branch[member] = Object.create(null) as Growing);
  if (!isBranch(present)) throw conflict(name);
  return present;
}

function conflict(name: string): GatewayError {
  return new GatewayError('BadRequest', `${shown(name)} contradicts another name of the request: one of them says a value, the other its members`, { path: name.slice(0, 100) });
}

/** Line breaks and blanks within a name come from examples that were folded on paper. */
function pathOf(name: string): string[] {
  const path = name.replace(/\s+/g, '').split('.');
  if (path.includes('')) {
    throw new GatewayError('BadRequest', `${shown(name)} is no path: there is nothing between or after its dots (was the name broken over two lines?)`, { path: name.slice(0, 100) });
  }
  if (path.length > MAX_DEPTH) throw new GatewayError('BadRequest', `${shown(name)} has more than ${String(MAX_DEPTH)} members`);
  return path;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
