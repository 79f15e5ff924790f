import { expect } from 'chai';
import { ANONYMOUS } from '../../../src/caller.ts';
import { GatewayError } from '../../../src/errors.ts';
import type { Verdict } from '../../../src/policy/verdict.ts';
import { RegistryLogins } from '../../../src/image/registry-logins.ts';
import { simpleSigning, simpleSigningPayload, signingKey } from '../../support/cosign.ts';
import { JudgedSite, taskFor } from '../../support/site-policy.ts';

const KEY = signingKey();
const STAFF = { id: 'ann', groups: ['staff'] };

const POLICY = `
bases:
  - {name: base, image: "reg.example/base:1", maxAge: 90d}
  - {name: other, image: "other.example/base:1"}
keys:
  - name: ours
    repositories: ["reg.example/**"]
    publicKey: |
${KEY.pem.replace(/^/gm, '      ')}
rules:
  - {name: no-latest, images: ["**:latest"], deny: use a version}
  - {name: derived, images: ["reg.example/demo/**"], base: [base], limits: {cores: 2}}
  - {name: either, images: ["reg.example/either/**"], base: [base, other]}
  - {name: staff, images: ["reg.example/staff/**"], groups: [staff], run: {user: "1000:1000"}}
  - {name: signed, images: ["reg.example/signed/**"], signature: {mode: require, keys: [ours]}}
  - {name: warned, images: ["reg.example/warned/**"], signature: {mode: warn, keys: [ours]}}
  - {name: stable, images: ["reg.example/tools/*:stable"]}
  - {name: as-base, images: ["reg.example/as-base/**"], base: [base], config: {entrypoint: as-base, command: as-base}}
  - {name: strict, images: ["reg.example/strict/**"], config: {user: numeric-non-root, command: [[sh]], maxSize: 1M}}
`;

