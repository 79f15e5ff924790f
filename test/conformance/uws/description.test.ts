import type { Router } from '@koa/router';
import { expect } from 'chai';
import fc from 'fast-check';
import { openApiDocument, openApiRoutes } from '../../../src/http/openapi.ts';
import { createLogger } from '../../../src/logger.ts';
import { answerSchema, plannerApi } from '../../../src/planner/planner-api.ts';
import { plannerSchema } from '../../../src/planner/planner-config.ts';
import { plannerRoutes } from '../../../src/planner/routes.ts';
import { CONTAINER_PARAMETERS } from '../../../src/task/container-parameters.ts';
import { jobTypeRoutes } from '../../../src/uws/job-type-routes.ts';
import { creationJsonSchema } from '../../../src/uws/job-type.ts';
import { uwsRoutes } from '../../../src/uws/uws-routes.ts';
import { serviceApi } from '../../../src/uws/service-api.ts';
import { uwsApi } from '../../../src/uws/uws-api.ts';
import { vosiRoutes } from '../../../src/uws/vosi.ts';
import { LIMITS } from '../../support/execution.ts';
import { arbitraryOf } from '../../support/json-schema-arbitrary.ts';
import { plannerGateway } from '../planner/planner-gateway.ts';
import { expectRefused, IMAGE, LIST, PUBLIC_URL, uwsGateway } from './uws-gateway.ts';

const TYPE = { list: 'docker', url: LIST, limits: LIMITS, defaults: { cores: 1, memory: 2 ** 29 } } as const;
const COMPOSE = { ...TYPE, list: 'compose', url: `${PUBLIC_URL}/uws/compose` } as const;

