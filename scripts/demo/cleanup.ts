import Docker from 'dockerode';

/**
 * The name under which the demo's containers and volumes are labelled, so that they can be told from everybody else's, another
 * demo's too; the next demo on this port knows what one left that was killed.
 */
export function demoGateway(port: number): string {
  return `demo-${String(port)}`;
}

/** Removes what the demo has left on the engine: its containers, volumes, and the images from its registry. */
export async function removeRemains(registry: string, port: number): Promise<void> {
  const docker = new Docker();
  const filters = { label: [`pratique.gateway=${demoGateway(port)}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters })) await docker.getContainer(Id).remove({ force: true, v: true });
  const { Volumes } = await docker.listVolumes({ filters });
  for (const { Name } of Volumes) await docker.getVolume(Name).remove();
  // by name: the same image may have another demo's name too
  const names = (await docker.listImages()).flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])]);
  for (const name of names.filter((each) => each.startsWith(`${registry}/`) || each.startsWith('pratique/blank-volume'))) await docker.getImage(name).remove().catch(() => undefined);
}
