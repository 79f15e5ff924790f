import { buildImage, pushImage } from '../../test/support/oci-image.ts';

/** The sample images, as references. */
export interface SampleImages {
  /** What the site approves as a base. */
  readonly base: string;
  /** Built on the base. */
  readonly derived: string;
  /** Has the same programs and nearly the same name, and is not built on the base. */
  readonly lookAlike: string;
  /** A name that no rule mentions. */
  readonly unlisted: string;
}

const CUTOUT = `#!/bin/sh
# Stands for a science program: tells what it does, takes its time, writes its result to /output.
band=\${BAND:-g}
for tile in 1 2 3; do
  echo "reading tile $tile in band $band"
  sleep 1
done
echo "ra,dec,flux_$band" > /output/cutout.csv
echo "10.684,41.269,3.44" >> /output/cutout.csv
echo "wrote /output/cutout.csv"
`;

/** Builds the sample images from static busybox and pushes them. */
export async function pushSampleImages(registry: string): Promise<SampleImages> {
  const program = { '/usr/local/bin/cutout': { content: CUTOUT, mode: 0o755 } };
  const config = { Cmd: ['cutout'], User: '1000:1000', Env: ['PATH=/usr/local/bin:/usr/bin:/bin'] };
  const base = await buildImage({ config: { Env: config.Env } });
  const derived = await buildImage({ base, files: program, config });
  const other = await buildImage({ base: 'scratch', files: { '/etc/motd': 'not the approved base\n' } });
  const lookAlike = await buildImage({ base: other, layers: [...base.layers, ...derived.layers.slice(base.layers.length)], config });
  await pushImage(registry, 'base/busybox', '1', base);
  await pushImage(registry, 'demo/cutout', '1.0', derived);
  await pushImage(registry, 'demo/cutout-fast', '1.0', lookAlike);
  return {
    base: `${registry}/base/busybox:1`,
    derived: `${registry}/demo/cutout:1.0`,
    lookAlike: `${registry}/demo/cutout-fast:1.0`,
    unlisted: 'docker.io/library/ubuntu:24.04',
  };
}
