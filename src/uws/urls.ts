/** Absolute URLs of one job list, made from the configured public base URL only and never from what a request says. */
export class JobUrls {
  /** The job list itself, without a slash at its end. */
  readonly list: string;

  /** `base`: the gateway's public URL (`https://host/path`); `name`: of the job list. */
  constructor(base: string, name: string) {
    this.list = `${base.replace(/\/+$/, '')}/uws/${name}`;
  }

  job(id: string): string {
    return `${this.list}/${encodeURIComponent(id)}`;
  }

  /** A child of a job, such as its error. */
  child(id: string, name: 'error' | 'events'): string {
    return `${this.job(id)}/${name}`;
  }

  /** A parameter's value, where it is not in the document itself. */
  parameter(id: string, name: string): string {
    return `${this.job(id)}/parameters/${encodeURIComponent(name)}`;
  }

  /** A result; the slashes of its id stay slashes. */
  result(id: string, resultId: string): string {
    return `${this.job(id)}/results/${resultPath(resultId)}`;
  }

  /** What a job serves while it runs. */
  endpoint(id: string, service: string, port: number): string {
    return `${this.job(id)}/endpoints/${encodeURIComponent(service)}/${String(port)}/`;
  }

  /** Where a synchronous request waits for its job. */
  sync(id: string): string {
    return `${this.list}/sync/${encodeURIComponent(id)}`;
  }
}

/** A result's id as the end of a path: each part between slashes percent-encoded. */
export function resultPath(resultId: string): string {
  return resultId.split('/').map((part) => encodeURIComponent(part.replace(/\p{Surrogate}/gu, '\ufffd'))).join('/');
}
