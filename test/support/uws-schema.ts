import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder with the IVOA's schemas, which are not part of this repository; undefined where it is absent. */
export const SCHEMAS: string | undefined = [process.env.IVOA_SCHEMAS, resolve(fileURLToPath(import.meta.url), '../../../../shared/schemas')]
  .find((folder) => folder !== undefined && existsSync(join(folder, 'UWS.xsd')));

const DRIVERS = { uws: 'UWS.xsd', availability: 'VOSIAvailability-v1.0.xsd', capabilities: 'capabilities.xsd', planner: 'planner.xsd' } as const;
/** The schema of the planner's answers is our own. */
const OURS = fileURLToPath(new URL('../../docs', import.meta.url));
type Driver = keyof typeof DRIVERS;

/** What is wrong with these documents by the schema that their root names; empty = all are valid. */
export async function schemaErrors(documents: readonly string[]): Promise<string> {
  if (SCHEMAS === undefined) throw new Error('the IVOA schemas are absent');
  const errors: string[] = [];
  for (const driver of Object.keys(DRIVERS) as Driver[]) {
    const mine = documents.filter((document) => driverOf(document) === driver);
    if (mine.length > 0) errors.push(await validate(mine, driver === 'planner' ? OURS : SCHEMAS, DRIVERS[driver]));
  }
  return errors.filter((text) => text !== '').join('\n');
}

function driverOf(document: string): Driver | undefined {
  const root = /<([\w:]+)[\s>/]/.exec(document.replace(/^<\?[^>]*\?>/, ''))?.[1] ?? '';
  if (root.endsWith(':capabilities')) return 'capabilities';
  // a registry's record needs its envelope, which the test of the record has
  if (root.endsWith(':Resource')) return undefined;
  if (root === 'answer') return 'planner';
  return root.endsWith(':availability') ? 'availability' : 'uws';
}

async function validate(documents: readonly string[], folder: string, schema: string): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'pratique-schema-'));
  try {
    const files = documents.map((document, index) => {
      const file = join(scratch, `${String(index)}.xml`);
      writeFileSync(file, document);
      return file;
    });
    const run = spawnSync('xmllint', ['--nonet', '--noout', '--schema', join(folder, schema), ...files], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    if (run.error !== undefined) return await validateInProcess(documents, folder, schema);
    return run.status === 0 ? '' : `${run.stderr}\n${documents.filter((_, index) => run.stderr.includes(`/${String(index)}.xml`)).join('\n')}`;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The same library compiled to WebAssembly, where the command is not installed. Slower. */
async function validateInProcess(documents: readonly string[], folder: string, schema: string): Promise<string> {
  const { validateXML } = await import('xmllint-wasm');
  const file = (fileName: string): { fileName: string; contents: string } => ({ fileName, contents: readFileSync(join(folder, fileName), 'utf8') });
  const result = await validateXML({
    xml: documents.map((contents, index) => ({ fileName: `${String(index)}.xml`, contents })),
    schema: [file(schema)],
    preload: readdirSync(folder).filter((name) => name.endsWith('.xsd') && name !== schema).map(file),
  });
  return result.valid ? '' : result.rawOutput;
}