describe('the judge', () => {
  let site: JudgedSite;
  beforeEach(async () => {
    site = await new JudgedSite().start(POLICY);
    site.registry.put('reg.example/base:1', { layers: ['base'] });
    site.registry.put('other.example/base:1', { layers: ['other'] });
  });

  describe('asks nobody', () => {
    const table: readonly (readonly [what: string, image: string, codes: string])[] = [
      ['about an image that no rule takes', 'reg.example/unknown:1', 'image.not-listed'],
      ['about an image of a rule for others', 'reg.example/staff/x:1', 'image.not-listed'],
      ['about an image that a rule refuses', 'reg.example/demo/x:latest', 'image.denied-by-rule'],
    ];
    for (const [what, image, codes] of table) {
      it(what, async () => {
        expect(await site.answer(image)).to.equal(codes);
        expect(site.registry.asked).to.deep.equal([]);
      });
    }

    it('about a digest that is revoked', async () => {
      const { manifestDigest } = site.registry.put('reg.example/demo/x:1', { layers: ['base', 'top'] });
      await site.start(`revoked: ["${manifestDigest}"]\n${POLICY}`);
      expect(await site.answer(`reg.example/demo/x@${manifestDigest}`)).to.equal('image.revoked');
      expect(site.registry.asked).to.deep.equal([]);
    });
  });

  it('accepts an image on an approved base, pinned, with what it will get', async () => {
    const image = site.registry.put('reg.example/demo/x:1', { layers: ['base', 'top'], indexed: true });
    const verdict = await site.judge('reg.example/demo/x:1', { env: { A: 'b' }, command: ['ls'], cores: 2 });
    if (!verdict.accepted) throw new Error(JSON.stringify(verdict));
    expect(verdict.task).to.deep.equal({ type: 'container', image, command: ['ls'], env: { A: 'b' }, resources: { cores: 2, memory: 2 ** 29 }, user: '65534:65534' });
    const [sighting] = site.policy.catalogue.beneath(image.diffIds, image.platform);
    expect(verdict.decision).to.deep.include({
      at: site.clock.now(),
      policy: site.policy.policy.hash,
      rule: 'derived',
      base: { name: 'base', digest: sighting?.manifestDigest, firstSeen: site.clock.now(), lastSeen: site.clock.now() },
    });
    expect(verdict.warnings).to.equal(undefined);
  });

  describe('says no, with the code', () => {
    const prefix = 'reg.example';
    const table: readonly (readonly [codes: string, what: string, image: string, put: Parameters<JudgedSite['registry']['put']>[1] | undefined, more?: Parameters<JudgedSite['answer']>[1]])[] = [
      ['image.base', 'to a look-alike', 'demo/x:1', { layers: ['base2', 'top'] }],
      ['image.base', 'to layers in another order', 'demo/x:1', { layers: ['top', 'base'] }],
      ['image.base', 'to a squashed image', 'demo/x:1', { layers: ['base+top'] }],
      ['image.base', 'to an image without layers', 'demo/x:1', { layers: [] }],
      ['image.base', 'to an image on a base of another rule', 'demo/x:1', { layers: ['other', 'top'] }],
      ['image.base', 'once, where command and entrypoint must be those of the base that is not there', 'as-base/x:1', { layers: ['x'], config: { entrypoint: ['/x'] } }],
      ['image.entrypoint', 'to another entrypoint than that of the base', 'as-base/x:1', { layers: ['base'], config: { entrypoint: ['/x'] } }],
      ['image.not-found', 'to an image that is not there', 'demo/x:1', undefined],
      ['image.platform', 'to an image for another platform', 'demo/x:1', { platform: { os: 'linux', architecture: 's390x', variant: '' } }],
      ['image.signature', 'to an image that nobody has signed', 'signed/x:1', {}],
      ['image.environment', 'to LD_PRELOAD in the image', 'demo/x:1', { layers: ['base'], config: { env: ['LD_PRELOAD=x'] } }],
      ['image.environment', 'to a changed PATH', 'demo/x:1', { layers: ['base'], config: { env: ['PATH=/opt'] } }],
      ['image.volumes', 'to a volume', 'demo/x:1', { layers: ['base'], config: { volumes: ['/data'] } }],
      ['image.user', 'to root', 'strict/x:1', {}],
      ['image.size', 'to a large image', 'strict/x:1', { size: 2 ** 30, config: { user: '1' } }],
      ['image.command', 'to another command than the pinned one', 'strict/x:1', { config: { user: '1' } }, { command: ['ls'] }],
      ['resources.cores', 'to too many cores', 'demo/x:1', { layers: ['base'] }, { cores: 3 }],
      ['resources.memory', 'to too much memory', 'demo/x:1', { layers: ['base'] }, { memory: 2 ** 40 }],
      ['env.forbidden', 'to LD_PRELOAD in the request', 'demo/x:1', { layers: ['base'] }, { env: { LD_PRELOAD: 'x' } }],
      ['env.name', 'to a name that is none', 'demo/x:1', { layers: ['base'] }, { env: { '1': 'x' } }],
      ['resources.cores env.forbidden image.base image.environment', 'with all reasons at once', 'demo/x:1', { layers: ['x'], config: { env: ['LD_A=b'] } }, { cores: 3, env: { PATH: '/' } }],
      ['resources.cores image.not-found', "with the registry's no among them", 'demo/x:1', undefined, { cores: 3 }],
    ];
    for (const [codes, what, image, put, more] of table) {
      it(`${codes} ${what}`, async () => {
        if (put !== undefined) site.registry.put(`${prefix}/${image}`, put);
        expect(await site.answer(`${prefix}/${image}`, more)).to.equal(codes);
      });
    }

    it('and names the rule and the member of the task', async () => {
      const verdict = await site.judge('reg.example/demo/x:1', { cores: 3 });
      const reasons = verdict.accepted ? [] : verdict.reasons.map(({ code, path, rule }) => ({ code, path, rule }));
      expect(reasons).to.deep.equal([
        { code: 'resources.cores', path: 'resources.cores', rule: 'derived' },
        { code: 'image.not-found', path: 'image', rule: 'derived' },
      ]);
      expect(verdict.decision.rule).to.equal('derived');
      expect((await site.judge('reg.example/unknown:1')).decision.rule).to.equal('none');
    });
  });

  describe('gives no verdict', () => {
    const code = (judging: Promise<Verdict>): Promise<string> =>
      judging.then((verdict) => (verdict.accepted ? 'yes' : 'no'), (error: unknown) => (error instanceof GatewayError ? error.code : String(error)));

    it('when the registry of the image is down', async () => {
      site.registry.takeDown('reg.example');
      expect(await code(site.judge('reg.example/strict/x:1'))).to.equal('RegistryUnavailable');
    });

    it('when an answer of the registry cannot be judged', async () => {
      site.registry.failure = () => new GatewayError('RegistryInvalid', 'digest differs');
      expect(await code(site.judge('reg.example/strict/x:1'))).to.equal('RegistryInvalid');
    });

    it('when nothing is known of the base and its registry is down', async () => {
      site.registry.put('reg.example/either/x:1', { layers: ['x'] });
      site.registry.takeDown('other.example');
      expect(await code(site.judge('reg.example/either/x:1'))).to.equal('RegistryUnavailable');
    });

    it('but a yes when the image is on the base that is known', async () => {
      site.registry.put('reg.example/either/x:1', { layers: ['base', 'x'] });
      site.registry.takeDown('other.example');
      expect(await code(site.judge('reg.example/either/x:1'))).to.equal('yes');
    });

    it('but a no when that is certain without the registry', async () => {
      site.registry.takeDown('reg.example');
      expect(await site.answer('reg.example/demo/x:1', { cores: 3 })).to.equal('resources.cores');
    });

    it('when the question is withdrawn', async () => {
      // An outage, as adapters tell an aborted request: no reason to fall back on the reasons that are there already.
      const withdrawn = new AbortController();
      site.registry.resolve = async () => {
        withdrawn.abort(new Error('withdrawn'));
        throw new GatewayError('RegistryUnavailable', 'the request was aborted');
      };
      expect(await code(site.policy.evaluate(taskFor('reg.example/demo/x:1', { cores: 99 }), ANONYMOUS, withdrawn.signal))).to.equal('RegistryUnavailable');
    });
  });

  describe('for a caller with a login for the registry', () => {
    const logins = new RegistryLogins(new Map([['reg.example', { username: 'lovelace', password: 'hush' }]]));

    it('reads image, tag and signature with it, and records nothing of it', async () => {
      site.registry.put('reg.example/signed/x:1', { layers: ['base', 'top'] });
      const { manifestDigest } = site.registry.put('reg.example/tools/x:stable', { layers: ['base', 'top'] });
      expect(await site.answer('reg.example/signed/x:1', { logins })).to.equal('image.signature');
      expect(site.registry.askedAs.splice(0)).to.deep.equal(['lovelace resolve', 'lovelace signatures']);
      site.registry.put('reg.example/tools/x:stable', { layers: ['base', 'newer'] });
      expect(await site.answer(`reg.example/tools/x:stable@${manifestDigest}`, { logins })).to.equal('image.tag-moved');
      expect(site.registry.askedAs).to.deep.equal(['lovelace resolve', 'lovelace resolve']);
      expect(JSON.stringify(site.audit)).to.not.include('hush').and.not.include('lovelace');
    });

    it('reads the bases as the site, for they are the site\'s word', async () => {
      site.registry.put('reg.example/either/x:1', { layers: ['other', 'top'] });
      expect(await site.answer('reg.example/either/x:1', { logins })).to.equal('yes');
      expect(site.registry.askedAs).to.deep.equal(['lovelace resolve']);
      expect(site.registry.asked.filter((question) => question.includes('other.example'))).to.not.deep.equal([]);
    });
  });

  describe('knows the bases', () => {
    beforeEach(() => site.registry.put('reg.example/demo/x:1', { layers: ['base', 'top'] }));

    it('that a tag has had before', async () => {
      await site.policy.catalogue.refresh();
      site.registry.put('reg.example/base:1', { layers: ['newer'] });
      await site.policy.catalogue.refresh();
      expect(await site.answer('reg.example/demo/x:1')).to.equal('yes');
    });

    it('that are too old by now', async () => {
      await site.policy.catalogue.refresh();
      site.registry.put('reg.example/base:1', { layers: ['newer'] });
      site.clock.advance(90 * 24 * 3600 * 1000);
      await site.policy.catalogue.refresh();
      expect(await site.answer('reg.example/demo/x:1')).to.equal('yes');
      site.clock.advance(700_000);
      const verdict = await site.judge('reg.example/demo/x:1');
      expect(verdict.accepted ? '' : verdict.reasons[0]?.text).to.match(/built on base as it was until 2026-01-01T00:00:00.000Z .* at most P90D/);
    });

    it('and takes the new digest of one at once, although it has just said no', async () => {
      site.registry.put('reg.example/demo/y:1', { layers: ['newer', 'top'] });
      expect(await site.answer('reg.example/demo/y:1')).to.equal('image.base');
      site.registry.put('reg.example/base:1', { layers: ['newer'] });
      await site.policy.catalogue.refresh();
      expect(await site.answer('reg.example/demo/y:1')).to.equal('yes');
    });

    it('that came nearest', async () => {
      site.registry.put('reg.example/base:1', { layers: ['a', 'b', 'c'] });
      site.registry.put('reg.example/demo/y:1', { layers: ['a', 'b', 'X', 'top'] });
      const verdict = await site.judge('reg.example/demo/y:1');
      expect(verdict.accepted ? '' : verdict.reasons[0]?.text).to.include('the nearest is base: 2 of its 3 layers are the same');
    });
  });

  describe('refuses what is revoked:', () => {
    async function answer(revoked: (image: ReturnType<JudgedSite['registry']['put']>, base: ReturnType<JudgedSite['registry']['put']>) => string | undefined): Promise<string> {
      const base = site.registry.put('reg.example/base:1', { layers: ['base'], indexed: true });
      const image = site.registry.put('reg.example/demo/x:1', { layers: ['base', 'top'], indexed: true });
      await site.start(`revoked: ["${revoked(image, base) ?? ''}"]\n${POLICY}`);
      return site.answer('reg.example/demo/x:1');
    }
    for (const [what, revoked] of [
      ['a manifest', (image) => image.manifestDigest],
      ['an index', (image) => image.indexDigest],
      ['a configuration', (image) => image.configDigest],
      ['a layer', (image) => image.diffIds[1]],
      ["the base's manifest", (_, base) => base.manifestDigest],
      ["the base's index", (_, base) => base.indexDigest],
      ["the base's configuration", (_, base) => base.configDigest],
    ] satisfies [string, Parameters<typeof answer>[0]][]) {
      it(what, async () => expect(await answer(revoked)).to.equal('image.revoked'));
    }

    it('a base beneath an approved one', async () => {
      const old = site.registry.put('reg.example/base:1', { layers: ['bottom'] });
      site.registry.put('other.example/base:1', { layers: ['bottom', 'middle'] });
      site.registry.put('reg.example/either/x:1', { layers: ['bottom', 'middle', 'top'] });
      expect(await site.answer('reg.example/either/x:1')).to.equal('yes');
      await site.start(`revoked: ["${old.manifestDigest}"]\n${POLICY}`);
      expect(await site.answer('reg.example/either/x:1')).to.equal('image.revoked');
    });
  });

  describe('of a rule for certain tags', () => {
    beforeEach(() => site.registry.put('reg.example/tools/x:stable', { layers: ['good'] }));
    const bad = (): string => site.registry.put('reg.example/tools/x:edge', { layers: ['bad'] }).manifestDigest;

    it('takes the tag', async () => expect(await site.answer('reg.example/tools/x:stable')).to.equal('yes'));

    it('does not take another digest under the name of the tag', async () => {
      expect(await site.answer(`reg.example/tools/x:stable@${bad()}`)).to.equal('image.tag-moved');
    });

    it('takes the digests that the tag leads to', async () => {
      const { manifestDigest, indexDigest } = site.registry.put('reg.example/tools/x:stable', { layers: ['good'], indexed: true });
      expect(await site.answer(`reg.example/tools/x:stable@${manifestDigest}`)).to.equal('yes');
      expect(await site.answer(`reg.example/tools/x:stable@${indexDigest ?? ''}`)).to.equal('yes');
    });

    it('does not take a digest under a tag that is not there any more', async () => {
      const digest = bad();
      expect(await site.answer(`reg.example/tools/gone:stable@${digest}`)).to.equal('image.not-found');
      site.registry.put('reg.example/tools/gone:edge', { layers: ['bad'] });
      expect(await site.answer(`reg.example/tools/gone:stable@${digest}`)).to.equal('image.tag-moved');
    });

    it('takes a digest that was judged under the tag, although the tag has moved', async () => {
      const verdict = await site.judge('reg.example/tools/x:stable');
      const judged = verdict.accepted ? verdict.task.image.manifestDigest : '';
      site.registry.put('reg.example/tools/x:stable', { layers: ['newer'] });
      expect(await site.answer(`reg.example/tools/x:stable@${judged}`)).to.equal('yes');
      site.clock.advance(25 * 3600 * 1000);
      expect(await site.answer(`reg.example/tools/x:stable@${judged}`)).to.equal('image.tag-moved');
    });

    it('does so under a new policy, too', async () => {
      const verdict = await site.judge('reg.example/tools/x:stable');
      const judged = verdict.accepted ? verdict.task.image.manifestDigest : '';
      site.registry.put('reg.example/tools/x:stable', { layers: ['newer'] });
      await site.policy.reload(async () => ({ rules: [{ name: 'stable2', images: ['reg.example/tools/*:stable'] }] }));
      expect(await site.answer(`reg.example/tools/x:stable@${judged}`)).to.equal('yes');
    });
  });

  describe('costs', () => {
    it('only the look at the tag for an image that was judged before', async () => {
      site.registry.put('reg.example/demo/x:1', { layers: ['base', 'top'] });
      site.registry.put('reg.example/signed/x:1', {});
      await site.answer('reg.example/demo/x:1');
      await site.answer('reg.example/signed/x:1');
      site.registry.asked.length = 0;
      await site.answer('reg.example/demo/x:1');
      await site.answer('reg.example/signed/x:1');
      expect(site.registry.asked).to.deep.equal(['resolve reg.example/demo/x:1', 'resolve reg.example/signed/x:1']);
    });

    it('a new look at signatures that were missing, after a while', async () => {
      const image = site.registry.put('reg.example/signed/x:1', {});
      expect(await site.answer('reg.example/signed/x:1')).to.equal('image.signature');
      site.registry.sign(image, image.manifestDigest, simpleSigning(KEY, simpleSigningPayload(image.manifestDigest)));
      expect(await site.answer('reg.example/signed/x:1')).to.equal('image.signature');
      site.clock.advance(30_000);
      expect(await site.answer('reg.example/signed/x:1')).to.equal('yes');
    });

    it('as much with a thousand bases as with ten, and one question for each of them to keep it current', async () => {
      const many = (n: number): string =>
        `bases: [${Array.from({ length: n }, (_, i) => `{name: b${i}, image: "reg.example/b${i}:1"}`).join()}]\nrules: [{name: r, images: ["reg.example/demo/**"], base: [${Array.from({ length: n }, (_, i) => `b${i}`).join()}]}]`;
      for (let i = 0; i < 1000; i += 1) site.registry.put(`reg.example/b${i}:1`, { layers: [`bottom${i % 10}`, `layer${i}`] });
      for (const n of [10, 1000]) {
        await site.start(many(n));
        await site.policy.catalogue.refresh();
        site.registry.put('reg.example/demo/x:1', { layers: ['bottom7', 'layer7', `top of ${n}`] });
        site.registry.asked.length = 0;
        expect(await site.answer('reg.example/demo/x:1')).to.equal('yes');
        expect(site.registry.asked).to.deep.equal(['resolve reg.example/demo/x:1']);
      }
      site.registry.asked.length = 0;
      await site.policy.catalogue.refresh();
      expect(site.registry.asked).to.have.length(1000);
      expect(site.registry.asked.every((question) => question.startsWith('currentDigest'))).to.equal(true);
    });

    it('nothing that one repository could lend to another', async () => {
      const image = site.registry.put('reg.example/signed/x:1', {});
      site.registry.sign(image, image.manifestDigest, simpleSigning(KEY, simpleSigningPayload(image.manifestDigest)));
      expect(await site.answer('reg.example/signed/x:1')).to.equal('yes');
      site.registry.put('reg.example/signed/y:1', {});
      expect(await site.answer('reg.example/signed/y:1')).to.equal('image.signature');
    });
  });

  it('accepts with a warning what would be refused by a stricter rule', async () => {
    site.registry.put('reg.example/warned/x:1', {});
    const verdict = await site.judge('reg.example/warned/x:1');
    expect(verdict.accepted && verdict.warnings?.map(({ code, rule }) => `${code} ${rule ?? ''}`)).to.deep.equal(['image.signature warned']);
    expect(site.audit.entries.at(-1)?.reasons).to.have.length(1);
  });

  it('gives callers what the rule for their group gives', async () => {
    site.registry.put('reg.example/staff/x:1', {});
    const verdict = await site.judge('reg.example/staff/x:1', {}, STAFF);
    expect(verdict.accepted && verdict.task.user).to.equal('1000:1000');
  });

  describe('in general', () => {
    const codes = (caller = ANONYMOUS): string[] => site.policy.general(caller).map(({ code }) => code);
    it('accepts from whom a rule is for', async () => {
      expect(codes()).to.deep.equal([]);
      await site.start('rules: [{name: r, images: ["a.b/c"], groups: [staff]}]');
      expect(codes(STAFF)).to.deep.equal([]);
      expect(codes()).to.deep.equal(['caller.no-rule']);
    });
    it('says so when it accepts nothing at all', async () => {
      await site.start('rules: [{name: r, images: ["**"], deny: closed}]');
      expect(codes(STAFF)).to.deep.equal(['policy.accepts-nothing']);
    });
  });

  describe('records', () => {
    it('every verdict, with who, what and why, and nothing of commands and variables', async () => {
      const image = site.registry.put('reg.example/demo/x:1', { layers: ['base', 'top'], indexed: true });
      const verdict = await site.policy.evaluate(
        { type: 'container', image: image.reference, command: ['secret'], env: { TOKEN: 'secret' } }, STAFF, AbortSignal.timeout(60_000), 'run',
      );
      expect(site.audit.entries).to.deep.equal([
        {
          id: verdict.decision.id,
          at: verdict.decision.at,
          door: 'run',
          caller: STAFF,
          policy: site.policy.policy.hash,
          rule: 'derived',
          reference: 'reg.example/demo/x:1',
          digests: { index: image.indexDigest, manifest: image.manifestDigest, config: image.configDigest },
          base: { name: 'base', digest: verdict.decision.base?.digest },
          answer: 'yes',
          reasons: [],
        },
      ]);
    });

    it('a no with what was seen of the image', async () => {
      const image = site.registry.put('reg.example/demo/x:1', { layers: ['x'] });
      await site.answer('reg.example/demo/x:1');
      expect(site.audit.entries[0]).to.deep.include({ door: 'accepts', answer: 'no', digests: { manifest: image.manifestDigest, config: image.configDigest } });
      expect(site.audit.entries[0]?.reasons.map(({ code }) => code)).to.deep.equal(['image.base']);
    });

    it('nothing where there was no verdict, and gives no verdict that cannot be recorded', async () => {
      site.registry.takeDown('reg.example');
      await site.answer('reg.example/demo/x:1').catch(() => undefined);
      expect(site.audit.entries).to.deep.equal([]);
      site.registry.bringUp();
      site.audit.record = () => {
        throw new GatewayError('Unavailable', 'full');
      };
      expect(await site.answer('reg.example/unknown:1').catch(String)).to.include('full');
    });

    it('each judgement under an id of its own', async () => {
      await site.answer('reg.example/unknown:1');
      await site.answer('reg.example/unknown:1');
      expect(new Set(site.audit.entries.map(({ id }) => id)).size).to.equal(2);
    });
  });
});
