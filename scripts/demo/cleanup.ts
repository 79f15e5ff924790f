import Docker from 'dockerode';

/** The name under which the demo's containers and volumes are labelled, so that they can be told from everybody else's. */
export const DEMO_GATEWAY = 'demo';

/** Removes what the demo has left on the engine: its containers, volumes, and the images from its registry. */
export async function removeRemains(registry: string): Promise<void> {
  const docker = new Docker();
  const filters = { label: [`pratique.gateway=${DEMO_GATEWAY}`] };
  for (const { Id } of await docker.listContainers({ all: true, filters })) await docker.getContainer(Id).remove({ force: true, v: true });
  const { Volumes } = await docker.listVolumes({ filters });
  for (const { Name } of Volumes) await docker.getVolume(Name).remove();
  for (const { Id, RepoTags, RepoDigests } of await docker.listImages()) {
    const names = [...(RepoTags ?? []), ...(RepoDigests ?? [])];
    if (names.some((name) => name.startsWith(`${registry}/`) || name.startsWith('pratique/blank-volume'))) await docker.getImage(Id).remove({ force: true }).catch(() => undefined);
  }
}
