import { expect } from 'chai';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { generatedDocs } from '../scripts/docs/generated.ts';
import { COMMAND_NAMES } from '../src/cli/command.ts';
import { CONFIG_VARIABLE, loadConfig } from '../src/config.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const prose = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`)].filter(
  (file) => file.endsWith('.md') && existsSync(join(ROOT, file)),
);

describe('documentation', () => {
  for (const [file, content] of generatedDocs()) {
    it(`${file} is what the program says`, () => {
      expect(read(file), 'run: npm run docs').to.equal(content);
    });
  }

  it('has no link that leads nowhere', () => {
    const links = prose.flatMap((file) => [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => ({ file, to: match[1] ?? '' })));
    const broken = links.filter(({ file, to }) => !existsSync(join(ROOT, dirname(file), to)));
    expect(broken).to.deep.equal([]);
    expect(links).not.to.deep.equal([]);
  });

  it('names only npm scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = prose.flatMap((file) => [...read(file).matchAll(/npm run (?:--silent )?([a-z:-]+)/g)].map((match) => match[1] ?? ''));
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).to.deep.equal([]);
  });

  it('names only commands of the program that there are', () => {
    const named = prose.flatMap((file) => [...read(file).matchAll(/(?:`|^)pratique ([a-z]+)|dist\/main\.js ([a-z]+)/gm)].map((match) => match[1] ?? match[2] ?? ''));
    expect(named.filter((name) => !COMMAND_NAMES.includes(name))).to.deep.equal([]);
    expect(named).to.include('drain');
  });

  it('has a configuration and a policy in the README that a gateway takes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pratique-readme-'));
    const [config = '', policy = ''] = [...read('README.md').matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => match[1]);
    writeFileSync(join(folder, 'pratique.yaml'), config);
    writeFileSync(join(folder, 'policy.yaml'), policy);
    const loaded = await loadConfig(join(folder, 'pratique.yaml'), {}).finally(() => rmSync(folder, { recursive: true }));
    expect([loaded.baseUrl, loaded.policy.rules.map(({ name }) => name)]).to.deep.equal(['https://containers.example.org', ['built-here']]);
  });

  it('has a compose.yml that says nothing in the place of what the configuration says', () => {
    const { services } = load(read('compose.yml')) as { services: { gateway: { environment: object; volumes: string[] } } };
    expect(services.gateway.environment).to.deep.equal({ [CONFIG_VARIABLE]: '/etc/pratique/pratique.yaml' });
    expect(services.gateway.volumes[0]).to.equal('./config:/etc/pratique:ro');
  });

  it('has a compose.yml whose registry has the name that is to be written down, on a network that does not end with the gateway', () => {
    const text = read('compose.yml');
    const { services } = load(text) as { services: { registry: { network_mode?: string; networks?: Record<string, { aliases: string[] }> } } };
    const [, host] = /registries: \[\{ host: "([^":]+):5000"/.exec(text) ?? [];
    expect(services.registry).not.to.have.property('network_mode');
    expect(services.registry.networks).to.deep.equal({ pratique: { aliases: [host] } });
    expect(text).to.contain(`echo 127.0.0.1 ${String(host)} >> /etc/hosts`);
  });

  it('has an image with all that the program reads: the build takes over TypeScript alone', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(sources.filter(({ name }) => !name.endsWith('.ts'))).to.deep.equal([]);
    expect(sources.length).to.be.greaterThan(100);
  });
});
