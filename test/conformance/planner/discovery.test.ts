import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SCHEMAS } from '../../support/uws-schema.ts';
import { JOB_LIST, plannerGateway, PUBLIC_URL } from './planner-gateway.ts';

const RECORD = {
  identifier: 'ivo://example.org/pratique', title: 'Containers & <services> of the institute', shortName: 'Pratique', publisher: 'Institute', creator: 'A. Stronomer', contact: { name: 'Help desk', email: 'help@example.org' },
  created: '2026-01-01', description: 'Runs containers.', referenceUrl: 'https://vo.example.org/pratique',
};
const JUPYTER = { name: 'jupyter', description: 'Notebooks', tasktypes: ['uri://jupyter-notebook'], servicetype: 'uri://jupyter-hub', endpoint: 'http://jupyter.example.org/' };

/** What registries wrap a record in (RegistryInterface 1.0), as far as it matters here. */
const ENVELOPE = (folder: string): string => `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" targetNamespace="http://www.ivoa.net/xml/RegistryInterface/v1.0">
  <xs:import namespace="http://www.ivoa.net/xml/VOResource/v1.0" schemaLocation="${folder}/VOResource-v1.3.xsd"/>
  <xs:import namespace="http://www.ivoa.net/xml/VODataService/v1.1" schemaLocation="${folder}/VODataService-v1.3.xsd"/>
  <xs:element name="Resource" type="vr:Resource"/>
</xs:schema>`;

describe('Execution Planner: discovery (note §8.2)', () => {
  const gateway = plannerGateway({ config: { services: [JUPYTER], record: RECORD } });

  it('lists what can be asked for at /services.json', async () => {
    const answer = await gateway.get('/services.json', { accept: 'application/xml' });
    expect(answer.headers['content-type']).to.equal('application/json; charset=utf-8');
    expect(JSON.parse(answer.text)).to.deep.equal({
      planner: `${PUBLIC_URL}/accepts`,
      services: [
        {
          name: 'docker-uws', description: 'UWS 1.1 job list that runs containers whose images the policy of this site accepts',
          tasktypes: ['uri://docker-container', 'http://purl.escape.eu/types/docker-container'], servicetypes: ['uri://docker-uws', 'http://purl.escape.eu/types/docker-uws'], endpoint: JOB_LIST,
        },
        { name: 'jupyter', description: 'Notebooks', tasktypes: ['uri://jupyter-notebook'], servicetypes: ['uri://jupyter-hub'], endpoint: 'http://jupyter.example.org/' },
        {
          name: 'software', description: 'software described by a codemeta.json (taskinfo.codemeta), by its container image or its repository',
          tasktypes: ['uri://codemeta', 'http://purl.escape.eu/types/codemeta'], servicetypes: ['uri://docker-uws', 'http://purl.escape.eu/types/docker-uws'], endpoint: `${PUBLIC_URL}/accepts`,
        },
      ],
    });
  });

  it('has a VOResource record that is valid', async function () {
    const { status, text, headers } = await gateway.get('/record');
    expect(status).to.equal(200);
    expect(headers['content-type']).to.contain('text/xml');
    for (const url of [`${PUBLIC_URL}/accepts`, JOB_LIST, `${PUBLIC_URL}/capabilities`]) expect(text).to.contain(`>${url}<`);
    expect(text).to.contain('not registered');
    if (SCHEMAS === undefined) {
      console.log('      the IVOA schemas are absent (see IVOA_SCHEMAS): the record is not validated');
      this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), 'pratique-record-'));
    try {
      writeFileSync(join(folder, 'record.xml'), text);
      writeFileSync(join(folder, 'envelope.xsd'), ENVELOPE(SCHEMAS));
      const lint = spawnSync('xmllint', ['--nonet', '--noout', '--schema', join(folder, 'envelope.xsd'), join(folder, 'record.xml')], { encoding: 'utf8' });
      expect(lint.status, lint.stderr).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('Execution Planner: without a configured record', () => {
  const gateway = plannerGateway();

  it('has none', async () => {
    expect((await gateway.get('/record')).status).to.equal(404);
  });
});
