/** The one platform a site runs, in Go's words (`linux`, `amd64`, ''): image-spec, image-index.md. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** '' where the architecture has none, or its default one. */
  readonly variant: string;
}

/** Other names of architectures (containerd, platforms/database.go); with the variant that the name implies. */
const ALIASES: ReadonlyMap<string, readonly [architecture: string, variant?: string]> = new Map([
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['i386', ['386']],
  ['i686', ['386']],
]);

/** What an architecture without variant is. */
const DEFAULT_VARIANT: ReadonlyMap<string, string> = new Map([
  ['amd64', 'v1'],
  ['arm64', 'v8'],
  ['arm', 'v7'],
]);

/** A platform in one spelling: lower case, `amd64` for x86_64, '' for the default variant. Absent members count as ''. */
export function normalisePlatform(platform: { readonly os?: string; readonly architecture?: string; readonly variant?: string }): Platform {
  const named = (platform.architecture ?? '').toLowerCase();
  const [architecture, implied = ''] = ALIASES.get(named) ?? [named];
  const variant = normaliseVariant((platform.variant ?? '').toLowerCase() || implied);
  return { os: (platform.os ?? '').toLowerCase(), architecture, variant: DEFAULT_VARIANT.get(architecture) === variant ? '' : variant };
}

/** Whether two platforms, both normalised, are the same. There is no falling back: v7 does not run for a site that is v6. */
export function samePlatform(a: Platform, b: Platform): boolean {
  return a.os === b.os && a.architecture === b.architecture && a.variant === b.variant;
}

/** `linux/arm/v6`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== '').join('/');
}

/** `8` and `v8` are both in use. */
function normaliseVariant(variant: string): string {
  return /^\d/.test(variant) ? `v${variant}` : variant;
}
