import ts from 'typescript';
import type { Mutant } from './switches.ts';

/** Under this name the switches are found by instrumented sources. */
const GLOBAL = 'globalThis.mutationSwitches';
/** Statements that are a rule: something is refused or warned of, or a function of rules is asked. */
const RULES = /^(?:findings\.(?:refuse|drop|warn)|this\.#(?:warn|refuse|unknown|badName)|drop|agree|judgeKeys|\w+Rules?|imagelessServices)$/;

/** A source in which every rule can be taken out while it runs, and what there is to take out. */
export interface Instrumented {
  readonly text: string;
  readonly mutants: readonly Mutant[];
}

/**
 * Finds the rules of a source by their form: the statements that refuse, the operands of the conditions before them (one of several
 * for which something is refused, or for which it is not), and the elements of the sets of what is taken.
 */
export function instrument(file: string, text: string): Instrumented {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const mutants: Mutant[] = [];
  const edits: { readonly start: number; readonly end: number; readonly before: string; readonly after: string }[] = [];
  const around = (node: ts.Node, before: string, after: string): void => void edits.push({ start: node.getStart(source), end: node.getEnd(), before, after });
  const rule = (node: ts.Node, what = node.getText(source)): string => {
    const place = `${file}:${String(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1)}`;
    const id = `${file} ${String(node.getStart(source))} ${what}`;
    mutants.push({ id, place, what: what.replaceAll(/\s+/g, ' ') });
    return JSON.stringify(id);
  };

  const conditions = (node: ts.Expression, negated: boolean): void => {
    if (ts.isParenthesizedExpression(node)) conditions(node.expression, negated);
    else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) conditions(node.operand, !negated);
    else if (ts.isBinaryExpression(node) && [ts.SyntaxKind.BarBarToken, ts.SyntaxKind.AmpersandAmpersandToken].includes(node.operatorToken.kind)) {
      // Taken out, the rule refuses less: one alternative of what is refused, or one condition of what is not.
      const counts = (node.operatorToken.kind === ts.SyntaxKind.BarBarToken) !== negated;
      for (const operand of [node.left, node.right]) {
        conditions(operand, negated);
        const inner = ts.isParenthesizedExpression(operand) ? operand.expression : operand;
        if (!counts || (ts.isBinaryExpression(inner) && inner.operatorToken.kind === node.operatorToken.kind)) continue;
        if (negated) around(operand, `(!${GLOBAL}.keep(${rule(operand)}) || `, ')');
        else around(operand, `(${GLOBAL}.keep(${rule(operand)}) && `, ')');
      }
    }
  };

  const visit = (node: ts.Node): void => {
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression) && RULES.test(node.expression.expression.getText(source))) {
      around(node, `{ if (${GLOBAL}.keep(${rule(node)})) `, ' }');
    }
    if (ts.isIfStatement(node) && refuses(node.thenStatement, source)) conditions(node.expression, false);
    if (ts.isNewExpression(node) && node.expression.getText(source) === 'Set' && ts.isVariableDeclaration(node.parent) && ts.isSourceFile(node.parent.parent.parent.parent)) {
      const [list] = node.arguments ?? [];
      if (list !== undefined && ts.isArrayLiteralExpression(list) && list.elements.every((element) => ts.isStringLiteral(element))) {
        const name = node.parent.name.getText(source);
        const ids = list.elements.filter((element) => ts.isStringLiteral(element)).map((element) => `${JSON.stringify(element.text)}: ${rule(element, `${name} ${element.text}`)}`);
        around(node, `${GLOBAL}.set(`, `, (element) => (({${ids.join(', ')}})[element] ?? ''))`);
      }
    }
    const table = node.getText(source);
    if (ts.isElementAccessExpression(node) && table === 'COMPOSE_KEYS[child]') around(node, `${GLOBAL}.rule(`, ', child)');
    if (ts.isCallExpression(node) && table === 'childrenOf(Object.keys(COMPOSE_KEYS))') around(node, `${GLOBAL}.keys(`, ')');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { text: apply(text, edits), mutants };
}

function refuses(statement: ts.Statement, source: ts.SourceFile): boolean {
  const first = ts.isBlock(statement) ? statement.statements : [statement];
  return first.some((each) => ts.isExpressionStatement(each) && ts.isCallExpression(each.expression) && RULES.test(each.expression.expression.getText(source)));
}

/** Insertions only: at one place what closes comes before what opens, the inner closes before the outer. */
function apply(text: string, edits: readonly { readonly start: number; readonly end: number; readonly before: string; readonly after: string }[]): string {
  const insertions = edits.flatMap(({ start, end, before, after }) => [
    { at: start, order: [1, -(end - start)], text: before },
    { at: end, order: [0, end - start], text: after },
  ]);
  insertions.sort((a, b) => a.at - b.at || (a.order[0] ?? 0) - (b.order[0] ?? 0) || (a.order[1] ?? 0) - (b.order[1] ?? 0));
  let [result, last] = ['', 0];
  for (const { at, text: inserted } of insertions) {
    result += text.slice(last, at) + inserted;
    last = at;
  }
  return result + text.slice(last);
}
