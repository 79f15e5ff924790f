import { EVENT_ID, getScalarValue, type parseEvents, SCALAR_STYLE } from 'js-yaml';

type Events = ReturnType<typeof parseEvents>;
type Event = Events[number];

/** Where things stand in a text: the same shape as its values, with lines instead of them. */
export interface Outline {
  readonly line: number;
  readonly members: ReadonlyMap<string, Outline>;
  /** What `<<` brings in, the first of them first. */
  readonly merged: readonly Outline[];
  readonly items: readonly Outline[];
  /** Written elsewhere, under an anchor. */
  readonly aliased: boolean;
  /** Of a text without quotes, its characters. */
  readonly plain?: string;
}

interface Growing {
  line: number;
  members: Map<string, Outline>;
  merged: Outline[];
  items: Outline[];
  aliased: boolean;
  plain?: string;
}

/** The outline of the one document that these events of `text` describe. */
export function outlineOf(text: string, events: Events): Outline {
  return new Reader(text, events).document();
}

/** The outline of a member, also where a merge key brings it in. */
export function outlineOfMember(outline: Outline | undefined, name: string): Outline | undefined {
  if (outline === undefined) return undefined;
  const own = outline.members.get(name);
  if (own !== undefined) return own;
  for (const source of outline.merged) {
    const found = outlineOfMember(source, name);
    if (found !== undefined) return { ...found, aliased: true };
  }
  return undefined;
}

/** Reads events one after the other; collections end with a POP of their own. */
class Reader {
  readonly #text: string;
  readonly #events: Events;
  readonly #starts: readonly number[];
  readonly #anchors = new Map<string, Growing>();
  #next = 0;

  constructor(text: string, events: Events) {
    this.#text = text;
    this.#events = events;
    this.#starts = lineStarts(text);
  }

  document(): Outline {
    this.#next = 1;
    return this.#node(1);
  }

  #node(line: number): Growing {
    const event = this.#take();
    const node: Growing = { line, members: new Map(), merged: [], items: [], aliased: false };
    if (event === undefined || event.type === EVENT_ID.POP || event.type === EVENT_ID.DOCUMENT) return node;
    if (event.type === EVENT_ID.ALIAS) {
      const target = this.#anchors.get(this.#name(event));
      return target === undefined ? node : { ...target, line, aliased: true };
    }
    if (event.anchorStart !== -1) this.#anchors.set(this.#name(event), node);
    if (event.type === EVENT_ID.SCALAR && event.style === SCALAR_STYLE.PLAIN) node.plain = getScalarValue(this.#text, event);
    if (event.type === EVENT_ID.SEQUENCE) this.#items(node);
    if (event.type === EVENT_ID.MAPPING) this.#members(node);
    return node;
  }

  #items(node: Growing): void {
    while (this.#peek() !== EVENT_ID.POP && this.#peek() !== undefined) node.items.push(this.#node(this.#lineHere(node.line)));
    this.#next += 1;
  }

  #members(node: Growing): void {
    while (this.#peek() !== EVENT_ID.POP && this.#peek() !== undefined) {
      const line = this.#lineHere(node.line);
      const key = this.#events[this.#next];
      const name = key?.type === EVENT_ID.SCALAR ? getScalarValue(this.#text, key) : undefined;
      const merges = name === '<<' && key?.type === EVENT_ID.SCALAR && key.style === SCALAR_STYLE.PLAIN;
      this.#node(line);
      const value = this.#node(line);
      if (merges) node.merged.push(...(value.items.length > 0 ? value.items : [value]));
      else if (name !== undefined) node.members.set(name, value);
    }
    this.#next += 1;
  }

  #take(): Event | undefined {
    return this.#events[this.#next++];
  }

  #peek(): Event['type'] | undefined {
    return this.#events[this.#next]?.type;
  }

  #name({ anchorStart, anchorEnd }: { readonly anchorStart: number; readonly anchorEnd: number }): string {
    return this.#text.slice(anchorStart, anchorEnd);
  }

  /** The line on which the next event begins; what is empty stands nowhere, and is taken to be where its parent is. */
  #lineHere(otherwise: number): number {
    const event = this.#events[this.#next];
    const offset = event === undefined ? -1 : offsetOf(event);
    return offset < 0 ? otherwise : lineAt(this.#starts, offset);
  }
}

function offsetOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE ? event.start : -1;
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The line that holds this offset, from 1. */
function lineAt(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}