/** `GET /a/{id}` of every route of a router; HEAD goes with GET. */
function routesOf(router: Router): readonly string[] {
  return router.stack.flatMap(({ path, methods }) => methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path).replace(/[:*](\w+)/g, '{$1}')}`));
}

describe('what the gateway says of itself', () => {
  const gateway = uwsGateway();
  const document = openApiDocument(PUBLIC_URL, '1.0.0', [uwsApi(TYPE), uwsApi(COMPOSE), plannerApi({ record: false }), serviceApi({ tokens: false })]);
  const paths = document.paths as Readonly<Record<string, Readonly<Record<string, { readonly operationId: string; readonly parameters: readonly { readonly name: string; readonly in: string }[] }>>>>;

  it('OpenAPI has every route that runs, and no other', () => {
    const running = [
      uwsRoutes(gateway.parts),
      uwsRoutes(gateway.compose),
      plannerRoutes({ baseUrl: PUBLIC_URL, clock: gateway.clock, logger: createLogger('silent'), config: plannerSchema.parse({}), bodyLimit: 1, policy: gateway.policy, jobList: LIST }),
      vosiRoutes({ baseUrl: PUBLIC_URL, lists: [], upSince: 0, availability: () => gateway.availability }),
      jobTypeRoutes([TYPE]),
      openApiRoutes(document),
    ].flatMap(routesOf);
    const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(described.sort()).to.deep.equal(running.sort());
  });

  it('OpenAPI is whole: every reference leads somewhere, every variable of a path is declared, no name is used twice', () => {
    const schemas = (document.components as { readonly schemas: object }).schemas;
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(references.length).to.be.greaterThan(10);
    for (const name of references) expect(schemas).to.have.property(name ?? '');
    const operations = Object.entries(paths).flatMap(([path, methods]) => Object.values(methods).map((operation) => ({ path, ...operation })));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).to.equal(operations.length);
    for (const { path, parameters } of operations) {
      expect(parameters.filter((each) => each.in === 'path').map(({ name }) => `{${name}}`)).to.deep.equal([...(path.match(/\{\w+\}/g) ?? [])]);
    }
    expect(document.openapi).to.equal('3.1.0');
  });

  it('/jobtypes describes every parameter: type, unit, default, multiplicity, limits', async () => {
    const { jobtypes } = JSON.parse((await gateway.client.get('/jobtypes')).text) as { jobtypes: readonly Record<string, unknown>[] };
    const one = JSON.parse((await gateway.client.get('/jobtypes/docker')).text) as Record<string, unknown>;
    const two = JSON.parse((await gateway.client.get('/jobtypes/compose')).text) as Record<string, unknown>;
    expect(jobtypes).to.deep.equal([one, two]);
    expect(Object.keys(two.inputs as object)).to.deep.equal(['COMPOSEFILE', 'VAR.<NAME>', 'SECRET.<NAME>', 'REGISTRY.<HOST>', 'SERVICE']);
    expect(one).to.include({ id: 'docker', jobs: LIST });
    expect(one.executionDuration).to.deep.equal({ unit: 's', default: 3600, max: 86_400 });
    const inputs = one.inputs as Readonly<Record<string, { readonly minOccurs: number; readonly maxOccurs: unknown; readonly unit?: string; readonly schema: { readonly default?: unknown } }>>;
    expect(Object.keys(inputs)).to.deep.equal(CONTAINER_PARAMETERS.map(({ name }) => name));
    expect(inputs.IMAGE).to.include({ minOccurs: 1, maxOccurs: 1 });
    expect(inputs.ARG).to.include({ minOccurs: 0, maxOccurs: 'unbounded' });
    expect([inputs.CORES?.unit, inputs.CORES?.schema.default, inputs.MEMORY?.schema.default]).to.deep.equal(['cores', 1, '512M']);
    expectRefused(await gateway.client.get('/jobtypes/other'), 404);
  });

  it('the examples of all parameters together make a job', async () => {
    const form = CONTAINER_PARAMETERS.filter(({ name }) => name !== 'ARG').map(({ name, example }) => {
      const [given = '', value = ''] = name.includes('<') ? example.split('=') : [name, example];
      return [given, value] as const;
    });
    expect((await gateway.client.post('/uws/docker', form)).status).to.equal(303);
  });

  describe('the published schema of a creation', () => {
    const schema = creationJsonSchema(TYPE);
    const future = fc.date({ min: new Date('2026-01-02T00:00:00Z'), max: new Date('2999-01-01T00:00:00Z'), noInvalidDate: true }).map((date) => date.toISOString());
    const documents = arbitraryOf(schema, future) as fc.Arbitrary<Record<string, unknown> & { parameters?: Record<string, unknown> }>;
    const post = (json: unknown) => gateway.client.send('POST', '/uws/docker', { json });

    it('every document made from it is accepted', async () => {
      await fc.assert(
        fc.asyncProperty(documents, async (given) => {
          // that PHASE=RUN needs an image is a rule of its own
          const json = given.phase === 'RUN' ? { ...given, parameters: { IMAGE, ...given.parameters } } : given;
          const answer = await post(json);
          expect(answer.status, answer.text).to.equal(303);
        }),
        { numRuns: 200 },
      );
    });

    const WRONG: Readonly<Record<string, unknown>> = { parameters: 'text', phase: 'ABORT', runId: 5, destruction: 'soon', executionDuration: -1 };
    it('a document with one member wrong is refused, and the member named', async () => {
      await fc.assert(
        fc.asyncProperty(documents, fc.constantFrom(...Object.keys(WRONG)), async (given, member) => {
          expectRefused(await post({ ...given, [member]: WRONG[member] }), 400, member === 'destruction' ? 'DESTRUCTION' : member);
        }),
        { numRuns: 100 },
      );
    });

    it('a document with one parameter wrong is refused, and the parameter named', async () => {
      const wrong = { IMAGE: 'NOT A NAME', COMMAND: 'an "open quote', CORES: 'many', MEMORY: '12', 'ENV.1': 'x', UNKNOWN: 'x', ARG: { a: 1 } };
      await fc.assert(
        fc.asyncProperty(documents, fc.constantFrom(...Object.entries(wrong)), async ({ parameters = {}, ...given }, [name, value]) => {
          const kept = Object.fromEntries(Object.entries(parameters).filter(([each]) => each !== 'ARG' && each !== 'COMMAND'));
          expectRefused(await post({ ...given, parameters: { IMAGE, ...kept, [name]: value } }), 400, name);
        }),
        { numRuns: 100 },
      );
    });

    it('a document with a member more is refused, and the member named', async () => {
      await fc.assert(
        fc.asyncProperty(documents, fc.stringMatching(/^[a-z]{8,12}$/), async (given, member) => {
          expectRefused(await post({ ...given, [member]: 1 }), 400, member);
        }),
        { numRuns: 50 },
      );
    });
  });
});

describe('what the planner says of itself', () => {
  const gateway = plannerGateway();

  it('the published answer holds for yes, no, and for what is not known', async () => {
    for (const query of ['tasktype=uri://docker-container', 'tasktype=uri://docker-container&taskinfo.image=registry.test/tools/derived:1', 'tasktype=uri://docker-container&taskinfo.image=alpine', 'tasktype=uri://nothing']) {
      answerSchema.parse(await gateway.ask(query));
    }
    expect(answerSchema.safeParse({ reponseword: 'PERHAPS' }).success).to.equal(false);
  });
});
