/** What a job list tells about one parameter it takes; `/jobtypes`, `/capabilities` and the 400s are made from it. */
export interface ParameterDescription {
  /** Canonical name; `ENV.<NAME>` stands for every name with that prefix. */
  readonly name: string;
  readonly type: 'string' | 'number';
  readonly description: string;
  readonly unit?: string;
  readonly required: boolean;
  /** Whether it may be given several times. */
  readonly multiple: boolean;
  readonly example: string;
}

/** One parameter as the client gave it: canonical name, exact value. */
export interface GivenParameter {
  readonly name: string;
  readonly value: string;
  /** Whether it came as an upload. */
  readonly byReference?: true;
}
